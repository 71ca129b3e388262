"""Tuning: finds the optimum, goes on where it was cut off."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training.tuning import Budget, Choice, Float, Int, Progress, Setting, Space, tune

SPACE: Space = {"rate": Float(0.001, 1, log=True), "depth": Int(2, 10), "grow": Choice(("even", "uneven"))}


def _objective(at: Mapping[str, Setting]) -> float:
    assert isinstance(at["rate"], float)
    assert isinstance(at["depth"], int)
    return -abs(at["rate"] - 0.1) - abs(at["depth"] - 6) - (at["grow"] == "uneven")


def test_a_search_that_was_cut_off_ends_where_one_that_ran_through_ends(tmp_path: Path) -> None:
    """A kill in the fourth trial leaves three; the rest draw what they would have drawn."""
    through = tune(_objective, SPACE, storage=tmp_path / "a.db", study="m", budget=Budget(trials=8), seed=3)
    calls = []

    def killed(at: Mapping[str, Setting]) -> float:
        calls.append(at)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return _objective(at)

    with pytest.raises(KeyboardInterrupt):
        tune(killed, SPACE, storage=tmp_path / "b.db", study="m", budget=Budget(trials=8), seed=3)
    seen: list[Progress] = []
    resumed = tune(
        _objective, SPACE, storage=tmp_path / "b.db", study="m", budget=Budget(trials=8), seed=3, progress=seen.append
    )
    assert resumed == through
    assert [(p.trial, p.trials) for p in seen] == [(n, 8) for n in range(4, 9)]
    assert seen[-1].best == through.value
    again = tune(killed, SPACE, storage=tmp_path / "b.db", study="m", budget=Budget(trials=8), seed=3)
    assert again == through


def test_no_budget_and_no_finished_trial_are_told(tmp_path: Path) -> None:
    """E6337."""
    for budget in (Budget(), Budget(trials=0)):
        with pytest.raises(RunError, match="E6337"):
            tune(_objective, SPACE, storage=tmp_path / "c.db", study="m", budget=budget)
    with pytest.raises(RunError, match="E6337"):
        tune(lambda _: float("nan"), SPACE, storage=tmp_path / "c.db", study="m", budget=Budget(trials=2))
