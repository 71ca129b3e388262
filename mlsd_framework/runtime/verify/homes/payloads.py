"""Rows of a source as its stream gives them: JSON objects, with the names of columns and the times as in files."""

import polars as pl

from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.data.types import origin_us
from mlsd_framework.runtime.stream.event_type import event_columns

_PER_UNIT = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
_TIMES = ("timestamp", "date")


def payloads(rows: pl.DataFrame, table: SourceTable) -> list[bytes]:
    """Return one payload a row."""
    written = rows.select(_written(column).alias(column.in_file) for column in event_columns(table))
    return written.write_ndjson().encode().split(b"\n")[:-1]


def _written(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    if column.type == "duration":
        return value.to_physical() / _PER_UNIT[column.time_format or "seconds"]
    if column.type not in _TIMES:
        return value
    if column.time_format in (None, "iso"):
        return value.dt.to_string("iso:strict")
    counted = value.cast(pl.Datetime("us")).to_physical() - origin_us(column)
    unit = _PER_UNIT[str(column.time_format)]
    return counted if unit == 1 else counted / unit
