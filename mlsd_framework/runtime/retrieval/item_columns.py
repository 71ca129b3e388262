"""Columns of items as conditions compute with them, and as files have them: arrays, with what is null beside them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime.tensor_file import TensorFileError, row_of, text_arrays, texts_of

TYPES: Final[Mapping[str, pl.DataType | type[pl.DataType]]] = {
    "string": pl.String,
    "bool": pl.Boolean,
    "int64": pl.Int64,
    "float64": pl.Float64,
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date,
    "duration": pl.Duration("us"),
}
"""The types in which expressions compute, by their names in a file."""

_PREFIX: Final = "column."


def normal(rows: pl.DataFrame) -> pl.DataFrame:
    """Return columns in the types in which expressions compute: categories as text, whole numbers as int64."""
    return rows.with_columns(pl.col(name).cast(_normal(dtype)) for name, dtype in rows.schema.items())


def types_of(rows: pl.DataFrame) -> dict[str, str]:
    """Return the names of the types of columns as `normal` gives them."""
    return {name: next(known for known, dtype in TYPES.items() if dtype == held) for name, held in rows.schema.items()}


def arrays_of(rows: pl.DataFrame) -> dict[str, NDArray[Any]]:
    """Return the arrays that a file has of columns as `normal` gives them."""
    arrays: dict[str, NDArray[Any]] = {}
    for series in rows.iter_columns():
        at = f"{_PREFIX}{series.name}"
        arrays[f"{at}.null"] = series.is_null().to_numpy().astype(np.uint8)
        if series.dtype == pl.String:
            arrays |= text_arrays(at, series.fill_null("").to_list())
        elif series.dtype == pl.Float64:
            arrays[at] = series.fill_null(0.0).to_numpy()
        else:
            arrays[at] = series.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    return arrays


def array_names(types: Mapping[str, str]) -> Iterable[str]:
    """Yield the names of the arrays that a file has of columns with these types."""
    for name in types:
        yield from (f"{_PREFIX}{name}{ending}" for ending in ("", ".null", ".bytes", ".offsets"))


def columns_from(arrays: Mapping[str, NDArray[Any]], types: Mapping[str, str]) -> pl.DataFrame:
    """Return columns from the arrays that `arrays_of` gave.

    Raises TensorFileError, and UnicodeDecodeError where text is no UTF-8.
    """
    return pl.DataFrame([_column(arrays, name, type_) for name, type_ in types.items()])


def _column(arrays: Mapping[str, NDArray[Any]], name: str, type_: str) -> pl.Series:
    at, dtype = f"{_PREFIX}{name}", TYPES.get(type_)
    if dtype is None:
        raise TensorFileError(f"the column `{name}` is of the type `{type_}`")
    null = pl.Series(row_of(arrays, f"{at}.null", np.uint8)).cast(pl.Boolean)
    if dtype == pl.String:
        held = pl.Series(name, texts_of(arrays, at), pl.String)
    else:
        held = pl.Series(name, row_of(arrays, at, np.float64 if dtype == pl.Float64 else np.int64)).cast(dtype)
    if len(held) != len(null):
        raise TensorFileError(f"the column `{name}` has {len(held)} values, and {len(null)} that are null or not")
    return held.to_frame().select(pl.when(~null).then(pl.col(name)).alias(name)).to_series()


def _normal(dtype: pl.DataType) -> pl.DataType | type[pl.DataType]:
    if dtype.is_integer():
        return pl.Int64
    if dtype.is_float():
        return pl.Float64
    if isinstance(dtype, pl.Datetime):
        return TYPES["timestamp"]
    if isinstance(dtype, pl.Duration):
        return TYPES["duration"]
    return dtype if dtype in (pl.Boolean, pl.Date) else pl.String
