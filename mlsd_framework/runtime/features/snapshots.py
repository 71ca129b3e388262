"""Derived groups as of a moment: each snapshot is made of what was known then, and each question reads the last one."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import MlsdError, RunError
from mlsd_framework.runtime.features.derived import DerivedGroup, Reading, Snapshot
from mlsd_framework.runtime.features.dtypes import Dtype, item_of
from mlsd_framework.runtime.features.offline import floor_time, floored
from mlsd_framework.runtime.features.ordering import by_time, codes_of, held, microseconds, require_columns
from mlsd_framework.runtime.features.polars_types import Frame, dtype_of, polars_dtype
from mlsd_framework.runtime.features.windows import FeatureColumn, as_microseconds

Integers = NDArray[np.int64]
Frames = Mapping[str, Frame]

_ROW = "__row"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def derived_features(frames: Frames, queries: pl.DataFrame, group: DerivedGroup, *, time: str) -> pl.DataFrame:
    """Return the group's columns for every row of `queries`, in the queries' order.

    `frames` has a frame for each source that the group reads; the queries have the entity's columns and the moment
    `time`. Only the snapshots that a query reads are made, one at a time, in order.
    """
    require_columns(queries, [*group.entity, time], "the queries")
    logs = _logs(frames, group)
    moments = floored(microseconds(queries.get_column(time), "the queries"), group.refresh)
    keys = queries.select(group.entity)
    rows, parts, left_out = [], [], Counter[str]()
    for moment, asked in _by_moment(moments):
        made = _snapshot(logs, group, moment) if moment is not None else None
        left_out.update(made.left_out if made is not None else {})
        rows.append(asked)
        parts.append(_looked_up(made.rows if made is not None else None, keys[asked], group))
    _report(group, len(parts), left_out)
    if not parts:
        return _looked_up(None, keys, group)
    return pl.concat(parts)[np.argsort(np.concatenate(rows), kind="stable")]


def current_snapshot(frames: Frames, group: DerivedGroup, as_of: datetime) -> pl.DataFrame:
    """Return the snapshot that a question at one moment (aware) reads, entity columns first."""
    moment = floor_time(as_of, group.refresh)
    made = _snapshot(_logs(frames, group), group, (moment - _EPOCH) // timedelta(microseconds=1))
    _report(group, 1, Counter(made.left_out))
    return made.rows


@dataclass(frozen=True, slots=True)
class _Log:
    """A source's events in order of time: the columns that the function gets, when each happened and was written.

    `again` is, for distinct rows, where the next equal one stands.
    """

    frame: pl.DataFrame
    happened: Integers
    written: Integers | None
    again: Integers | None

    def known(self, moment: int, group: DerivedGroup) -> pl.DataFrame:
        """Return the events that the snapshot at `moment` may see."""
        until = moment - as_microseconds(group.delay)
        end = int(np.searchsorted(self.happened, until))
        begin = 0
        if group.window is not None:
            begin = int(np.searchsorted(self.happened, until - as_microseconds(group.window)))
        if self.written is not None:
            seen = self.frame[begin:end].filter(self.written[begin:end] <= moment)
            return seen if self.again is None else seen.unique(keep="last", maintain_order=True)
        if self.again is None:
            return self.frame[begin:end]
        # The last of equal rows is the one whose next comes after the end: a comparison in place of a hash of all rows.
        return self.frame[begin + np.flatnonzero(self.again[begin:end] >= end)]


def _logs(frames: Frames, group: DerivedGroup) -> dict[str, _Log]:
    return {reading.source: _log(frames[reading.source], reading) for reading in group.readings}


def _log(events: Frame, reading: Reading) -> _Log:
    what = f"the events of `{reading.source}`"
    times = [name for name in (reading.event_time, reading.ingest_time) if name is not None]
    frame = held(events, [*reading.columns, *times, *reading.key], what)
    for name in times:
        if missing := microseconds(frame.get_column(name), what).null_count():
            raise RunError.of(
                "E6203", f"{missing} events of `{reading.source}` have no `{name}`", help="leave them out"
            )
    rows = by_time(frame, frame.get_column(reading.event_time).to_physical().to_numpy(), reading.key)
    ordered = frame if rows is None else frame[rows]
    happened, *written = (ordered.get_column(name).to_physical().to_numpy() for name in times)
    shown = ordered.select(reading.columns)
    return _Log(shown, happened, written[0] if written else None, _again(shown) if reading.distinct else None)


def _again(rows: pl.DataFrame) -> Integers:
    """Return where the next equal row stands, for each row; the end where there is none."""
    following = pl.col(_ROW).shift(-1).over(rows.columns).fill_null(len(rows))
    return rows.with_row_index(_ROW).select(following.cast(pl.Int64)).to_series().to_numpy()


def _by_moment(moments: pl.Series) -> Iterator[tuple[int | None, Integers]]:
    """Yield each moment with the rows that ask for it, in order; none for those without a time."""
    missing = moments.is_null().to_numpy()
    if missing.any():
        yield None, np.flatnonzero(missing)
    rows = np.flatnonzero(~missing)
    asked = moments.fill_null(0).to_numpy()[rows]
    order = np.argsort(asked, kind="stable")
    begins = np.flatnonzero(np.diff(asked[order], prepend=asked[order][:1] - 1)) if len(order) else order
    for part in np.split(order, begins[1:]) if len(order) else ():
        yield int(asked[part[0]]), rows[part]


def _snapshot(logs: Mapping[str, _Log], group: DerivedGroup, moment: int) -> Snapshot:
    """Make one snapshot of what was known at `moment`, and hold it against what the group declares."""
    at = _EPOCH + timedelta(microseconds=moment)
    past = {source: log.known(moment, group) for source, log in logs.items()}
    try:
        made = group.function(past, at, **group.settings)
    except MlsdError:
        raise
    except Exception as fault:
        # Anything can fail in somebody else's function; it is named, and its traceback is kept.
        function = f"{group.function.__module__}:{getattr(group.function, '__qualname__', group.function)}"
        what = f"`{function}` of `features.{group.name}` fails at the snapshot of {at:%Y-%m-%d %H:%M} UTC"
        raise RunError.of("E6207", f"{what}: {type(fault).__name__}: {fault}") from fault
    if not isinstance(made, Snapshot):
        raise _wrong(group, at, f"is a {type(made).__name__}", "a `Snapshot`")
    return Snapshot(_checked(made.rows, group, at), made.left_out)


def _checked(rows: pl.DataFrame, group: DerivedGroup, at: datetime) -> pl.DataFrame:
    names = [*group.entity, *(column.name for column in group.columns)]
    if missing := [name for name in names if name not in rows.columns]:
        raise _wrong(group, at, f"lacks the column `{missing[0]}`", f"the columns {', '.join(names)}")
    keys = rows.select(group.entity)
    if sum(keys.null_count().row(0)) or keys.is_duplicated().any():
        raise _wrong(group, at, "has a key that is null or comes twice", "one row a key")
    columns = [_typed(rows.get_column(column.name), column, group, at) for column in group.columns]
    return keys.hstack(columns)


def _typed(values: pl.Series, column: FeatureColumn, group: DerivedGroup, at: datetime) -> pl.Series:
    if not _fits(values, column.dtype):
        raise _wrong(group, at, f"has `{column.name}` of type {values.dtype}", column.dtype)
    if column.default is not None and values.null_count():
        raise _wrong(group, at, f"has nulls in `{column.name}`", "a value for every key, as it has a default")
    return values.cast(polars_dtype(column.dtype))


def _fits(values: pl.Series, dtype: Dtype) -> bool:
    """Say whether values can be taken as of a type without changing what they are."""
    if values.dtype == pl.Null:
        return True
    item = item_of(dtype)
    if item is not None:
        return isinstance(values.dtype, pl.List) and _fits(values.explode(), item)
    if values.dtype.is_nested():
        return False
    return dtype_of(values) in (dtype, "int64" if dtype == "float64" else dtype)


def _wrong(group: DerivedGroup, at: datetime, what: str, expected: str) -> RunError:
    where = f"the snapshot of `features.{group.name}` at {at:%Y-%m-%d %H:%M} UTC"
    return RunError.of("E6206", f"{where} {what}", expected=expected, help="mend the plugin that computes it")


def _looked_up(rows: pl.DataFrame | None, keys: pl.DataFrame, group: DerivedGroup) -> pl.DataFrame:
    """Return the features of each key: those of its row, or the defaults where it has none."""
    defaults = pl.DataFrame([pl.Series(one.name, [one.default], polars_dtype(one.dtype)) for one in group.columns])
    if rows is None or rows.is_empty():
        return defaults[np.zeros(len(keys), np.int64)]
    known, asked, number = codes_of(rows.select(group.entity), keys)
    row_of = np.full(number + 1, len(rows))  # what no row has gets the row after the last: the defaults
    row_of[known] = np.arange(len(rows))
    return pl.concat([rows.select(defaults.columns), defaults])[row_of[asked]]


def _report(group: DerivedGroup, snapshots: int, left_out: Mapping[str, int]) -> None:
    """Say what the function left out; nothing goes in silence."""
    for what, number in sorted(left_out.items()):
        if number:
            print(f"{group.name}: {number:,} {what} left out in {snapshots:,} snapshots")
