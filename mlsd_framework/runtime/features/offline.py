"""The window kernel's offline home: a group's features of a log of events, as of any moments."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.compiled import Array
from mlsd_framework.runtime.features.compute import Request, Result, Values, evaluate
from mlsd_framework.runtime.features.dtypes import Dtype
from mlsd_framework.runtime.features.ordering import Ordered, codes_of, microseconds, order, require_columns
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup, as_microseconds, output_columns

_TIME = "__time"
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
    query sees only events before its own moment.
    """
    asked = time or group.event_time
    values = [aggregate.value for aggregate in group.aggregates if aggregate.value is not None]
    require_columns(events, [*group.entity, group.event_time, *group.key, *values], "the events")
    require_columns(queries, [*group.entity, asked], "the queries")
    columns = output_columns(group, {name: dtype_of(events.get_column(name)) for name in values})
    as_of = floored(microseconds(queries.get_column(asked), "the queries"), group.refresh)
    ordered = order(events, group.entity, group.event_time, group.key, queries, as_of - as_microseconds(group.delay))
    prepared = _prepared(events, group, ordered)
    requests = list(
        {(_computed(a), a.value): Request(_computed(a), prepared.get(_slot(a))) for a in group.aggregates}.items()
    )
    widths = [_UNTIL if window is None else as_microseconds(window) for window in group.windows]
    results = dict(
        zip(
            (key for key, _ in requests),
            evaluate(ordered, widths, [request for _, request in requests], threads),
            strict=True,
        )
    )
    made: list[pl.Series] = []
    for aggregate in group.aggregates:
        made += _series(aggregate, results[_computed(aggregate), aggregate.value], events, ordered, as_of)
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


def dtype_of(series: pl.Series) -> Dtype:
    """Return the type that features know a polars column by; other types are refused (E6204)."""
    dtype = series.dtype
    if dtype.is_float():
        return "float64"
    if dtype.is_integer():
        return "int64"
    if dtype == pl.Boolean:
        return "bool"
    if dtype == pl.Datetime("us", "UTC"):
        return "timestamp"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "string"
    raise RunError.of(
        "E6204",
        f"the column `{series.name}` has the type {dtype}, which features cannot hold",
        expected='a number, a boolean, a string or Datetime("us", "UTC")',
    )


_POLARS: Mapping[Dtype, pl.DataType] = {
    "float64": pl.Float64(),
    "int64": pl.Int64(),
    "bool": pl.Boolean(),
    "timestamp": pl.Datetime("us", "UTC"),
    "string": pl.String(),
}


def polars_dtype(dtype: Dtype) -> pl.DataType:
    """Return the polars type of a feature's type."""
    return _POLARS[dtype]


def _computed(aggregate: Aggregate) -> str:
    # What the kernel computes for a function: a mean is a sum and a number, a time since an event needs that event.
    return {"mean": "sum", "time_since_last": "last"}.get(aggregate.function, aggregate.function)


def _slot(aggregate: Aggregate) -> tuple[str, bool] | None:
    return None if aggregate.value is None else (aggregate.value, aggregate.function == "count_distinct")


def _prepared(events: pl.DataFrame, group: WindowGroup, ordered: Ordered) -> dict[tuple[str, bool] | None, Values]:
    prepared: dict[tuple[str, bool] | None, Values] = {}
    for aggregate in group.aggregates:
        slot = _slot(aggregate)
        if slot is not None and slot not in prepared:
            column = events.get_column(slot[0])
            prepared[slot] = _as_codes(column, ordered) if slot[1] else _as_values(column, ordered)
    return prepared


def _as_values(column: pl.Series, ordered: Ordered) -> Values:
    dtype = dtype_of(column)
    if dtype == "string":
        column = column.cast(pl.String).rank("dense").cast(pl.Int64)  # order is all that min and max need of a string
    elif dtype == "float64":
        column = column.cast(pl.Float64).fill_nan(None)
    elif dtype == "timestamp":
        column = column.to_physical()
    else:
        column = column.cast(pl.Int64)
    valid = column.is_not_null().to_numpy() if column.null_count() else np.ones(len(column), np.bool_)
    return Values(column.fill_null(0).to_numpy()[ordered.events], valid[ordered.events])


def _as_codes(column: pl.Series, ordered: Ordered) -> Values:
    known = column.fill_nan(None) if column.dtype.is_float() else column
    frame = known.alias("value").to_frame()
    codes, _, _ = codes_of(frame, frame.head(0))
    return Values(codes[ordered.events], np.empty(0, np.bool_))


def _series(
    aggregate: Aggregate, result: Result, events: pl.DataFrame, ordered: Ordered, as_of: pl.Series
) -> list[pl.Series]:
    windows = range(len(result.out))
    match aggregate.function:
        case "count" | "count_distinct":
            return [pl.Series(result.out[w]) for w in windows]
        case "time_since_last":
            asked = as_of.fill_null(0).to_numpy()
            return [
                _with_nulls((asked - _taken(ordered.times, result.out[w])) / 1e6, result.out[w] < 0) for w in windows
            ]
        case "min" | "max" | "first" | "last":
            column = events.get_column(str(aggregate.value))
            return [_gathered(column, ordered.events, result.out[w]) for w in windows]
        case "std":
            return [pl.Series(result.out[w]).fill_nan(None) for w in windows]
    if result.numbers is None:
        raise AssertionError(aggregate.function)
    if aggregate.function == "mean":
        return [_with_nulls(result.out[w] / np.maximum(result.numbers[w], 1), result.numbers[w] == 0) for w in windows]
    return [_with_nulls(result.out[w], result.numbers[w] == 0) for w in windows]


def _taken(values: Array, events: Array) -> Array:
    return values[np.maximum(events, 0)] if len(values) else np.zeros(len(events), values.dtype)


def _gathered(column: pl.Series, rows: Array, events: Array) -> pl.Series:
    # -1 becomes null; a gather by a null position is null.
    return column.gather(_with_nulls(_taken(rows, events), events < 0))


def _with_nulls(values: Array, missing: Array) -> pl.Series:
    series = pl.Series("value", values)
    if series.dtype.is_float():
        series = series.fill_nan(None)
    if not missing.any():
        return series
    return pl.select(pl.when(pl.lit(pl.Series(~missing))).then(pl.lit(series)).alias("value")).to_series()
