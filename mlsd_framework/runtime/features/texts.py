"""Columns of frames as words: texts by their bytes, whole numbers as they are, and the hashes of both."""

import numpy as np
import polars as pl
import pyarrow as pa

from mlsd_framework.runtime.features.compiled import Array, Integers
from mlsd_framework.runtime.features.sketch import hash_texts, hash_words


def hashes_of(column: pl.Series) -> Integers:
    """Return a 64-bit hash of each value: the same for equal values, in every home; of a null, anything."""
    if is_whole(column):
        return hash_words(integers_of(column))
    if column.dtype.is_float():
        numbers = column.cast(pl.Float64).fill_null(0.0).to_numpy() + 0.0  # -0.0 is 0.0
        return hash_words(numbers.view(np.int64))
    return hash_texts(*bytes_of(column))


def bytes_of(column: pl.Series) -> tuple[Array, Integers, Integers]:
    """Return the bytes of a column of texts, and where each text begins and ends."""
    array = column.cast(pl.String).fill_null("").to_arrow().cast(pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    _, places, data = array.buffers()
    at = np.frombuffer(places, np.int64, len(array) + 1, array.offset * 8)
    content = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return content, at[:-1].copy(), at[1:].copy()


def is_whole(column: pl.Series) -> bool:
    """Say whether a column's values are whole numbers: integers, booleans, times."""
    return column.dtype.is_integer() or column.dtype == pl.Boolean or column.dtype.is_temporal()


def integers_of(column: pl.Series) -> Integers:
    """Return a column of whole numbers as int64, null as 0."""
    if column.dtype.is_temporal():
        column = column.to_physical()
    return column.cast(pl.Int64).fill_null(0).to_numpy().copy()
