"""Packs whole frames of feature rows, column by column: what materialisation writes to the online store."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import Dtype, Value, item_of
from mlsd_framework.runtime.features.packed import EARLIEST, RowLayout
from mlsd_framework.runtime.features.packed_table import WORD, body_type
from mlsd_framework.runtime.features.varying import FORMATS, encoder
from mlsd_framework.runtime.features.windows import FeatureColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

Moments: TypeAlias = "int | NDArray[np.int64]"

_SMALL = (pl.Int32, pl.Int16, pl.Int8, pl.UInt16, pl.UInt8)
_TIME = pl.Datetime("us", "UTC")


def pack_rows(layout: RowLayout, frame: pl.DataFrame, event: Moments, created: Moments) -> list[bytes]:
    """Pack every row of a frame that has the layout's columns; one of another kind is refused (E6210)."""
    missing = [column.name for column in layout.columns if column.name not in frame.columns]
    if missing:
        raise RunError.of(
            "E6210",
            f"the rows of `{layout.group}` lack the column `{missing[0]}`",
            expected=f"one of: {', '.join(frame.columns)}",
        )
    shape = body_type([column.dtype for column in layout.columns])
    table: NDArray[np.void] = np.zeros(len(frame), shape)
    table["event"], table["created"] = _ordered(event), _ordered(created)
    contents: list[list[bytes]] = []
    for i, column in enumerate(layout.columns):
        series = frame.get_column(column.name)
        _check(layout, column, series.dtype)
        if series.null_count():
            missed = series.is_null().to_numpy()
            table["nulls"][:, i // WORD] |= missed.astype(np.uint64) << np.uint64(i % WORD)
        if column.dtype in FORMATS:
            table[f"c{i}"] = _numbers(series)
        else:
            contents.append(_contents(layout, column, series))
            table[f"c{i}"] = [len(content) for content in contents[-1]]
    return _rows(layout, table, contents)


def _rows(layout: RowLayout, table: "NDArray[np.void]", contents: list[list[bytes]]) -> list[bytes]:
    fixed, size = table.tobytes(), table.dtype.itemsize
    bodies = [fixed[at : at + size] for at in range(0, len(fixed), size)]
    if contents:
        bodies = [b"".join(parts) for parts in zip(bodies, *contents, strict=True)]
    sealed = layout.sealed
    return [sealed(body) for body in bodies]


def _ordered(moments: Moments) -> "NDArray[np.uint64] | np.uint64":
    # The earliest is 0, so that unsigned bytes are in the order of time.
    if isinstance(moments, int):
        return np.uint64(moments - EARLIEST)
    return moments.astype(np.int64).view(np.uint64) ^ np.uint64(1 << 63)


def _numbers(series: pl.Series) -> "NDArray[np.generic]":
    if series.dtype == pl.Null:
        return np.zeros(len(series))
    physical = series.to_physical()
    if physical.null_count():
        physical = physical.fill_null(0 if series.dtype != pl.Boolean else False)
    return physical.to_numpy()


def _contents(layout: RowLayout, column: FeatureColumn, series: pl.Series) -> list[bytes]:
    encode = encoder(column.dtype)
    if item_of(column.dtype) == "timestamp" and series.dtype != pl.Null:
        series = series.cast(pl.List(pl.Int64))
    values: list[Value] = series.to_list()
    try:
        return [b"" if value is None else encode(value) for value in values]
    except ValueError as error:
        raise RunError.of("E6210", f"a value of `{column.name}` of `{layout.group}` does not fit: {error}") from error


def _check(layout: RowLayout, column: FeatureColumn, dtype: pl.DataType) -> None:
    # A cast between kinds would change values in silence; widening within one does not.
    item = item_of(column.dtype)
    if dtype == pl.Null:
        return
    if item is None:
        fits = _fits(column.dtype, dtype)
    else:
        inner = getattr(dtype, "inner", None)
        fits = isinstance(dtype, pl.List | pl.Array) and (inner == pl.Null or _fits(item, inner))
    if not fits:
        raise RunError.of(
            "E6210", f"the column `{column.name}` of `{layout.group}` has the type {dtype}", expected=column.dtype
        )


def _fits(wanted: Dtype, dtype: pl.DataType | None) -> bool:
    if dtype is None:
        return False
    return {
        "float64": dtype.is_numeric(),
        "float32": dtype == pl.Float32,
        "int64": dtype.is_integer(),
        "int32": dtype in _SMALL,
        "bool": dtype == pl.Boolean,
        "timestamp": dtype == _TIME,
        "string": dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum),
        "bytes": dtype == pl.Binary,
    }[wanted]
