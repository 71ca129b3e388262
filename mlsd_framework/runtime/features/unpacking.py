"""Unpacks many feature rows at once, column by column: what a pipeline over candidates reads from the online store."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.dtypes import Dtype, Value
from mlsd_framework.runtime.features.packed import BODY, RowLayout
from mlsd_framework.runtime.features.packed_kernel import STEPS, checked_parts, distinct_contents
from mlsd_framework.runtime.features.packed_table import WORD, row_type
from mlsd_framework.runtime.features.varying import FORMATS, decoder

_Column = NDArray[Any]


def unpack_columns(layout: RowLayout, rows: Sequence[bytes | None]) -> list[_Column]:
    """Return the values of each column of the layout: [rows]; those of a missing row are the defaults.

    Numbers, times and booleans are float64 with NaN for null, others are objects. Raises what `RowLayout.unpack` does.
    """
    there = [row for row in rows if row is not None]
    columns = _together(layout, there)
    if columns is None:  # one by one, so that the first that cannot be read is refused by its own fault
        return columns_of([column.dtype for column in layout.columns], [layout.unpack(row) for row in rows])
    if len(there) == len(rows):
        return columns
    held = np.array([row is not None for row in rows], np.bool_)
    wanted = zip(layout.columns, layout.defaults, columns, strict=True)
    return [_placed(column, held, declared.dtype, default) for declared, default, column in wanted]


def columns_of(dtypes: Sequence[Dtype], rows: Sequence[tuple[Value, ...]]) -> list[_Column]:
    """Return rows of values as `unpack_columns` does."""
    values = zip(*rows, strict=True) if rows else iter([()] * len(dtypes))
    return [_array(dtype, own) for dtype, own in zip(dtypes, values, strict=True)]


def _together(layout: RowLayout, rows: Sequence[bytes]) -> list[_Column] | None:
    """Return the columns of rows that are all there, or nothing where one of them is not as it was written."""
    dtypes = tuple(column.dtype for column in layout.columns)
    shape = row_type(dtypes)
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    if (lengths < shape.itemsize).any():
        return None
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    data = np.frombuffer(b"".join(rows), np.uint8)
    parts = np.empty((len(rows), shape.itemsize), np.uint8)
    sums = np.empty(len(rows), np.uint32)
    checked_parts(data, starts, BODY, layout.seed, STEPS, parts, sums)
    table = parts.view(shape)[:, 0]
    if (table["layout"] != int.from_bytes(layout.fingerprint, "little")).any() or (table["crc"] != sums).any():
        return None
    ends = starts[:-1] + shape.itemsize
    columns: list[_Column] = []
    for place, dtype in enumerate(dtypes):
        stored = table[f"c{place}"]
        if dtype in FORMATS:
            columns.append(stored.astype(np.float64))
            continue
        begins, ends = ends, ends + stored
        if (ends > starts[1:]).any():
            return None
        contents = _contents(data, begins, ends, dtype)
        if contents is None:
            return None
        columns.append(contents)
    if (ends != starts[1:]).any():
        return None
    return columns if _nulled(columns, dtypes, table["nulls"]) else None


def _contents(
    data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], dtype: Dtype
) -> _Column | None:
    """Return the value of each row; those that are stored alike are decoded once, and are one object."""
    codes, firsts = np.empty(len(begins), np.int64), np.empty(len(begins), np.int64)
    there = firsts[: distinct_contents(data, begins, ends, codes, firsts)]
    decode = decoder(dtype)
    try:
        values = [decode(data[a:b].tobytes()) for a, b in zip(begins[there], ends[there], strict=True)]
    except (struct.error, ValueError):
        return None
    return _array(dtype, values)[codes]


def _nulled(columns: Sequence[_Column], dtypes: Sequence[Dtype], nulls: NDArray[np.uint64]) -> bool:
    """Write nulls into the columns; return whether all of them belong to a column."""
    if not nulls.any():
        return True
    for word in range(nulls.shape[1]):
        bits = nulls[:, word]
        some = int(np.bitwise_or.reduce(bits))
        for place in range(word * WORD, min(len(columns), (word + 1) * WORD)):
            bit = 1 << place - word * WORD
            if some & bit:
                columns[place][bits & np.uint64(bit) != 0] = np.nan if dtypes[place] in FORMATS else None
                some ^= bit
        if some:
            return False
    return True


def _placed(column: _Column, held: NDArray[np.bool_], dtype: Dtype, default: Value) -> _Column:
    """Return a column of all rows: that of those `held`, and the default for the others."""
    placed = _array(dtype, [default] * len(held))
    placed[held] = column
    return placed


def _array(dtype: Dtype, values: Sequence[Value]) -> _Column:
    if dtype in FORMATS:
        return np.array(values, np.float64)  # null becomes NaN
    return np.fromiter(values, object, len(values))  # `array` would take lists of one length for a second dimension
