"""Reading a source on Spark: its files in Spark's own readers, its types and its checks in the runtime's own code."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - as everybody writes it

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.check import BY_ROW, check_source, enforce, load_source, only
from mlsd_framework.runtime.data.files import source_files
from mlsd_framework.runtime.data.read import Unreadable, convert
from mlsd_framework.runtime.data.report import Example, Fault, SourceReport
from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.data.types import dtype
from mlsd_framework.runtime.spark.arrow import arrow_types, as_polars, column

_FAULTS = "check string, column string, action string, expected string, count bigint, row bigint, value string"
_FAULT_NAMES = [one.split(" ")[0] for one in _FAULTS.split(", ")]
_FAULT_TYPES = [pa.string()] * 4 + [pa.int64()] * 2 + [pa.string()]
_NUMBER = "__number"


def load_spark(spark: SparkSession, table: SourceTable, root: Path) -> DataFrame:
    """Read and check a source as `load_source` does, its rows spread over the cluster; faults are printed.

    What differs: rows of a Spark frame have no order, so nobody looks at that of their times; of rows that repeat a
    key the one with the earliest event time stays; a row at fault is numbered within the batch that it was read in. A
    source that numbers its rows is read by this process, as only that knows their numbers.
    """
    if table.row_number is not None:
        return spark.createDataFrame(load_source(table, root).frame.to_arrow())
    raw, by_row = _read(spark, table, root), only(table, *BY_ROW)
    report = _report(raw, table)
    if report.faults:
        sys.stdout.write(report.text() + "\n")
    empty = pl.DataFrame(schema={one.name: dtype(one.type) for one in table.columns})
    enforce(empty, table, report)  # raises what is an error, and what is too much
    made = spark.createDataFrame(empty.to_arrow())
    types = arrow_types(made)

    def checked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for frame, unreadable in _converted(batches, by_row):
            kept = enforce(frame, by_row, check_source(frame, by_row, unreadable), unreadable)
            yield from kept.to_arrow().cast(types).to_batches()

    rows = raw.mapInArrow(checked, made.schema)
    if table.key and table.checks.duplicates == "drop":
        rows = _without_repeats(rows, table)
    return rows.persist()  # every group reads them, and checking is dear


def _read(spark: SparkSession, table: SourceTable, root: Path) -> DataFrame:
    files = source_files(table, root)
    formats = {file.format for file in files}
    if len(formats) > 1:
        raise RunError.of(
            "E6112", f"source `{table.name}` has files of several formats", expected="one format, where Spark reads it"
        )
    paths = [str(file.path.absolute()) for file in files]
    reader = spark.read
    if any(file.partition for file in files):
        reader = reader.option("basePath", str(root.absolute()))
    if formats == {"parquet"}:
        raw = reader.parquet(*paths)
    else:
        delimiter = "\t" if ".tsv" in files[0].path.name else table.delimiter
        raw = reader.csv(paths, sep=delimiter, header=True, inferSchema=False, quote='"', escape='"', multiLine=True)
    missing = [one.in_file for one in table.columns if one.in_file not in raw.columns]
    if missing:
        raise RunError.of(
            "E6116",
            f"the files of source `{table.name}` have no column `{missing[0]}`",
            expected=f"one of the files' columns: {', '.join(raw.columns)}",
        )
    chosen = raw.select(*(column(one.in_file).alias(one.name) for one in table.columns))
    # Without a `subset`, texts are looked for in columns of text only.
    return chosen.replace(dict.fromkeys(table.nulls)) if table.nulls else chosen


def _converted(
    batches: Iterator[pa.RecordBatch], table: SourceTable
) -> Iterator[tuple[pl.DataFrame, tuple[Unreadable, ...]]]:
    for batch in batches:
        raw = as_polars(pa.Table.from_batches([batch]))
        frame, unreadable = convert(raw, list(table.columns), Path(table.paths[0]), 0)
        yield frame, tuple(unreadable)


def _report(raw: DataFrame, table: SourceTable) -> SourceReport:
    """Count the rows at fault of the whole source: one pass over its rows, and one over its keys."""
    by_row = only(table, *BY_ROW)

    def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for frame, unreadable in _converted(batches, by_row):
            report = check_source(frame, by_row, unreadable)
            found = [("", "", "", "", report.rows, 0, "")]
            for one in report.faults:
                first = one.examples[0]
                found.append((one.check, one.column, one.action, one.expected, one.count, first.row, first.value))
            made = [
                pa.array(values, type_) for values, type_ in zip(zip(*found, strict=True), _FAULT_TYPES, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(made, _FAULT_NAMES)

    rows, faults = 0, dict[tuple[str, str], Fault]()
    for check, name, action, expected, count, row, value in raw.mapInArrow(counted, _FAULTS).collect():
        if not check:
            rows += count
            continue
        known = faults.setdefault((check, name), Fault(check, name, 0, action, expected, (Example(row, value),)))
        faults[check, name] = replace(known, count=known.count + count)
    if table.key and table.checks.duplicates != "ignore":
        faults |= _repeats(raw, table)
    return SourceReport(table.name, rows, table.checks.max_faults, tuple(faults.values()))


def _repeats(raw: DataFrame, table: SourceTable) -> dict[tuple[str, str], Fault]:
    keys = [column(name) for name in table.key]
    known = raw.filter(~reduce(lambda a, b: a | b, (key.isNull() for key in keys)))
    twice = known.groupBy(*keys).agg(F.count("*").alias(_NUMBER)).filter(column(_NUMBER) > 1)
    said = F.first(F.concat_ws(", ", *(key.cast("string") for key in keys)))
    count, value = twice.agg(F.sum(column(_NUMBER) - 1), said).collect()[0]
    if not count:
        return {}
    name = ", ".join(table.key)
    fault = Fault("duplicates", name, count, table.checks.duplicates, "each key once", (Example(1, value),))
    return {("duplicates", name): fault}


def _without_repeats(rows: DataFrame, table: SourceTable) -> DataFrame:
    keys = [column(name) for name in table.key]
    of_key = Window.partitionBy(*keys).orderBy(column(table.event_time) if table.event_time else F.lit(0))
    missing = reduce(lambda a, b: a | b, (key.isNull() for key in keys))
    numbered = rows.withColumn(_NUMBER, F.row_number().over(of_key))
    return numbered.filter((column(_NUMBER) == 1) | missing).drop(_NUMBER)
