"""The definition itself, read word by word in plain Python: the witness that no home shares code with."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.features.dtypes import Value
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup, as_microseconds
from mlsd_framework.runtime.verify.homes.offline import Answers
from mlsd_framework.runtime.verify.sampling import Sample
from mlsd_framework.runtime.verify.values import UNSAID, physical

_BUDGET = 1_000_000  # values looked at: plain Python takes about a second for so many


@dataclass(slots=True)
class _Events:
    """The events of one key in order: their times, when they were written, their values by column."""

    times: list[int] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)


def definition(sample: Sample) -> Answers:
    """Answer from what the group's declaration says; where there is too much to look at, a part of the questions."""
    group = sample.stored.group
    answers: Answers = [None] * len(sample.keys)
    left = _BUDGET
    if isinstance(group, DerivedGroup):
        raise TypeError(group.name)
    if isinstance(group, ColumnGroup):
        rows = _rows_by_key(sample.events, group.entity)
        for at, (key, moment) in enumerate(zip(sample.keys, sample.moments, strict=True)):
            answers[at] = _valid(rows.get(key, []), group, moment)
        return answers
    events = _by_key(sample.events, group)
    nothing = _Events(values={str(one.value): [] for one in group.aggregates if one.value})
    for at in np.random.default_rng(2).permutation(len(answers)).tolist():
        found = events.get(sample.keys[at], nothing) if None not in sample.keys[at] else nothing
        answers[at], looked = _as_of(found, group, sample.moments[at])
        left -= looked
        if left < 0:
            break
    return answers


def _by_key(events: pl.DataFrame, group: WindowGroup) -> dict[tuple[object, ...], _Events]:
    columns = list(dict.fromkeys(str(one.value) for one in group.aggregates if one.value is not None))
    if group.ingest_time is not None and group.allowed_lateness is not None:
        events = events.filter(pl.col(group.ingest_time) - pl.col(group.event_time) <= group.allowed_lateness)
    ordered = physical(events.drop_nulls(group.entity).sort(group.event_time, *group.key, maintain_order=True))
    found: dict[tuple[object, ...], _Events] = {}
    for row in ordered.select(*group.entity, *_others(ordered, group, columns)).iter_rows(named=True):
        key = tuple(row[name] for name in group.entity)
        one = found.setdefault(key, _Events(values={name: [] for name in columns}))
        one.times.append(row[group.event_time])
        one.written.append(row[group.ingest_time or group.event_time])
        for name in columns:
            one.values[name].append(row[name])
    return found


def _others(frame: pl.DataFrame, group: WindowGroup, columns: Sequence[str]) -> list[str]:
    wanted = {group.event_time, *columns, *((group.ingest_time,) if group.ingest_time else ())}
    return [name for name in frame.columns if name in wanted and name not in group.entity]


def _as_of(events: _Events, group: WindowGroup, moment: int) -> tuple[tuple[Value, ...], int]:
    as_of = moment - moment % as_microseconds(group.refresh) if group.refresh else moment
    end = as_of - as_microseconds(group.delay)
    high, looked = bisect_left(events.times, end), 0
    said: list[list[Value]] = []
    for window in group.windows:
        begin = None if window is None else end - as_microseconds(window)
        if begin is not None and group.resolution is not None:
            begin -= begin % as_microseconds(group.resolution)
        low = 0 if begin is None else bisect_left(events.times, begin)
        seen = [at for at in range(low, high) if events.written[at] <= as_of or group.ingest_time is None]
        looked += len(seen) * len(group.aggregates)
        width = None if window is None else as_microseconds(window)
        said.append([_aggregated(one, events, seen, as_of, end, width) for one in group.aggregates])
    return tuple(said[w][a] for a in range(len(group.aggregates)) for w in range(len(group.windows))), looked


