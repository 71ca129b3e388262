"""Rows that no log may happen to have: at the edges of windows, at one time, written late, with nulls."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from mlsd_framework.runtime.features.windows import WindowGroup, as_microseconds
from mlsd_framework.runtime.verify.subject import Log

UTC = pl.Datetime("us", "UTC")
_LATE = timedelta(hours=3)


def copies(rows: pl.DataFrame, log: Log, taken: Sequence[int], times: Sequence[int]) -> pl.DataFrame:
    """Return copies of rows at other times; they were written as late as what they copy."""
    copied, time = rows[list(taken)], str(log.table.event_time)
    moved = pl.Series(time, times, pl.Int64).cast(UTC)
    shifted = (
        [] if log.ingest_time is None else [(pl.col(log.ingest_time) - pl.col(time) + moved).alias(log.ingest_time)]
    )
    return copied.with_columns(shifted).with_columns(moved)


def with_own_keys(made: pl.DataFrame, log: Log) -> pl.DataFrame:
    """Return made rows with source keys that the log does not have: without one they would be duplicates."""
    fresh = next((name for name in log.table.key if name in made.columns and is_countable(made.schema[name])), None)
    return made if fresh is None else made.with_columns(new_values(log.rows.get_column(fresh), made.height))


def ordinary(rows: pl.DataFrame, log: Log, group: WindowGroup, draw: np.random.Generator) -> pl.DataFrame:
    """Return rows to add to a sample: at one time with another row, with nulls, and written late."""
    if not rows.height:
        return rows
    stamps = rows.get_column(group.event_time).to_physical().to_numpy()
    taken = draw.choice(rows.height, min(24, rows.height), replace=False)
    tied = copies(rows, log, taken.tolist(), stamps[taken].tolist())
    fixed = {*group.entity, *log.table.key, group.event_time, log.ingest_time}
    empty = [
        one.name for one in log.table.columns if one.nullable and one.name not in fixed and one.name in rows.columns
    ]
    halves = tied.with_row_index("__at")
    tied = halves.with_columns(
        pl.when(pl.col("__at") % 2 == 0).then(None).otherwise(pl.col(name)).alias(name) for name in empty
    ).drop("__at")
    if log.ingest_time is None:
        return tied
    allowed = group.allowed_lateness or _LATE
    waits = [allowed / 2, allowed, allowed + timedelta(microseconds=1)]
    waited = pl.Series([waits[at % 3] for at in range(tied.height)], dtype=pl.Duration("us"))
    return tied.with_columns((pl.col(group.event_time) + waited).alias(log.ingest_time))


def at_edges(
    rows: pl.DataFrame, log: Log, group: WindowGroup, moments: Sequence[int], draw: np.random.Generator
) -> pl.DataFrame:
    """Return rows on both sides of every edge of every window that ends at one of the `moments`."""
    if not rows.height:
        return rows
    times = []
    for moment in moments:
        end = moment - as_microseconds(group.delay)
        times += [end, end - 1]
        for width in group.windows:
            if width is not None:
                begin = end - as_microseconds(width)
                begin -= begin % as_microseconds(group.resolution) if group.resolution else 0
                times += [begin, begin - 1]
    return copies(rows, log, draw.integers(0, rows.height, len(times)).tolist(), times)


def is_countable(dtype: pl.DataType) -> bool:
    """Say whether new values of a type can be counted on from the largest."""
    return dtype.is_integer() or dtype == pl.String


def new_values(column: pl.Series, number: int) -> pl.Series:
    """Return values that a column of whole numbers or texts does not have."""
    if column.dtype == pl.String:
        return pl.Series(column.name, [f"~made-{at}" for at in range(number)])
    largest = column.max()
    first = largest + 1 if isinstance(largest, int) else 0
    return pl.Series(column.name, range(first, first + number), dtype=column.dtype)
