"""Thresholds: the exact search finds what brute force finds."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training import threshold_search, thresholds
from mlsd_framework.runtime.training.thresholds import Costs

ROW = st.tuples(
    st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 0.9, 1.0]), st.booleans(), st.integers(0, 20), st.integers(0, 9)
)
ACTIONS = {2: ("approve", "decline"), 3: ("approve", "review", "decline"), 4: ("approve", "ask", "review", "decline")}


def _total(decision: thresholds.Decision, p: np.ndarray, y: np.ndarray, costs: Costs) -> float:
    taken = decision.actions_of(p, costs)
    return float(costs.of_actions(y, len(decision.actions))[taken, np.arange(len(p))].sum())


def _least(per_action: np.ndarray, risk: np.ndarray) -> float:
    """Try every choice of thresholds; of those drawn here, risks closer than 1e-12 are equal but for rounding."""
    places = [0.0, *(np.unique(risk) + 1e-12).tolist(), 2.0]
    return min(
        per_action[np.searchsorted(cuts, risk, side="right"), np.arange(len(risk))].sum()
        for cuts in itertools.combinations_with_replacement(places, len(per_action) - 1)
    )


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.sampled_from([2, 3]), st.integers(0, 6))
@example(rows=[(0.1, True, 6, 1), (0.25, False, 2, 1)], count=2, review=0)
def test_no_thresholds_lose_less_than_those_searched(rows: list[tuple], count: int, review: int) -> None:
    """Against every choice of thresholds, ties in r included, on labels and in expectation."""
    p, y, fn, fp = (np.array(column, float) for column in zip(*rows, strict=True))
    costs = Costs(fn, fp, review)
    risk = costs.risk(p)
    for truth in (y, p):
        per_action = costs.of_actions(truth, count)
        found = threshold_search.least(risk, per_action)
        taken = np.searchsorted(found, risk, side="right")
        assert per_action[taken, np.arange(len(p))].sum() == pytest.approx(_least(per_action, risk))
        assert found.tolist() == sorted(found)


def test_rows_that_differ_by_rounding_share_an_action() -> None:
    """0.6 / (0.6 + 0.9) and 0.5 / (0.5 + 0.75) are both 0.4, though not to the last bit; no step is between."""
    p, y, costs = np.array([0.1, 0.25, 0.25]), np.array([1.0, 0.0, 1.0]), Costs([6.0, 2.0, 4.0], [1.0, 1.0, 1.0])
    risk = costs.risk(p)
    assert 0 < abs(risk[0] - risk[1]) < 1e-15
    chosen = thresholds.by_cost(score="m", actions=ACTIONS[2], probability=p, label=y, costs=costs)
    assert chosen.curve is not None
    assert chosen.curve.threshold == pytest.approx([0.0, (0.4 + 4 / 7) / 2, (1 + 4 / 7) / 2])
    assert chosen.curve.cost.tolist() == [1.0, 6.0, 10.0]


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.sampled_from([2, 3]), st.integers(0, 6))
def test_the_thresholds_are_the_best_by_probabilities_or_by_labels(rows: list[tuple], count: int, review: int) -> None:
    """The rule that is named is the one whose cost is least; the stated cost is that of the labels."""
    p, y, fn, fp = (np.array(column, float) for column in zip(*rows, strict=True))
    costs = Costs(fn, fp, review)
    chosen = thresholds.by_cost(score="m", actions=ACTIONS[count], probability=p, label=y, costs=costs)
    truth = p if chosen.rule == "probabilities" else y
    assert _total(chosen, p, truth, costs) == pytest.approx(_least(costs.of_actions(truth, count), costs.risk(p)))
    assert _total(chosen, p, y, costs) == pytest.approx(chosen.cost)
    assert list(chosen.thresholds) == sorted(chosen.thresholds)


def _drawn(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw true probabilities, about 1 in 500, labels and amounts."""
    random = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-random.normal(-9, 3, rows)))
    return p, (random.random(rows) < p).astype(float), random.lognormal(3, 1.5, rows)


