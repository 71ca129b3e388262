"""Every feature was exercised: how many questions met each case, and why a case cannot be met where it cannot."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.features.windows import WindowGroup, as_microseconds
from mlsd_framework.runtime.verify.sampling import CASE, Sample
from mlsd_framework.runtime.verify.subject import Expressions


@dataclass(slots=True)
class FeatureCoverage:
    """How many questions met each case for one feature; `excused` says why a case cannot be met."""

    feature: str
    cases: dict[str, int] = field(default_factory=dict)
    excused: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """The cases that could be met and were not."""
        return [case for case, number in self.cases.items() if not number and case not in self.excused]


@dataclass(slots=True)
class _Key:
    """The events of one key in order, and before each how many values of each column were null."""

    times: list[int] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    nulls: dict[str, list[int]] = field(default_factory=dict)


def coverage_of(sample: Sample) -> list[FeatureCoverage]:
    """Count the cases of every feature of a group."""
    group = sample.stored.group
    match group:
        case ColumnGroup():
            found = _of_table(sample, group)
        case DerivedGroup():
            before = (sample.questions.get_column(CASE) == "at a materialisation").sum()
            found = [FeatureCoverage(f"{group.name}.{one.name}", {"moments": int(before)}) for one in group.columns]
        case _:
            found = _of_windows(sample, group)
    cases = sample.questions.get_column(CASE)
    strangers, keyless = int((cases == "unseen key").sum()), int((cases == "null key").sum())
    for one in found:
        one.cases |= {"unseen key": strangers, "null key": keyless}
        if not strangers:
            one.excused["unseen key"] = "every value that its key can have is in the log"
    return found


def coverage_of_expressions(expressions: Expressions, nulls: Mapping[str, int], rows: int) -> list[FeatureCoverage]:
    """Count the cases of what a request computes: rows at the edges of its inputs, and inputs that are null."""
    nullable = [name for name, may in expressions.inputs.items() if may]
    met = min((nulls.get(name, 0) for name in nullable), default=0)
    excused = {} if nullable else {"null value": "none of its inputs can be null"}
    return [
        FeatureCoverage(name, {"null value": met, "edges of inputs": rows}, dict(excused))
        for name in expressions.outputs
    ]


def _of_windows(sample: Sample, group: WindowGroup) -> list[FeatureCoverage]:
    columns = list(dict.fromkeys(str(one.value) for one in group.aggregates if one.value is not None))
    keys = _by_key(sample.events, group, columns)
    windows = [_WindowCases(group, width) for width in group.windows]
    asked = [(keys[key], moment) for key, moment in zip(sample.keys, sample.moments, strict=True) if key in keys]
    for key, moment in asked:
        for window in windows:
            window.count(key, moment, columns)
    features = iter(sample.stored.features)
    found = []
    for one in group.aggregates:
        for window in windows:
            made = FeatureCoverage(f"{group.name}.{next(features)}", dict(window.cases), dict(window.excused))
            made.cases["null value"] = window.nulls.get(str(one.value), 0)
            if one.value is None:
                made.excused["null value"] = "it reads no value"
            elif not made.cases["null value"] and not _may_be_null(one.value, sample, keys):
                made.excused["null value"] = f"`{one.value}` is never null"
            found.append(made)
    return found


class _WindowCases:
    """The cases of one window of a group."""

    def __init__(self, group: WindowGroup, width: object) -> None:
        self._width = None if width is None else as_microseconds(width)  # type: ignore[arg-type] # a length of time
        self._refresh = as_microseconds(group.refresh) if group.refresh else 1
        self._delay = as_microseconds(group.delay)
        self._resolution = as_microseconds(group.resolution) if group.resolution else 1
        self._late = group.ingest_time is not None
        self.nulls: dict[str, int] = {}
        self.excused: dict[str, str] = {}
        self.cases = dict.fromkeys(("empty window", "tie", "inside the edge", "outside the edge"), 0)
        if self._width is None:
            self.excused = dict.fromkeys(("inside the edge", "outside the edge"), "a lifetime has no edge")
        if self._late:
            self.cases["written later"] = 0
            if group.allowed_lateness is not None and group.delay >= group.allowed_lateness:
                self.excused["written later"] = "its delay is longer than any row that counts is late"

    def count(self, key: _Key, moment: int, columns: Sequence[str]) -> None:
        """Count what a question about a known key meets."""
        as_of = moment - moment % self._refresh
        end = as_of - self._delay
        high = bisect_left(key.times, end)
        low = 0
        if self._width is not None:
            begin = end - self._width
            begin -= begin % self._resolution
            low = bisect_left(key.times, begin)
            # With a resolution the edge is a tile: the first that belongs to the window, and the last that does not.
            self.cases["inside the edge"] += low < high and key.times[low] - begin < self._resolution
            self.cases["outside the edge"] += low > 0 and begin - key.times[low - 1] <= self._resolution
        self.cases["empty window"] += low == high
        self.cases["tie"] += high < len(key.times) and key.times[high] == end
        if self._late:
            self.cases["written later"] += any(key.written[at] > as_of for at in range(low, high))
        for name in columns:
            if key.nulls[name][high] > key.nulls[name][low]:
                self.nulls[name] = self.nulls.get(name, 0) + 1


def _by_key(events: pl.DataFrame, group: WindowGroup, columns: Sequence[str]) -> dict[tuple[object, ...], _Key]:
    known = events.drop_nulls(group.entity).sort(group.event_time, maintain_order=True)
    picked = known.select(
        pl.col(group.event_time).to_physical().alias("__time"),
        pl.col(group.ingest_time or group.event_time).to_physical().alias("__written"),
        *(pl.col(name).is_null().alias(f"__null_{at}") for at, name in enumerate(columns)),
    )
    found: dict[tuple[object, ...], _Key] = {}
    for key, (time, written, *nulls) in zip(known.select(group.entity).rows(), picked.iter_rows(), strict=True):
        one = found.setdefault(key, _Key(nulls={name: [0] for name in columns}))
        one.times.append(time)
        one.written.append(written)
        for name, is_null in zip(columns, nulls, strict=True):
            one.nulls[name].append(one.nulls[name][-1] + is_null)
    return found


def _may_be_null(name: str, sample: Sample, keys: Mapping[tuple[object, ...], _Key]) -> bool:
    column = next((one for one in sample.log.table.columns if one.name == name), None)
    return column.nullable if column else any(key.nulls[name][-1] for key in keys.values())


def _of_table(sample: Sample, group: ColumnGroup) -> list[FeatureCoverage]:
    table = sample.log.table
    moments = sample.moments
    begins = _times(sample.events, group.valid_from)
    ends = _times(sample.events, group.valid_to)
    excuse = "its rows are always valid"
    found = []
    for name in group.columns:
        cases = {
            "null value": sample.events.get_column(name).null_count(),
            "tie": sum(moment in begins for moment in moments),
            "outside the edge": sum(moment + 1 in begins or moment in ends for moment in moments),
        }
        one = FeatureCoverage(f"{group.name}.{name}", cases)
        if group.valid_from is None:
            one.excused = {"tie": excuse, "outside the edge": excuse}
        if not _nullable(table, name):
            one.excused["null value"] = f"`{name}` is never null"
        elif not cases["null value"]:
            one.excused["null value"] = f"`{name}` has no null among the rows of the table that were drawn"
        found.append(one)
    return found


def _nullable(table: SourceTable, name: str) -> bool:
    return any(column.nullable for column in table.columns if column.name == name)


def _times(rows: pl.DataFrame, name: str | None) -> frozenset[int]:
    return frozenset(rows.get_column(name).drop_nulls().to_physical().to_list()) if name else frozenset()
