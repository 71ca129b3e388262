"""The point-in-time join on polars: which row of a source an entity knew at a moment.

Only keys and times are joined; the values of the rows that were found are gathered afterwards, so that a wide source
costs no more than what is asked of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from mlsd_framework.diagnostics.errors import RunError

_AT, _CREATED, _ROW, _ASKED = "__at", "__created", "__row", "__asked"
_MICRO = pl.Datetime("us", "UTC")
_NANO = pl.Datetime("ns", "UTC")


@dataclass(frozen=True, slots=True)
class Moments:
    """The columns of a source that say when: the event's time, and where known the time of its creation."""

    event: str
    created: str | None = None


def known_rows(
    source: pl.DataFrame,
    asked: pl.DataFrame,
    keys: Sequence[str],
    moments: Moments,
    time: str,
    *,
    ttl: timedelta | None = None,
    created_by_then: bool = False,
) -> pl.Series:
    """Return for every row of `asked` the number of the row of `source` that it sees at its `time`, null for none.

    That is the newest of its key's rows that are not after `time` nor more than `ttl` before it: by the event's time,
    of those at one time the one created last (one that says no creation first), of those the last in the source. A null
    in a key or a time matches nothing. With `created_by_then` only rows count that were created by then, or say nothing
    of it. Both frames have the columns `keys`; times are Datetimes in UTC, in micro- or nanoseconds.
    """
    unit = _NANO if _NANO in (source.schema[moments.event], asked.schema[time]) else _MICRO
    left = (
        asked.select(*keys, pl.col(time).cast(unit).alias(_AT))
        .with_row_index(_ASKED)
        .drop_nulls()
        .pipe(_in_order, [_AT])
    )
    joined = _joined(left, _versions(source, keys, moments, unit, created_by_then=created_by_then), keys)
    if ttl:
        event = source.get_column(moments.event).gather(joined.get_column(_ROW)).cast(unit)
        alive = event >= joined.get_column(_AT) - ttl
        joined = joined.with_columns(pl.when(alive).then(pl.col(_ROW)).alias(_ROW))
    if len(joined) == len(asked):
        return joined.sort(_ASKED).get_column(_ROW)
    every = pl.select(pl.int_range(len(asked), dtype=pl.UInt32).alias(_ASKED))
    return every.join(joined.select(_ASKED, _ROW), on=_ASKED, how="left", maintain_order="left").get_column(_ROW)


def latest_rows(source: pl.DataFrame, keys: Sequence[str], moments: Moments) -> pl.DataFrame:
    """Return the newest row of each key: by event, then creation, then the order of the source."""
    order = [moments.event, *([moments.created] if moments.created else [])]
    return source.sort(order, nulls_last=False, maintain_order=True).unique(keys, keep="last", maintain_order=True)


def in_utc(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column of times in UTC, in micro- or nanoseconds; times without a zone and dates are in UTC.

    Raises RunError for a column of another type (E6203).
    """
    read = pl.col(column)
    if isinstance(dtype, pl.Datetime):
        read = read.dt.cast_time_unit("ns" if dtype.time_unit == "ns" else "us")
        return read.dt.replace_time_zone("UTC") if dtype.time_zone is None else read.dt.convert_time_zone("UTC")
    if dtype == pl.Date:
        return read.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if dtype == pl.String:
        return read.str.to_datetime(time_unit="us", time_zone="UTC")
    if dtype == pl.Null:
        return read.cast(_MICRO)
    raise RunError.of("E6203", f"the column `{column}` has the type {dtype}", expected="times")


def _versions(
    source: pl.DataFrame, keys: Sequence[str], moments: Moments, unit: pl.DataType, *, created_by_then: bool
) -> pl.DataFrame:
    # The rows in the order of time; of equal ones the last is the one that wins.
    event = pl.col(moments.event).cast(unit).alias(_AT)
    if moments.created is None:
        return _in_order(source.select(*keys, event).with_row_index(_ROW).drop_nulls(), [_AT])
    rows = source.select(*keys, event, pl.col(moments.created).cast(unit).alias(_CREATED)).with_row_index(_ROW)
    ordered = _in_order(rows.drop_nulls([*keys, _AT]), [_AT, _CREATED])
    return _visible(ordered, keys) if created_by_then else ordered.drop(_CREATED)


def _visible(ordered: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    # A row is seen from its event or its creation on, whichever is later; from then on the newest seen so far is.
    seen = ordered.with_row_index("__rank").with_columns(pl.max_horizontal(_AT, _CREATED).alias(_AT))
    newest = seen.sort(_AT, "__rank").with_columns(pl.col("__rank").cum_max().over(keys))
    return newest.with_columns(ordered.get_column(_ROW).gather(newest.get_column("__rank")).alias(_ROW)).select(
        *keys, _AT, _ROW
    )


def _joined(left: pl.DataFrame, right: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    return left.join_asof(right, on=_AT, by=list(keys) or None, strategy="backward", check_sortedness=False)


def _in_order(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    # A log is mostly in the order of time already, which costs less to see than to sort.
    if len(columns) == 1 and frame.get_column(columns[0]).is_sorted():
        return frame
    return frame.sort(columns, nulls_last=False, maintain_order=True)
