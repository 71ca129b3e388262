"""The index of a model's items: found by measurement, of the model's version, put in the place of another."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.saved import load_index
from mlsd_framework.runtime.retrieval.candidates import offsets_of
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.two_tower import TwoTower
from mlsd_framework.runtime.training.indexing import chosen, put
from tests.runtime.index.vectors import items_and_users

ITEMS, USERS = items_and_users(500, 64)


class Given(TwoTower):
    """Towers whose users' vectors are given; the rest is a two-tower source as it is."""

    def users(self, histories: Histories) -> Any:
        """Return a vector a request, one that would spoil a measurement where the history is empty."""
        found = USERS[: histories.requests].copy()
        found[np.diff(histories.offsets) == 0] = np.nan
        return found


def histories(lengths: list[int]) -> Histories:
    """Return requests with so many events each."""
    offsets = offsets_of(np.array(lengths))
    return Histories(
        offsets, np.zeros(offsets[-1], np.int32), np.zeros(offsets[-1], np.int64), np.ones(len(lengths), np.int64)
    )


MODEL = Given(None, ITEMS, "sha256:one")  # type: ignore[arg-type] # its tower is not asked


def test_the_index_reaches_the_recall_for_those_with_a_history() -> None:
    """Requests without one are no queries; the index holds every item and says how it was found."""
    index = chosen(MODEL, histories([1, 0, 3] * 20), recall=0.9, k=10, engines=("scann",))
    assert len(index) == len(ITEMS)
    taken = [trial for trial in index.about.trace if trial.taken]
    assert len(taken) == 1
    assert taken[0].recall >= 0.9
    ids, _ = index.search(USERS, 10)
    exact = np.argsort(-(USERS @ ITEMS.T), axis=1)[:, :10]
    hits = [len(set(one) & set(other)) for one, other in zip(ids.tolist(), exact.tolist(), strict=True)]
    assert np.mean(hits) / 10 >= 0.8


def test_an_index_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """The folder holds the last one whole, and it is of its model."""
    folder = tmp_path / "indexes" / "items"
    for version in ("sha256:one", "sha256:two"):
        model = replace(MODEL, version=version)
        put(chosen(model, histories([1] * 30), recall=0.9, k=5, engines=("exact",)), folder)
        assert len(load_index(folder, fingerprint=version)) == len(ITEMS)
    with pytest.raises(RunError, match="E6807"):
        load_index(folder, fingerprint="sha256:one")


def test_nobody_to_ask_is_no_measurement() -> None:
    """A log in which no user has a history is E6802."""
    with pytest.raises(RunError, match="E6802"):
        chosen(MODEL, histories([0, 0]), recall=0.9, k=5, engines=("exact",))
