"""Histories beside the training set, as models that read last items take them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.candidates import offsets_of
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training import retrieved

LISTS = st.lists(st.lists(st.integers(0, 50), max_size=6), min_size=1, max_size=6)


def _histories(lists: list[list[int]]) -> Histories:
    items = np.array([item for one in lists for item in one], np.int32)
    offsets = offsets_of(np.array([len(one) for one in lists]))
    return Histories(offsets, items, np.zeros(len(items), np.int64), np.zeros(len(lists), np.int64))


@given(LISTS, st.integers(1, 8))
def test_the_last_items_are_those_of_each_request_from_the_newest_on(lists: list[list[int]], length: int) -> None:
    """Places that a history does not fill are -1."""
    found = _histories(lists).last(length)
    assert found.dtype == np.int32
    assert found.tolist() == [([*one[::-1]] + [-1] * length)[:length] for one in lists]


def test_rows_get_the_last_items_of_their_requests(tmp_path: Path) -> None:
    """Requests are numbered over all moments; rows keep their order, and an empty history is null."""
    moments = [_histories([[1, 2, 3], []]), _histories([[4, 5]])]
    retrieved.write_histories(tmp_path, [retrieved.numbered(moments[0], 0), retrieved.numbered(moments[1], 2)])
    rows = pl.DataFrame({"request": [2, 0, 0, 1]})
    found = retrieved.with_histories(rows, tmp_path, last=2, name="last")
    assert found["last"].to_list() == [[4, 5], [2, 3], [2, 3], None]
    assert found["request"].to_list() == [2, 0, 0, 1]


def test_a_training_set_without_histories_is_named(tmp_path: Path) -> None:
    """Where the step before has not written them, that is said."""
    with pytest.raises(RunError, match="E6325"):
        retrieved.with_histories(pl.DataFrame({"request": [0]}), tmp_path, last=2, name="last")
