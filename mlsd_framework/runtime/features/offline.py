"""The window kernel's offline home: a group's features of a log of events, as of any moments."""

from datetime import UTC, datetime, timedelta

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.compute import evaluate
from mlsd_framework.runtime.features.ordering import Ordered, microseconds, order, require_columns
from mlsd_framework.runtime.features.polars_types import dtype_of, polars_dtype
from mlsd_framework.runtime.features.results import requests_of, series_of
from mlsd_framework.runtime.features.visibility import as_written
from mlsd_framework.runtime.features.windows import WindowGroup, as_microseconds, output_columns

_TIME, _ROW = "__time", "__row"
_UNTIL = -1  # a lifetime window has no width
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window_features(
    events: pl.DataFrame,
    queries: pl.DataFrame,
    group: WindowGroup,
    *,
    time: str | None = None,
    threads: int | None = None,
) -> pl.DataFrame:
    """Compute the group's columns for every row of `queries`.

    The queries have the entity's columns and the moment `time`, by default named as the events' time.

    Returns only the feature columns, one row a query in the queries' order: `queries.hstack(...)` puts them side by
    side. A key that is null or has no event, and a query without a time, have the values of an empty window. Each
    query sees only events before its own moment, and where the group has an `ingest_time` only those written by then.
    Of events with one source key the first that was written counts.
    """
    asked = time or group.event_time
    values = [aggregate.value for aggregate in group.aggregates if aggregate.value is not None]
    written = [group.ingest_time] if group.ingest_time is not None else []
    require_columns(events, [*group.entity, group.event_time, *written, *group.key, *values], "the events")
    require_columns(queries, [*group.entity, asked], "the queries")
    columns = output_columns(group, {name: dtype_of(events.get_column(name)) for name in values})
    events = counted_once(in_time(events, group), group)
    as_of = floored(microseconds(queries.get_column(asked), "the queries"), group.refresh)
    ordered = order(events, group.entity, group.event_time, group.key, queries, as_of - as_microseconds(group.delay))
    if group.ingest_time is not None:
        ordered = _as_written(events, group, group.ingest_time, ordered, as_of)
    requests = requests_of(events, group, ordered)
    widths = [_UNTIL if window is None else as_microseconds(window) for window in group.windows]
    resolution = as_microseconds(group.resolution) if group.resolution is not None else 0
    found = evaluate(ordered, widths, list(requests.values()), resolution=resolution, threads=threads)
    results = dict(zip(requests, found, strict=True))
    made: list[pl.Series] = []
    for aggregate in group.aggregates:
        made += series_of(aggregate, results, events, ordered, as_of, group)
    return pl.DataFrame(
        [
            series.alias(column.name).cast(polars_dtype(column.dtype))
            for series, column in zip(made, columns, strict=True)
        ]
    )


def materialise(
    events: pl.DataFrame, group: WindowGroup, as_of: datetime, *, threads: int | None = None
) -> pl.DataFrame:
    """Compute the group as of one moment (aware).

    One row for every key with an event visible by then, entity columns first, in order of appearance.
    """
    moment = floor_time(as_of, group.refresh)
    require_columns(events, [*group.entity, group.event_time], "the events")
    seen = events.filter(pl.col(group.event_time) < moment - group.delay)
    keys = seen.select(group.entity).drop_nulls().unique(maintain_order=True)
    asked = keys.with_columns(pl.lit(moment).cast(pl.Datetime("us", "UTC")).alias(_TIME))
    return keys.hstack(window_features(seen, asked, group, time=_TIME, threads=threads))


def floor_time(moment: datetime, refresh: timedelta | None) -> datetime:
    """Return the moment as of which a value seen at `moment` was computed."""
    if moment.tzinfo is None:
        raise RunError.of(
            "E6203", f"the moment {moment} has no time zone", expected="an aware time, such as one in UTC"
        )
    return moment if refresh is None else moment - (moment - _EPOCH) % refresh


def floored(times: pl.Series, refresh: timedelta | None) -> pl.Series:
    """Floor int64 microseconds to the moments as of which values seen then were computed."""
    return times if refresh is None else times - times % as_microseconds(refresh)


def counted_once(events: pl.DataFrame, group: WindowGroup) -> pl.DataFrame:
    """Return the events with each source key once: the row that was written first, or that is first in the log."""
    keys = events.select(group.key)
    if not group.key or keys.n_unique() == events.height:
        return events
    rows = keys.with_row_index(_ROW)
    if group.ingest_time is not None:
        rows = rows.with_columns(events.get_column(group.ingest_time).alias(_TIME)).sort(_TIME, maintain_order=True)
    first = rows.unique(group.key, keep="first", maintain_order=True).get_column(_ROW).sort()
    return events[first]


def in_time(events: pl.DataFrame, group: WindowGroup) -> pl.DataFrame:
    """Return the events that were written within the group's allowed lateness: all, where it has none."""
    if group.ingest_time is None or group.allowed_lateness is None:
        return events
    return events.filter(pl.col(group.ingest_time) - pl.col(group.event_time) <= group.allowed_lateness)


def _as_written(
    events: pl.DataFrame, group: WindowGroup, ingest_time: str, ordered: Ordered, as_of: pl.Series
) -> Ordered:
    written = microseconds(events.get_column(ingest_time), "the events").to_numpy()[ordered.events]
    known = as_of.fill_null(0).to_numpy()[ordered.asks]
    longest = -1
    if None not in group.windows:
        slack = group.resolution or timedelta(0)
        longest = as_microseconds(max(window for window in group.windows if window is not None) + slack)
    return as_written(ordered, written, known, longest)
