"""From frames of events to the words of records, grouped by key."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.compiled import Array, Integers
from mlsd_framework.runtime.features.keys import encode_keys
from mlsd_framework.runtime.features.ordering import microseconds, require_columns
from mlsd_framework.runtime.features.sketch import combine
from mlsd_framework.runtime.features.texts import bytes_of, hashes_of, integers_of, is_whole
from mlsd_framework.runtime.features.windows import WindowGroup
from mlsd_framework.runtime.state.program import FLOAT, HASH, TEXT, Program, Words

_ROW = "__row"


def encoded(
    frame: pl.DataFrame, group: WindowGroup, words: Words, program: Program
) -> tuple[list[bytes], Integers, Integers, Array]:
    """Return keys, where the records of each begin (one more than keys), the records as columns, and their texts.

    Events without a key are left out, and those whose source key came before in the frame.
    """
    require_columns(frame, [*group.entity, group.event_time, *group.key, *words.values], "the events")
    identity = identities(frame, group.key)
    if len(np.unique(identity)) < len(identity):
        first = pl.Series(identity).is_first_distinct()
        frame, identity = frame.filter(first), identity[first.to_numpy()]
    rows = (
        frame.select(group.entity).with_row_index(_ROW).drop_nulls().group_by(group.entity, maintain_order=True)
        .agg(pl.col(_ROW))
    )  # fmt: skip
    offsets = np.concatenate(([0], np.cumsum(rows.get_column(_ROW).list.len().to_numpy()))).astype(np.int64)
    taken = rows.get_column(_ROW).explode(empty_as_null=False).to_numpy().astype(np.int64)
    table = np.empty((program.record, len(taken)), np.int64)
    table[0] = _times(frame, group.event_time)[taken]
    table[1] = identity[taken]
    if group.ingest_time is not None:
        table[2] = _times(frame, group.ingest_time)[taken]
    texts = _Texts()
    for at, (name, kind) in enumerate(zip((*words.ties, *words.values), words.kinds, strict=True), program.ties):
        table[at] = _words(frame.get_column(name), kind, texts)[taken]
    if words.values:
        table[-1] = _nulls(frame, words.values)[taken]
    return encode_keys(rows.select(group.entity)), offsets, table, texts.joined()  # type: ignore[return-value] # no key is null


def identities(frame: pl.DataFrame, key: Sequence[str]) -> Integers:
    """Return for each row the word by which its source key is known again: a whole number itself, else a hash."""
    if not key:
        raise RunError.of("E6202", "live events have no key to be known by", expected="a `key` of their source")
    if len(key) == 1 and is_whole(frame.get_column(key[0])):
        return integers_of(frame.get_column(key[0]))
    hashed = np.zeros(frame.height, np.int64)
    for name in key:
        column = frame.get_column(name)
        hashed = combine(hashed, integers_of(column) if is_whole(column) else hashes_of(column))
    return hashed


class _Texts:
    """The bytes of all text columns, one after another."""

    def __init__(self) -> None:
        self._parts: list[Array] = []
        self._size = 0

    def add(self, column: pl.Series) -> Integers:
        """Take a column's texts; return their places."""
        data, starts, stops = bytes_of(column)
        words = ((starts + self._size) << 32) | (stops - starts)
        self._parts.append(data)
        self._size += len(data)
        return words

    def joined(self) -> Array:
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.uint8)


def _words(column: pl.Series, kind: int, texts: _Texts) -> Integers:
    if kind == TEXT:
        return texts.add(column)
    if kind == HASH:
        return hashes_of(column)
    if kind == FLOAT:
        return column.cast(pl.Float64).fill_null(0.0).to_numpy().astype(np.float64, copy=True).view(np.int64)
    return integers_of(column)


def _nulls(frame: pl.DataFrame, names: Sequence[str]) -> Integers:
    mask = np.zeros(frame.height, np.int64)
    for place, name in enumerate(names):
        column = frame.get_column(name)
        missing = column.is_null()
        if column.dtype.is_float():
            missing |= column.is_nan().fill_null(value=False)
        mask |= missing.to_numpy().astype(np.int64) << place
    return mask


def _times(frame: pl.DataFrame, name: str) -> Integers:
    times = microseconds(frame.get_column(name), "the events")
    if times.null_count():
        raise RunError.of(
            "E6203", f"{times.null_count()} events have no `{name}`", help="leave them out or give them a time"
        )
    return times.to_numpy()