def _aggregated(  # noqa: PLR0911 - one a function
    one: Aggregate, events: _Events, seen: Sequence[int], as_of: int, end: int, width: int | None
) -> Value:
    if one.value is not None:
        values = events.values[one.value]
        seen = [at for at in seen if values[at] is not None and values[at] == values[at]]
        kept = [values[at] for at in seen]
    else:
        kept = []
    match one.function:
        case "count":
            return len(seen)
        case "time_since_last":
            return (as_of - events.times[seen[-1]]) / 1e6 if seen else None
        case "rate":
            span = width if width is not None else end - events.times[seen[0]] if seen else 1
            return len(seen) / (span / 1e6)
        case "count_distinct":
            number = len(set(kept))
            return UNSAID if one.exact is not None and number > one.exact else number
        case "last_n":
            return tuple(kept[::-1][: one.n])
        case "top_k":
            counted = sorted(Counter(kept).items(), key=lambda item: (-item[1], item[0]))
            return tuple(value for value, _ in counted[: one.n])
        case "ewma" | "decayed_sum":
            return _decayed(one, [end - events.times[at] for at in seen], kept)
    return _PLAIN[one.function](kept) if kept else None


def _decayed(one: Aggregate, ages: Sequence[int], values: Sequence[float]) -> float | None:
    if not values or one.half_life is None:
        return None
    half = as_microseconds(one.half_life)
    newest = ages[-1]  # weights are taken from the newest, so that old events do not all vanish
    weights = [2.0 ** -((age - newest) / half) for age in ages]
    total = _sum([float(weight * value) for weight, value in zip(weights, values, strict=True)])
    if total is None:
        return None
    return total / math.fsum(weights) if one.function == "ewma" else total * 2.0 ** -(newest / half)


def _sum(values: Sequence[float]) -> float | None:
    if isinstance(values[0], int):
        return sum(values)
    if any(math.isinf(value) for value in values):
        total = sum(values)
        return None if math.isnan(total) else total
    return math.fsum(values)


def _mean(values: Sequence[float]) -> float | None:
    total = _sum(values)
    return None if total is None else total / len(values)


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2 or any(math.isinf(value) for value in values):  # noqa: PLR2004 - one value does not deviate
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


_PLAIN: Mapping[str, Callable[[Sequence[Any]], Value]] = {
    "sum": _sum,
    "mean": _mean,
    "std": _deviation,
    "min": min,
    "max": max,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}


def _rows_by_key(rows: pl.DataFrame, entity: Sequence[str]) -> dict[tuple[object, ...], list[dict[str, Any]]]:
    found: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for row in physical(rows).iter_rows(named=True):
        key = tuple(row[name] for name in entity)
        if None not in key:
            found.setdefault(key, []).append(row)
    return found


def _is_written(row: Mapping[str, Any], group: ColumnGroup, as_of: int) -> bool:
    written = row.get(str(group.ingest_time))
    return group.ingest_time is None or (written is not None and written <= as_of)


def _valid(rows: Sequence[Mapping[str, Any]], group: ColumnGroup, moment: int) -> tuple[Value, ...]:
    """Return the newest row of a table that has begun; nulls where there is none, or where it has ended."""
    as_of = moment - moment % as_microseconds(group.refresh) if group.refresh else moment
    begun = [(row.get(str(group.valid_from)), row) for row in rows]
    known = [(-(2**63) if begin is None else begin, row) for begin, row in begun]
    past = [(begin, row) for begin, row in known if begin <= as_of and _is_written(row, group, as_of)]
    if not past:
        return (None,) * len(group.columns)
    latest = max(begin for begin, _ in past)
    candidates = [row for begin, row in past if begin == latest]
    chosen = max(reversed(candidates), key=lambda row: tuple(row[name] for name in group.key))  # the last of equals
    ended = chosen.get(str(group.valid_to))
    if ended is not None and as_of >= ended:
        return (None,) * len(group.columns)
    return tuple(chosen[name] for name in group.columns)
