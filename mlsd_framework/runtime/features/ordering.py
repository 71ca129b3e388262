"""From frames to the kernel's order.

Times as microseconds, keys as codes, events by (key, time, tie), questions by (key, as_of).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.kernel import group_by_code
from mlsd_framework.runtime.features.polars_types import Frame

Integers = NDArray[np.int64]

_CODE = "__code"
_ROOM = 4  # a table by value is worth it up to this many times the number of rows


@dataclass(frozen=True, slots=True)
class Ordered:
    """Events and questions as the kernel wants them.

    `events` are the events' rows in order, `times` their times, `events_at` the keys' offsets; `asks`, `ends` and
    `asks_at` the same of the questions. The last key stands for every key that has no event: it has questions only.
    """

    events: Integers
    times: Integers
    events_at: Integers
    asks: Integers
    ends: Integers
    asks_at: Integers


def require_columns(frame: Frame, names: Sequence[str], what: str) -> None:
    """Refuse a frame that lacks a column (E6202)."""
    known = frame.collect_schema().names()
    missing = [name for name in names if name not in known]
    if missing:
        raise RunError.of("E6202", f"{what} lack the column `{missing[0]}`", expected=f"one of: {', '.join(known)}")


def held(frame: Frame, names: Sequence[str], what: str) -> pl.DataFrame:
    """Return columns of a frame in memory; a frame that lacks one is refused (E6202)."""
    require_columns(frame, names, what)
    return frame.lazy().select(*dict.fromkeys(names)).collect()


def microseconds(times: pl.Series, what: str) -> pl.Series:
    """Return UTC times as int64 microseconds, nulls kept; any other type is refused (E6203)."""
    if times.dtype != pl.Datetime("us", "UTC"):
        raise RunError.of(
            "E6203", f"the column `{times.name}` of {what} has the type {times.dtype}", expected='Datetime("us", "UTC")'
        )
    return times.to_physical()


def order(
    events: pl.DataFrame, keys: Sequence[str], time: str, ties: Sequence[str], questions: pl.DataFrame, ends: pl.Series
) -> Ordered:
    """Order events by (key, time, ties, row) and questions, which ask at `ends` (int64), by (key, end).

    Events without a key are left out.
    """
    times = microseconds(events.get_column(time), "the events")
    if times.null_count():
        raise RunError.of(
            "E6203", f"{times.null_count()} events have no `{time}`", help="leave them out or give them a time"
        )
    event_codes, ask_codes, number = codes_of(events.select(keys), questions.select(keys))
    stamps = times.to_numpy()
    events_at, rows = _grouped(event_codes, number, by_time(events, stamps, ties))
    asked = ends.fill_null(0).to_numpy()
    seen = np.where((ask_codes >= 0) & ends.is_not_null().to_numpy(), ask_codes, number)
    asks_at, asks = _grouped(seen, number + 1, _increasing(asked))
    return Ordered(rows, stamps[rows], np.append(events_at, events_at[-1]), asks, asked[asks], asks_at)


def codes_of(events: pl.DataFrame, questions: pl.DataFrame) -> tuple[Integers, Integers, int]:
    """Number the events' keys from 0.

    Return the codes of events and of questions (-1: null or unseen) and how many there are.
    """
    for name in events.columns:
        ours, theirs = events.schema[name], questions.schema[name]
        if ours != theirs and not (ours.is_integer() and theirs.is_integer()) and pl.Null not in (ours, theirs):
            raise RunError.of(
                "E6203",
                f"the key `{name}` is {ours} in the events and {theirs} in the questions",
                expected="one type in both",
            )
    integers = [pl.col(name).cast(pl.Int64) for name, dtype in events.schema.items() if dtype.is_integer()]
    events, questions = (
        events.with_columns(integers),
        questions.with_columns(pl.col(e.meta.output_name()).cast(pl.Int64) for e in integers),
    )
    if len(integers) == len(events.columns) == 1:
        compact = _compact_codes(events.to_series(), questions.to_series())
        if compact is not None:
            return compact
    table = (
        events.unique(maintain_order=True).drop_nulls().with_row_index(_CODE).with_columns(pl.col(_CODE).cast(pl.Int64))
    )
    return _looked_up(events, table), _looked_up(questions, table), len(table)


def _looked_up(keys: pl.DataFrame, table: pl.DataFrame) -> Integers:
    keys = keys.with_columns(
        pl.col(name).cast(dtype)
        for name, dtype in table.schema.items()
        if name != _CODE and keys.schema[name] == pl.Null
    )
    return (
        keys.join(table, on=keys.columns, how="left", maintain_order="left").get_column(_CODE).fill_null(-1).to_numpy()
    )


def _compact_codes(events: pl.Series, questions: pl.Series) -> tuple[Integers, Integers, int] | None:
    # Integers close together are their own codes; keys without an event cost an empty slot each.
    low, high = events.min(), events.max()
    if not isinstance(low, int) or not isinstance(high, int) or high - low >= _ROOM * (len(events) + len(questions)):
        return None
    number = high - low + 1

    def codes(keys: pl.Series) -> Integers:
        inside = keys.is_between(low, high).fill_null(value=False).to_numpy()
        filled = keys.fill_null(low).to_numpy()
        return filled - low if inside.all() else np.where(inside, filled, low - 1) - low

    return codes(events), codes(questions), number


def by_time(frame: pl.DataFrame, stamps: Integers, ties: Sequence[str]) -> Integers | None:
    """Return the rows in order of time, those of one time by the columns `ties` and then by row.

    None where they are in that order.
    """
    rows = _increasing(stamps)
    if not ties:
        return rows
    stamps = stamps if rows is None else stamps[rows]
    same = stamps[1:] == stamps[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    if not len(tied):
        return rows
    rows = np.arange(len(stamps)) if rows is None else rows.copy()
    few = frame.select(ties)[rows[tied]].with_columns(pl.Series(_CODE, stamps[tied]))
    ranks = few.select(pl.arg_sort_by(_CODE, *ties, maintain_order=True)).to_series().to_numpy()
    rows[tied] = rows[tied[ranks]]  # runs of one time stay where they are, in the order of the ties
    return rows


def _increasing(stamps: Integers) -> Integers | None:
    if np.all(stamps[1:] >= stamps[:-1]):
        return None
    return (
        pl.Series(stamps)
        .to_frame("t")
        .select(pl.arg_sort_by("t", maintain_order=True))
        .to_series()
        .cast(pl.Int64)
        .to_numpy()
    )


def _grouped(codes: Integers, number: int, rows: Integers | None) -> tuple[Integers, Integers]:
    if rows is None:
        at, positions = group_by_code(codes, number)
        return at, positions
    at, positions = group_by_code(codes[rows], number)
    return at, rows[positions]
