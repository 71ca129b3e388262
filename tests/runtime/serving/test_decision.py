"""Thresholds, rules and who overrules whom."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.decision import Rule, Thresholds, expected_cost_ratio, fired
from mlsd_framework.runtime.serving.reasons import Feature, feature_reasons

ACTIONS = ("approve", "review", "decline")
THRESHOLDS = Thresholds.of("/decide", "cost", ACTIONS, {"review": 0.3, "decline": 0.7})


def rule(action: str, priority: int = 0) -> Rule:
    """Make a rule."""
    return Rule(f"{action}-{priority}", action, "because", priority)


@settings(max_examples=100, deadline=None)
@given(p=st.floats(0, 1), fn=st.floats(0, 1e6), fp=st.floats(0, 1e6))
def test_cost_ratio_says_which_mistake_is_cheaper(p: float, fn: float, fp: float) -> None:
    """Above one half, stopping costs less than letting pass; below, more."""
    ratio = expected_cost_ratio(p, fn, fp)
    assert 0 <= ratio <= 1
    if ratio > 0.5:
        assert (1 - p) * fp <= p * fn
    if ratio < 0.5:
        assert (1 - p) * fp >= p * fn


@pytest.mark.parametrize(
    ("risk", "action"), [(0.0, "approve"), (0.29, "approve"), (0.3, "review"), (0.7, "decline"), (1.0, "decline")]
)
def test_action_begins_at_its_threshold(risk: float, action: str) -> None:
    """An action holds from its threshold on."""
    assert THRESHOLDS.action(risk) == action


@pytest.mark.parametrize(
    ("risk", "rules", "action"),
    [
        (0.0, [rule("review")], "review"),
        (0.9, [rule("review")], "decline"),
        (0.9, [rule("approve", 1)], "approve"),
        (0.9, [rule("approve", 1), rule("review", 1)], "review"),
        (0.9, [rule("review", 1), rule("approve", 1)], "review"),
        (0.0, [rule("approve", 1), rule("decline", 2)], "decline"),
        (0.0, [rule("decline", -1)], "approve"),
        (None, [], "review"),
        (None, [rule("decline", 5)], "decline"),
    ],
)
def test_highest_priority_decides_and_ties_go_to_the_severest(
    risk: float | None, rules: list[Rule], action: str
) -> None:
    """The model speaks at priority 0; without a score, somebody looks."""
    assert THRESHOLDS.decide(risk, rules) == action


def test_null_does_not_fire() -> None:
    """A rule whose condition is null does not fire."""
    rules = [rule("review"), rule("decline"), rule("approve")]
    assert fired((rules[0], None), (rules[1], False), (rules[2], True)) == [rules[2]]


def test_nil_and_null_costs() -> None:
    """Where no mistake costs anything there is no risk; a null cost is nil; without a probability nothing is known."""
    assert expected_cost_ratio(0.5, 0, 0) == expected_cost_ratio(0.5, None, None) == 0
    assert expected_cost_ratio(0.5, None, 5) == 0
    assert expected_cost_ratio(0.5, 5, None) == 1
    assert expected_cost_ratio(None, 5, 5) is None


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("cost", {"review": 0.3}),
        ("cost", {"review": 0.3, "decline": 0.7, "block": 1}),
        ("cost", {"review": 0.8, "decline": 0.7}),
        ("odd", {"review": 0.3, "decline": 0.7}),
    ],
)
def test_unfit_thresholds_are_refused(kind: str, values: dict[str, float]) -> None:
    """A missing, unknown or falling threshold does not serve."""
    with pytest.raises(RunError) as error:
        Thresholds.of("/decide", kind, ACTIONS, values)
    assert error.value.diagnostics[0].code == "E6411"


def test_reasons_are_the_largest_effects_in_words() -> None:
    """The features that moved the score most come first, with value, unit and direction."""
    features = (
        Feature("a", "amount", "EUR"),
        Feature("n", "payments"),
        Feature("m", "mean"),
        Feature("z", "zero"),
        Feature("b", "night"),
    )
    found = feature_reasons(features, (1234.0, 3, None, 1.0, False), (0.5, -2.0, 1.0, 0.0, 0.1), top=5)
    assert [reason.name for reason in found] == ["n", "m", "a", "b"]
    assert [reason.text for reason in found] == [
        "payments of 3 lowers the risk",
        "mean is unknown, which raises the risk",
        "amount of 1,234 EUR raises the risk",
        "night: no, which raises the risk",
    ]
