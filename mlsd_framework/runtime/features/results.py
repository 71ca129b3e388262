"""From columns of events to what the kernel takes, and from what it gives to columns of features."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa

from mlsd_framework.runtime.features.compiled import Array
from mlsd_framework.runtime.features.compute import Request, Result, Values
from mlsd_framework.runtime.features.ordering import Ordered, codes_of
from mlsd_framework.runtime.features.polars_types import dtype_of
from mlsd_framework.runtime.features.texts import hashes_of
from mlsd_framework.runtime.features.windows import LISTS, Aggregate, WindowGroup, as_microseconds

Asked: TypeAlias = tuple[str, str | None, int]
"""What is asked of the kernel: a function, a column, a parameter."""

_COMPUTED = {"mean": "sum", "time_since_last": "last", "rate": "count", "ewma": "decayed", "decayed_sum": "decayed"}


def requests_of(events: pl.DataFrame, group: WindowGroup, ordered: Ordered) -> dict[Asked, Request]:
    """Return what the kernel has to compute for a group, each once: a mean is a sum and a number, and so on."""
    prepared: dict[tuple[str, bool], Values] = {}

    def values(name: str, *, as_codes: bool) -> Values:
        if (name, as_codes) not in prepared:
            column = events.get_column(name)
            prepared[name, as_codes] = _as_codes(column, ordered) if as_codes else _as_values(column, ordered)
        return prepared[name, as_codes]

    requests: dict[Asked, Request] = {}
    for one in group.aggregates:
        for asked in _asked(one):
            function, name, parameter = asked
            column = None if name is None else values(name, as_codes=function == "count_distinct")
            hashes = None
            if function == "count_distinct" and parameter and name is not None:
                hashed = hashes_of(events.get_column(name))[ordered.events]
                hashes = Values(hashed, values(name, as_codes=False).valid)
            requests[asked] = Request(function, column, parameter, hashes)
    return requests


def _asked(one: Aggregate) -> tuple[Asked, ...]:
    half_life = as_microseconds(one.half_life) if one.half_life is not None else 0
    first: Asked = (_COMPUTED.get(one.function, one.function), one.value, half_life or one.n or one.exact or 0)
    return (first, ("first", one.value, 0)) if one.function == "rate" else (first,)


def series_of(  # noqa: PLR0911 - one a family of functions, each with what it needs
    one: Aggregate,
    results: Mapping[Asked, Result],
    events: pl.DataFrame,
    ordered: Ordered,
    as_of: pl.Series,
    group: WindowGroup,
) -> list[pl.Series]:
    """Return an aggregate's columns, one a window, in the questions' order."""
    asked = _asked(one)
    result = results[asked[0]]
    windows = range(len(group.windows))
    match one.function:
        case "count" | "count_distinct":
            return [pl.Series(result.out[w]) for w in windows]
        case "time_since_last":
            moments = as_of.fill_null(0).to_numpy()
            return [
                _with_nulls((moments - _taken(ordered.times, result.out[w])) / 1e6, result.out[w] < 0) for w in windows
            ]
        case "rate":
            return _rates(result.out, results[asked[1]].out, ordered, as_of, group)
        case "min" | "max" | "first" | "last":
            column = events.get_column(str(one.value))
            return [_gathered(column, ordered.events, result.out[w]) for w in windows]
        case "std":
            return [pl.Series(result.out[w]).fill_nan(None) for w in windows]
        case "decayed_sum" | "ewma":
            return [pl.Series(result.out[int(one.function == "ewma"), w]).fill_nan(None) for w in windows]
    if result.numbers is None:
        raise AssertionError(one.function)
    if one.function in LISTS:
        column = events.get_column(str(one.value))
        return [_lists(column, ordered.events, result.out[w], result.numbers[w]) for w in windows]
    if one.function == "mean":
        return [_with_nulls(result.out[w] / np.maximum(result.numbers[w], 1), result.numbers[w] == 0) for w in windows]
    return [_with_nulls(result.out[w], result.numbers[w] == 0) for w in windows]


def _rates(counts: Array, firsts: Array, ordered: Ordered, as_of: pl.Series, group: WindowGroup) -> list[pl.Series]:
    ends = as_of.fill_null(0).to_numpy() - as_microseconds(group.delay)
    rates = []
    for window, width in enumerate(group.windows):
        spans = (
            ends - _taken(ordered.times, firsts[window])
            if width is None
            else np.full(len(ends), as_microseconds(width), np.int64)
        )
        seen = counts[window] > 0
        rates.append(pl.Series(np.where(seen, counts[window] / (np.where(seen, spans, 1) * 1e-6), 0.0)))
    return rates


def _lists(column: pl.Series, rows: Array, chosen: Array, numbers: Array) -> pl.Series:
    # `chosen` is [question, place], of which the first `numbers` hold an event.
    held = chosen[np.arange(chosen.shape[1]) < numbers[:, None]]
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    items = column.gather(rows[held] if len(rows) else held).to_arrow()
    if isinstance(items, pa.ChunkedArray):
        items = items.combine_chunks()
    offsets = pa.array(np.concatenate(([0], np.cumsum(numbers))), pa.int64())
    made = pl.from_arrow(pa.LargeListArray.from_arrays(offsets, items))
    if not isinstance(made, pl.Series):
        raise TypeError(type(made))
    return made


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
