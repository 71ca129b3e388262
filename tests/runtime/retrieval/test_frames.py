"""Candidates as frames for expressions, and columns of frames as candidates have them."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.frames import columns_of, frame_of, holds

TIME = pl.Datetime("us", "UTC")
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
THREE = Candidates(offsets_of(np.array([2, 1])), np.array([4, 2, 4], np.int32))
NONE = Candidates(offsets_of(np.array([0])), np.empty(0, np.int32))


def numbers(*values: float | None) -> np.ndarray:
    """Return a column as candidates have it."""
    return np.array(values, np.float64)


def texts(*values: str | None) -> np.ndarray:
    """Return a column of text."""
    return np.array(values, object)


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (numbers(1.5, None, 3), pl.Float64, [1.5, None, 3.0]),
        (numbers(1, None, 3), pl.Int64, [1, None, 3]),
        (numbers(1, None, 0), pl.Boolean, [True, None, False]),
        (numbers(NOON.timestamp() * 1e6, None, 0), TIME, [NOON, None, datetime(1970, 1, 1, tzinfo=UTC)]),
        (texts("a", None, "é"), pl.String, ["a", None, "é"]),
        (np.array([1, 2, 3], np.int32), pl.Int64, [1, 2, 3]),
        (np.array([True, False, True]), pl.Boolean, [True, False, True]),
        (2, pl.Int64, [2, 2, 2]),
        (2, pl.Float64, [2.0, 2.0, 2.0]),
        (None, pl.Float64, [None, None, None]),
        (None, TIME, [None, None, None]),
        (None, pl.String, [None, None, None]),
        (float("nan"), pl.Float64, [None, None, None]),
        (float("nan"), pl.Int64, [None, None, None]),
        (True, pl.Boolean, [True, True, True]),
        ("é", pl.String, ["é", "é", "é"]),
        (round(NOON.timestamp() * 1e6), TIME, [NOON, NOON, NOON]),
        (NOON, TIME, [NOON, NOON, NOON]),
        ((1, 2), pl.List(pl.Int64), [[1, 2], [1, 2], [1, 2]]),
        ((), pl.List(pl.String), [[], [], []]),
        (None, pl.List(pl.String), [None, None, None]),
    ],
    ids=str,
)
def test_values_become_columns_of_their_types(value: Any, dtype: Any, expected: list[Any]) -> None:
    """NaN is null, times are microseconds, and one value stands at every row."""
    frame = frame_of(THREE, {"x": (value, dtype)})
    assert frame.schema == {"x": dtype}
    assert frame["x"].to_list() == expected


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Int64, pl.Boolean, pl.String, TIME])
def test_no_candidates_are_no_rows(dtype: Any) -> None:
    """An empty column and one shared value both give a column of the type without rows."""
    empty = texts() if dtype == pl.String else numbers()
    frame = frame_of(NONE, {"x": (empty, dtype), "y": (None, dtype)})
    assert (frame.height, frame.schema) == (0, {"x": dtype, "y": dtype})
    assert holds(frame, pl.col("x") == pl.col("y")).tolist() == []
    assert holds(frame, pl.lit(value=True)).tolist() == []


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, width=32)), min_size=3, max_size=3), st.floats(-5, 5))
def test_a_condition_holds_where_it_is_true(values: list[float | None], bound: float) -> None:
    """Null is not true, nor is its negation."""
    frame = frame_of(THREE, {"x": (numbers(*values), pl.Float64)})
    expected = [value is not None and value > bound for value in values]
    assert holds(frame, pl.col("x") > bound).tolist() == expected
    negated = [value is not None and not value > bound for value in values]
    assert holds(frame, ~(pl.col("x") > bound)).tolist() == negated


@pytest.mark.parametrize("value", [True, False, None])
def test_a_condition_of_no_column_is_one_for_all(value: bool | None) -> None:
    """A literal holds for every row or for none, and the mask may be written."""
    frame = frame_of(THREE, {"x": (1, pl.Int64)})
    mask = holds(frame, pl.lit(value, pl.Boolean))
    assert mask.tolist() == [bool(value)] * 3
    mask[0] = True


def test_columns_come_back_as_they_were() -> None:
    """Numbers, booleans and times are float64 with NaN, text is objects with None."""
    given_columns = {
        "n": (numbers(1, None, 3), pl.Int64),
        "x": (numbers(0.5, None, 3), pl.Float64),
        "b": (numbers(1, None, 0), pl.Boolean),
        "t": (numbers(NOON.timestamp() * 1e6, None, 5), TIME),
        "s": (texts("a", None, "é"), pl.String),
        "c": (texts("a", None, "a"), pl.Categorical),
    }
    found = columns_of(frame_of(THREE, given_columns), list(given_columns))
    assert list(found) == list(given_columns)
    for name, (column, dtype) in given_columns.items():
        np.testing.assert_array_equal(found[name], column)
        assert found[name].dtype == (object if dtype in (pl.String, pl.Categorical) else np.float64)