@pytest.mark.parametrize("count", [2, 3])
def test_few_positives_do_not_mislead(count: int) -> None:
    """With true probabilities the thresholds cost no more, in expectation, than those that labels alone would give."""
    p, _, amount = _drawn(99, 100_000)
    ahead, fresh = [], Costs(amount, 5.0, 2.0)
    risk, expected = fresh.risk(p), fresh.of_actions(p, count)
    best = threshold_search.least(risk, expected)

    def cost(cuts: ArrayLike) -> float:
        return float(expected[np.searchsorted(cuts, risk, side="right"), np.arange(len(p))].sum())

    for seed in range(12):
        known, y, amounts = _drawn(seed, 8000)
        costs = Costs(amounts, 5.0, 2.0)
        chosen = thresholds.by_cost(score="m", actions=ACTIONS[count], probability=known, label=y, costs=costs)
        searched = threshold_search.least(costs.risk(known), costs.of_actions(y, count))
        ahead.append((cost(chosen.thresholds), cost(searched)))
    chosen_cost, searched_cost = np.mean(ahead, axis=0)
    assert chosen_cost <= 1.02 * cost(best)
    assert searched_cost > 1.05 * cost(best)


@pytest.mark.parametrize(("factor", "rule"), [(1.0, "probabilities"), (50.0, "labels"), (0.02, "labels")])
def test_labels_overrule_probabilities_that_are_off(factor: float, rule: str) -> None:
    """Odds that are fifty times too high or too low are found out, and the thresholds make up for them."""
    p, y, amount = _drawn(3, 60_000)
    wrong = p * factor / (p * factor + 1 - p)
    costs = Costs(amount, 5.0)
    chosen = thresholds.by_cost(score="m", actions=ACTIONS[2], probability=wrong, label=y, costs=costs)
    assert chosen.rule == rule
    best = _total(thresholds.by_cost(score="m", actions=ACTIONS[2], probability=p, label=p, costs=costs), p, p, costs)
    assert _total(chosen, wrong, p, costs) < 1.15 * best


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=30))
def test_the_curve_is_the_cost_at_each_threshold(rows: list[tuple]) -> None:
    """Each point of the curve, from acting on all to acting on none."""
    p, y, fn, fp = (np.array(column, float) for column in zip(*rows, strict=True))
    costs = Costs(fn, fp)
    chosen = thresholds.by_cost(score="m", actions=ACTIONS[2], probability=p, label=y, costs=costs)
    assert chosen.curve is not None
    for at, cost in zip(chosen.curve.threshold, chosen.curve.cost, strict=True):
        acted = costs.risk(p) >= at
        assert cost == pytest.approx((y * fn)[~acted].sum() + ((1 - y) * fp)[acted].sum())
    assert chosen.curve.cost.min() == pytest.approx(_least(costs.of_actions(y, 2), costs.risk(p)))


def test_true_probabilities_put_the_threshold_near_one_half() -> None:
    """And the amount decides: the same probability stops the large payment only."""
    random = np.random.default_rng(0)
    p, amount = random.random(50_000) ** 4, random.exponential(50, 50_000)
    label = random.random(50_000) < p
    costs = Costs(amount, 5.0)
    chosen = thresholds.by_cost(score="m", actions=ACTIONS[2], probability=p, label=label, costs=costs)
    assert chosen.thresholds[0] == pytest.approx(0.5, abs=0.05)
    assert chosen.actions_of([0.2, 0.2], Costs([4.0, 400.0], 5.0)).tolist() == [0, 1]


def test_stated_thresholds_divide_the_probability(tmp_path: Path) -> None:
    """A threshold belongs to the action that begins there; the file says what was decided."""
    decision = thresholds.by_score(score="m", actions=ACTIONS[3], thresholds={"review": 0.3, "decline": 0.8})
    assert decision.actions_of([0.1, 0.3, 0.79, 0.8]).tolist() == [0, 1, 1, 2]
    thresholds.write(tmp_path / "thresholds.json", {"decide": decision})
    assert json.loads((tmp_path / "thresholds.json").read_text())["decide"] == {
        "kind": "score",
        "score": "m",
        "actions": ["approve", "review", "decline"],
        "thresholds": {"review": 0.3, "decline": 0.8},
        "chosen_on": None,
        "cost": None,
        "rule": None,
    }


def test_faults_are_told() -> None:
    """Costs below zero or null, thresholds that fall or are missing, one action."""
    with pytest.raises(RunError, match=r"E6340.*false negative.*1 rows, first in row 1"):
        thresholds.by_cost(score="m", actions=ACTIONS[2], probability=[0.1, 0.2], label=[0, 1], costs=Costs([1, -2], 5))
    with pytest.raises(RunError, match="E6340"):
        Costs([np.nan], 5).risk([0.5])
    for wrong in ({"review": 0.8, "decline": 0.3}, {"decline": 0.5}, {"review": 0.1, "decline": 0.5, "x": 1}):
        with pytest.raises(RunError, match="E6341"):
            thresholds.by_score(score="m", actions=ACTIONS[3], thresholds=wrong)
    with pytest.raises(RunError, match="E6341"):
        thresholds.by_score(score="m", actions=["approve"], thresholds={})
