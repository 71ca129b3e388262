"""Thresholds: the exact search finds what brute force finds."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training import thresholds
from mlsd_framework.runtime.training.thresholds import Costs

ROW = st.tuples(
    st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 0.9, 1.0]), st.booleans(), st.integers(0, 20), st.integers(0, 9)
)
ACTIONS = {2: ("approve", "decline"), 3: ("approve", "review", "decline"), 4: ("approve", "ask", "review", "decline")}


def _total(decision: thresholds.Decision, p: np.ndarray, y: np.ndarray, costs: Costs) -> float:
    taken = decision.actions_of(p, costs)
    return float(costs.of_actions(y, len(decision.actions))[taken, np.arange(len(p))].sum())


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.sampled_from([2, 3]), st.integers(0, 6))
def test_no_thresholds_lose_less_than_those_chosen(rows: list[tuple], count: int, review: int) -> None:
    """Against every choice of thresholds, ties in r included; the stated cost is what the decisions cost."""
    p, y, fn, fp = (np.array(column, float) for column in zip(*rows, strict=True))
    costs = Costs(fn, fp, review)
    chosen = thresholds.by_cost(score="m", actions=ACTIONS[count], probability=p, label=y, costs=costs)
    risk = costs.risk(p)
    places = [0.0, *(np.unique(risk) + 1e-12).tolist(), 2.0]
    per_action = costs.of_actions(y, count)
    least = min(
        per_action[np.searchsorted(cuts, risk, side="right"), np.arange(len(p))].sum()
        for cuts in itertools.combinations_with_replacement(places, count - 1)
    )
    assert chosen.cost == pytest.approx(least)
    assert _total(chosen, p, y, costs) == pytest.approx(least)
    assert list(chosen.thresholds) == sorted(chosen.thresholds)


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
    assert chosen.curve.cost.min() == pytest.approx(chosen.cost)


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
