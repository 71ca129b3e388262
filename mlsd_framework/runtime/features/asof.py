"""Table features as of a moment: each question gets the row that was valid then, and no question is lost."""

from datetime import datetime

import numpy as np
import polars as pl

from mlsd_framework.runtime.features.columns import ColumnGroup, table_columns
from mlsd_framework.runtime.features.offline import floor_time, floored
from mlsd_framework.runtime.features.ordering import by_time, codes_of, held, microseconds
from mlsd_framework.runtime.features.polars_types import Frame, dtype_of, polars_dtype

_CODE, _AT, _UNTIL, _ROW, _RANK = "__code", "__at", "__until", "__row", "__rank"


def column_features(table: Frame, queries: Frame, group: ColumnGroup, *, time: str) -> pl.DataFrame:
    """Return the group's columns for every row of `queries`, in the queries' order.

    The queries have the entity's columns and the moment `time`. A query whose key is null or unknown, or whose time is
    null, has nulls.
    """
    table, queries = _held(table, group), held(queries, [*group.entity, time], "the queries")
    columns = table_columns(group, {name: dtype_of(table.get_column(name)) for name in group.columns})
    versions, asked = _versions(table, queries, group, time)
    joined = asked.join_asof(
        versions, on=_AT, by=_CODE, strategy="backward", check_sortedness=False
    )  # both are sorted by time
    valid = joined.filter(pl.col(_UNTIL).is_null() | (pl.col(_AT) < pl.col(_UNTIL))).select("query", _ROW)
    rows = (
        pl.select(pl.int_range(len(queries)).alias("query"))
        .join(valid, on="query", how="left", maintain_order="left")
        .get_column(_ROW)
    )
    return pl.DataFrame(
        [table.get_column(column.name).gather(rows).cast(polars_dtype(column.dtype)) for column in columns]
    )


def current_rows(table: Frame, group: ColumnGroup, as_of: datetime) -> pl.DataFrame:
    """Return the rows that are valid at one moment (aware), one a key.

    Entity columns come first: this is what the online store is given.
    """
    moment = floor_time(as_of, group.refresh)
    table = _held(table, group)
    known = table if group.valid_from is None else table.filter(pl.col(group.valid_from) <= moment)
    keys = known.select(group.entity).drop_nulls().unique(maintain_order=True)
    asked = keys.with_columns(pl.lit(moment).cast(pl.Datetime("us", "UTC")).alias(_AT))
    return keys.hstack(column_features(table, asked, group, time=_AT).select(pl.all().exclude(group.entity)))


def _held(table: Frame, group: ColumnGroup) -> pl.DataFrame:
    times = [name for name in (group.valid_from, group.valid_to, group.ingest_time) if name]
    return held(table, [*group.entity, *group.columns, *group.key, *times], "the table's rows")


def _versions(
    table: pl.DataFrame, queries: pl.DataFrame, group: ColumnGroup, time: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    # Codes instead of keys: one column to join by, whatever the key, and nulls that match nothing.
    codes, asked_codes, _ = codes_of(table.select(group.entity), queries.select(group.entity))
    begins = np.zeros(len(table), np.int64)
    if group.valid_from is not None:
        begins = (
            microseconds(table.get_column(group.valid_from), "the table").fill_null(-(2**63)).to_numpy()
        )  # without one: always valid
    ends = pl.Series(_UNTIL, [None], dtype=pl.Int64).new_from_index(0, len(table))
    if group.valid_to is not None:
        ends = microseconds(table.get_column(group.valid_to), "the table")
    versions = pl.DataFrame({_CODE: codes, _AT: begins, _ROW: np.arange(len(table))}).with_columns(ends.alias(_UNTIL))
    rows = by_time(table, begins, group.key)
    ordered = versions if rows is None else versions[rows]
    newest = ordered.filter(pl.col(_CODE) >= 0)
    if group.ingest_time is not None:
        newest = _as_written(newest, table, group.ingest_time)
    newest = newest.unique([_CODE, _AT], keep="last", maintain_order=True)
    moments = floored(microseconds(queries.get_column(time), "the queries"), group.refresh)
    asked = (
        pl.DataFrame({_CODE: asked_codes})
        .with_columns(moments.alias(_AT))
        .with_row_index("query")
        .with_columns(pl.col("query").cast(pl.Int64))
    )
    if group.valid_from is None:
        newest = newest.with_columns(pl.lit(-(2**63)).alias(_AT))
    return newest, asked.filter((pl.col(_CODE) >= 0) & pl.col(_AT).is_not_null()).sort(_AT)


def _as_written(ordered: pl.DataFrame, table: pl.DataFrame, ingest_time: str) -> pl.DataFrame:
    # A row is seen from its moment or its writing on, whichever is later; what is seen is the newest of those so far.
    written = microseconds(table.get_column(ingest_time), "the table").gather(ordered.get_column(_ROW))
    seen = ordered.with_columns(pl.max_horizontal(_AT, written.alias("__written")).alias(_AT)).with_row_index(_RANK)
    newest = seen.sort(_AT, _RANK).with_columns(pl.col(_RANK).cum_max().over(_CODE))
    chosen = newest.get_column(_RANK)
    return newest.with_columns(ordered.get_column(name).gather(chosen) for name in (_ROW, _UNTIL)).drop(_RANK)
