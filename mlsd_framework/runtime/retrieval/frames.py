"""Candidates as frames: columns of numbers with NaN for null become what expressions read, and back."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Candidates, Column


def frame_of(candidates: Candidates, values: Mapping[str, tuple[Any, pl.DataType | type[pl.DataType]]]) -> pl.DataFrame:
    """Return a frame of values with their types by name: arrays or lists of [rows], or one that all rows share.

    NaN is null; times are microseconds. Without values the frame still has its rows.
    """
    height = len(candidates.items)
    series = [series_of(name, value, height, dtype) for name, (value, dtype) in values.items()]
    return pl.DataFrame(series or None, height=height)


def holds(rows: pl.DataFrame, condition: pl.Expr) -> NDArray[np.bool_]:
    """Return whether a condition is true of each row, which null is not: [rows]."""
    found = rows.select(condition.fill_null(value=False).alias("holds")).to_series()
    held: NDArray[np.bool_] = found.to_numpy(writable=True)
    return held if len(held) == rows.height else np.repeat(held, rows.height)


def columns_of(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, Column]:
    """Return columns of a frame as candidates have them: numbers and booleans as float64 with NaN, text as objects."""
    return {name: _column(frame[name]) for name in names}


def series_of(name: str, value: Any, height: int, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:  # noqa: ANN401 - whatever a feature is
    """Return one of the columns of `frame_of`."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        series = pl.Series(name, value.tolist(), pl.String)
    elif isinstance(value, np.ndarray):
        series = pl.Series(name, value, nan_to_null=value.dtype.kind == "f")
    elif isinstance(value, list):
        series = pl.Series(name, value, dtype)
    else:
        missing = isinstance(value, float) and math.isnan(value)
        series = pl.Series(name, [None if missing else value], strict=False).new_from_index(0, height)
    return (
        series.cast(pl.Int64).cast(dtype) if dtype.is_temporal() and series.dtype.is_numeric() else series.cast(dtype)
    )


def _column(series: pl.Series) -> Column:
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return series.cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True)
    if series.dtype.is_temporal():
        return series.to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True)
    return np.array(series.cast(pl.String).to_list(), object)
