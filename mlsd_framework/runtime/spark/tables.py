"""Table features' Spark home: the as-of join of the offline home, applied by hash bucket of the entity's key."""

from datetime import datetime

import polars as pl
from pyspark.sql import DataFrame

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.asof import column_features, current_rows
from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.spark.arrow import column, empty
from mlsd_framework.runtime.spark.buckets import beside, buckets_of, each, require


def column_features_spark(
    table: DataFrame, queries: DataFrame, group: ColumnGroup, *, time: str, prefix: str = "", buckets: int | None = None
) -> DataFrame:
    """Return the rows of `queries` with the group's columns beside them, their names after `prefix`.

    The queries have the entity's columns and the moment `time`. `buckets` is how many parts the keys are hashed into;
    without it the table's rows are counted first.
    """
    require(queries, [*group.entity, time], "the queries")
    table = _read(table, group)
    reads = list(dict.fromkeys([*group.entity, time]))

    def compute(of_bucket: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        features = column_features(of_bucket, rows, group, time=time)
        return features.rename({name: prefix + name for name in features.columns})

    columns = compute(empty(table, table.columns), empty(queries, reads))
    return beside(queries, table, group.entity, reads, compute, columns, buckets or buckets_of(table))


def current_rows_spark(
    table: DataFrame, group: ColumnGroup, as_of: datetime, *, buckets: int | None = None
) -> DataFrame:
    """Return the rows that are valid at one moment (aware), one a key."""
    table = _read(table, group)

    def compute(of_bucket: pl.DataFrame) -> pl.DataFrame:
        return current_rows(of_bucket, group, as_of)

    columns = compute(empty(table, table.columns))
    return each(table, group.entity, compute, columns, buckets or buckets_of(table))


def _read(table: DataFrame, group: ColumnGroup) -> DataFrame:
    if group.valid_from is not None and not group.key:
        raise RunError.of(
            "E6201",
            f"column group `{group.name}` has no `key`, and rows valid from one moment are ordered by it",
            expected="the source's key: rows of a Spark frame have no order",
        )
    times = [name for name in (group.valid_from, group.valid_to, group.ingest_time) if name]
    needed = list(dict.fromkeys([*group.entity, *group.columns, *group.key, *times]))
    require(table, needed, "the table's rows")
    return table.select(*(column(name) for name in needed))
