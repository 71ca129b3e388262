"""The types of features as polars has them, and of what features are computed from."""

from collections.abc import Mapping
from typing import cast

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import Dtype, item_of

Frame = pl.DataFrame | pl.LazyFrame
"""Rows in memory, or rows that are read when they are needed."""

_POLARS: Mapping[str, pl.DataType] = {
    "float64": pl.Float64(),
    "int64": pl.Int64(),
    "bool": pl.Boolean(),
    "timestamp": pl.Datetime("us", "UTC"),
    "string": pl.String(),
}


def dtype_of(series: pl.Series) -> Dtype:
    """Return the type that features know a polars column by; other types are refused (E6204)."""
    dtype = series.dtype
    if isinstance(dtype, pl.List | pl.Array) and dtype.inner is not None and not dtype.inner.is_nested():
        return cast("Dtype", f"list<{dtype_of(pl.Series(series.name, [], dtype=dtype.inner))}>")
    if dtype.is_float():
        return "float64"
    if dtype.is_integer():
        return "int64"
    if dtype == pl.Boolean:
        return "bool"
    if dtype == pl.Datetime("us", "UTC"):
        return "timestamp"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "string"
    raise RunError.of(
        "E6204",
        f"the column `{series.name}` has the type {dtype}, which features cannot hold",
        expected='a number, a boolean, a string, Datetime("us", "UTC"), or a list of one of these',
    )


def polars_dtype(dtype: Dtype) -> pl.DataType:
    """Return the polars type of a feature's type."""
    item = item_of(dtype)
    return _POLARS[dtype] if item is None else pl.List(_POLARS[item])
