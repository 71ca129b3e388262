"""What a group's state holds and computes, as the numbers that the compiled kernel takes.

A record is one event as 64-bit words: its time, the hash of its source key, with `ingest_time` the time when it was
written, what orders events of one time, one word a value, and a mask of the values that are null. A summary is many
events as words: where it begins, its newest and its oldest time, and a partial result for each aggregate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.compiled import Integers
from mlsd_framework.runtime.features.dtypes import Dtype
from mlsd_framework.runtime.features.windows import FUNCTIONS, Aggregate, WindowGroup, as_microseconds, output_columns

INTEGER, FLOAT, TEXT, HASH = range(4)
"""How a word is read: a number, the bits of a double, a place in the state's bytes, a hash of text."""

COUNT, SUM, MEAN, MIN, MAX, STD, FIRST, LAST, LAST_N, DISTINCT, SINCE, RATE, EWMA, DECAYED_SUM, TOP_K = range(
    len(FUNCTIONS)
)
"""The functions by their place in `windows.FUNCTIONS`."""

FUNCTION, COLUMN, PARAMETER, PARTIAL = range(4)
"""The columns of `Program.table`."""

ORDERED = frozenset({"first", "last", "last_n"})
LIFETIME = -1
CELL_HEAD = 3
_MASK_BITS = 63
_FIXED = 2


class Program(NamedTuple):
    """The numbers that describe a group.

    `table` has a row for each aggregate: FUNCTION, COLUMN, PARAMETER, and PARTIAL, where its part of a summary begins.
    `widths` has an entry for each window, `kinds` for each word of a record. `record` and `cell` are the words of a
    record and of a summary, `known` says whether records hold when they were written, `ties` is the first of the words
    that order events of one time, `first` the word of the first value.
    """

    table: Integers
    widths: Integers
    kinds: Integers
    record: int
    cell: int
    known: int
    ties: int
    first: int
    delay: int
    resolution: int


@dataclass(frozen=True, slots=True)
class Words:
    """The columns of the events that a record holds, in order, and how each is read."""

    ties: tuple[str, ...]
    values: tuple[str, ...]
    kinds: tuple[int, ...]


def words_of(group: WindowGroup, dtypes: Mapping[str, Dtype]) -> Words:
    """Return the words of a group's records; `dtypes` are the types of the source's key and of the values."""
    ordered = any(one.function in ORDERED for one in group.aggregates)
    whole = len(group.key) == 1 and dtypes.get(group.key[0]) in ("int64", "bool", "timestamp")
    ties = group.key if ordered and not whole else ()  # the word of a whole number is the hash's word: see `identities`
    values = tuple(dict.fromkeys(one.value for one in group.aggregates if one.value is not None))
    hashed = {name for name in values if all(one.function in _HASHED for one in group.aggregates if one.value == name)}
    kinds = [_kind(dtypes, name, hashed=name in hashed) for name in (*ties, *values)]
    if len(values) > _MASK_BITS:
        raise RunError.of(
            "E6201", f"window group `{group.name}` reads {len(values)} columns", expected=f"at most {_MASK_BITS}"
        )
    return Words(ties, values, tuple(kinds))


_HASHED = frozenset({"count", "count_distinct", "time_since_last", "rate"})


def _kind(dtypes: Mapping[str, Dtype], name: str, *, hashed: bool) -> int:
    if name not in dtypes:
        raise RunError.of(
            "E6202", f"the events do not have the column `{name}`", expected=f"one of: {', '.join(sorted(dtypes))}"
        )
    dtype = dtypes[name]
    if dtype == "string":
        return HASH if hashed else TEXT
    return FLOAT if dtype == "float64" else INTEGER


def program_of(group: WindowGroup, words: Words, dtypes: Mapping[str, Dtype]) -> Program:
    """Compile a group."""
    output_columns(group, {name: dtypes[name] for name in words.values})  # refuses what has no meaning
    known = int(group.ingest_time is not None)
    ties = _FIXED + known
    first = ties + len(words.ties)
    sizes = [_partial_words(one, len(words.ties)) for one in group.aggregates]
    starts = list(accumulate(sizes, initial=CELL_HEAD))
    value_kind = dict(zip(words.values, words.kinds[len(words.ties) :], strict=True))
    kinds = [INTEGER] * ties + list(words.kinds)
    return Program(
        table=np.array(
            [
                (
                    FUNCTIONS.index(one.function),
                    -1 if one.value is None else first + words.values.index(one.value),
                    _parameter(one),
                    start,
                )
                for one, start in zip(group.aggregates, starts, strict=False)
            ],
            np.int64,
        ),
        widths=_array(LIFETIME if width is None else as_microseconds(width) for width in group.windows),
        kinds=_array([*kinds, INTEGER] if value_kind else kinds),
        record=first + len(words.values) + (1 if words.values else 0),
        cell=starts[-1],
        known=known,
        ties=ties,
        first=first,
        delay=as_microseconds(group.delay),
        resolution=as_microseconds(group.resolution) if group.resolution is not None else 0,
    )


def _parameter(one: Aggregate) -> int:
    if one.half_life is not None:
        return as_microseconds(one.half_life)
    return one.n or one.exact or 0


def _partial_words(one: Aggregate, ties: int) -> int:
    match one.function:
        case "count":
            return 1
        case "sum" | "mean":
            return 3
        case "std" | "ewma" | "decayed_sum":
            return 4
        case "first" | "last":
            return 4 + ties
        case "count_distinct":
            return 3
    return 2


def _array(numbers: Iterable[int]) -> Integers:
    return np.fromiter(numbers, np.int64)
