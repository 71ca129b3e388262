"""Between Spark frames and polars frames, by Arrow: names, types, empty frames, functions of each row."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - as everybody writes it


def column(name: str) -> Column:
    """Return a column by its name, whatever characters are in it."""
    return F.col(f"`{name.replace('`', '``')}`")


def numbered(frame: DataFrame) -> list[Column]:
    """Return the columns as `c0`, `c1` …: how they go to functions of Arrow tables, which `as_declared` undoes.

    Events and queries are often made of one frame, whose columns Spark could not tell apart; and it takes the dot in
    the name of a feature for that before a field.
    """
    return [column(name).alias(f"c{at}") for at, name in enumerate(frame.columns)]


def empty(frame: DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return the columns of a Spark frame as an empty polars frame: its schema, as the buckets will have it."""
    return as_polars(arrow_types(frame.select(*(column(name) for name in names))).empty_table())


def as_polars(table: pa.Table) -> pl.DataFrame:
    """Return an Arrow table as a polars frame, without a copy where the types allow it."""
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(type(frame))
    return frame


def mapped(rows: DataFrame, function: Callable[[pl.DataFrame], pl.DataFrame]) -> DataFrame:
    """Return what a function that looks at each row by itself makes of polars frames of the rows."""
    read = arrow_types(rows)
    made = as_spark(function(empty(rows, rows.columns)), rows)
    types = arrow_types(made)

    def of_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            frame = as_polars(as_declared(pa.Table.from_batches([batch]), read))
            yield from function(frame).to_arrow().cast(types).to_batches()

    return rows.select(*numbered(rows)).mapInArrow(of_batches, made.schema)


def as_declared(rows: pa.Table, types: pa.Schema) -> pa.Table:
    """Return a bucket's rows under their own names; times come in the session's zone, the same moments renamed."""
    return rows.select([f"c{at}" for at in range(len(types))]).rename_columns(types.names).cast(types)


def as_spark(columns: pl.DataFrame, beside: DataFrame) -> DataFrame:
    """Return an empty polars frame as a Spark frame: its schema there."""
    return beside.sparkSession.createDataFrame(columns.to_arrow())


def arrow_types(frame: DataFrame) -> pa.Schema:
    """Return the types that the frame's columns have in Arrow, times in UTC; no job is run."""
    return pa.schema([field.with_type(_in_utc(field.type)) for field in frame.limit(0).toArrow().schema])


def _in_utc(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(dtype) and dtype.tz is not None:
        return pa.timestamp(dtype.unit, "UTC")
    if pa.types.is_struct(dtype):
        return pa.struct([field.with_type(_in_utc(field.type)) for field in dtype.fields])
    if pa.types.is_map(dtype):
        return pa.map_(dtype.key_field.with_type(_in_utc(dtype.key_type)),
                       dtype.item_field.with_type(_in_utc(dtype.item_type)))  # fmt: skip
    if pa.types.is_large_list(dtype):
        return pa.large_list(dtype.value_field.with_type(_in_utc(dtype.value_type)))
    if pa.types.is_list(dtype):
        return pa.list_(dtype.value_field.with_type(_in_utc(dtype.value_type)))
    return dtype
