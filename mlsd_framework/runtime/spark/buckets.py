"""Spark frames in hash buckets of a key, each handed to one function as Arrow tables; shared by all groups.

A bucket holds many keys, so that a million small keys cost a few calls; all rows of a key are in one bucket, so that
the function sees what it would see of that key in a frame of everything.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_

import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - as everybody writes it
from pyspark.sql.types import DataType, DoubleType, FloatType, IntegralType, StructType, TimestampNTZType

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.spark.arrow import arrow_types, as_declared, as_polars, as_spark, column, numbered

BUCKET = "__bucket"
ROWS = 250_000  # a bucket's aim: large enough that calls cost nothing beside the work, small enough for any executor
_FEW = 10_000  # fewer rows are not worth a task
_TASKS = 2  # buckets a core, so that one of many rows does not leave the others idle

Compute = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]


def bucket_number(rows: int, cores: int) -> int:
    """Return how many buckets `rows` rows are worth on a cluster of `cores`."""
    return max(-(-rows // ROWS), min(_TASKS * cores, -(-rows // _FEW)), 1)


def buckets_of(frame: DataFrame) -> int:
    """Return how many buckets the rows of a frame are worth; this counts them, which is a job."""
    return bucket_number(frame.count(), frame.sparkSession.sparkContext.defaultParallelism)


def require(frame: DataFrame, names: Sequence[str], what: str) -> None:
    """Refuse a frame that lacks a column (E6202) or that has one without a time zone (E6203)."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise RunError.of(
            "E6202", f"{what} lack the column `{missing[0]}`", expected=f"one of: {', '.join(frame.columns)}"
        )
    for name in names:
        if isinstance(frame.schema[name].dataType, TimestampNTZType):
            raise RunError.of(
                "E6203",
                f"the column `{name}` of {what} is TIMESTAMP_NTZ, a time without a time zone",
                expected="TIMESTAMP, a moment",
                help=f"if it is in UTC: `to_utc_timestamp({name}, current_timezone())`",
            )


def beside(asked: DataFrame, of: DataFrame, keys: Sequence[str], reads: Sequence[str], compute: Compute,
           columns: pl.DataFrame, buckets: int) -> DataFrame:  # fmt: skip
    """Return `asked` with what `compute(rows of, rows asked)` gives beside it, bucket by bucket of the key.

    `compute` is given the columns `reads` of what is asked, and returns one row for each in their order; `columns` is
    an empty frame of what it returns.
    """
    taken = [name for name in columns.columns if name in asked.columns]
    if taken:
        raise RunError.of(
            "E6202", f"the queries already have a column `{taken[0]}`", expected="other names, or a `prefix`"
        )
    features = as_spark(columns, asked)
    schema = StructType([*asked.schema.fields, *features.schema.fields])
    feature_types, asked_types, of_types = arrow_types(features), arrow_types(asked), arrow_types(of)
    read = list(reads)

    def of_bucket(asked_rows: pa.Table, of_rows: pa.Table) -> pa.Table:
        rows = as_declared(asked_rows, asked_types)
        made = compute(as_polars(as_declared(of_rows, of_types)), as_polars(rows.select(read)))
        for field, values in zip(feature_types, made.to_arrow().cast(feature_types).columns, strict=True):
            rows = rows.append_column(field, values)
        return rows

    left, right = _bucketed(asked, keys, buckets, reads), _bucketed(_with_keys(of, keys), keys, buckets)
    return left.groupBy(BUCKET).cogroup(right.groupBy(BUCKET)).applyInArrow(of_bucket, schema)


def each(
    of: DataFrame, keys: Sequence[str], compute: Callable[[pl.DataFrame], pl.DataFrame], columns: pl.DataFrame,
    buckets: int,
) -> DataFrame:  # fmt: skip
    """Return what `compute` gives of the rows of each bucket of the key; `columns` is an empty frame of it."""
    made = as_spark(columns, of)
    made_types, of_types = arrow_types(made), arrow_types(of)

    def of_bucket(rows: pa.Table) -> pa.Table:
        return compute(as_polars(as_declared(rows, of_types))).to_arrow().cast(made_types)

    return _bucketed(_with_keys(of, keys), keys, buckets).groupBy(BUCKET).applyInArrow(of_bucket, made.schema)


def _with_keys(frame: DataFrame, keys: Sequence[str]) -> DataFrame:
    # What has no key is nobody's; left in, all of it would be in one bucket.
    for key in keys:
        frame = frame.filter(column(key).isNotNull())
    return frame


def _bucketed(frame: DataFrame, keys: Sequence[str], buckets: int, spread: Sequence[str] = ()) -> DataFrame:
    """Put the bucket of the key beside each row; rows without a key go by all the columns `spread`, to many buckets."""

    def hashed(names: Sequence[str]) -> Column:
        return F.xxhash64(*(_hashable(column(name), frame.schema[name].dataType) for name in names))

    bucket = hashed(keys)
    if spread:
        missing = reduce(or_, (column(key).isNull() for key in keys))
        bucket = F.when(missing, hashed(spread)).otherwise(bucket)
    return frame.select(F.pmod(bucket, F.lit(buckets)).alias(BUCKET), *numbered(frame))


def _hashable(key: Column, dtype: DataType) -> Column:
    # Equal keys have to be equal in hash: an INT and a BIGINT, and both zeros.
    if isinstance(dtype, IntegralType):
        return key.cast("bigint")
    return key.cast("double") + F.lit(0.0) if isinstance(dtype, FloatType | DoubleType) else key
