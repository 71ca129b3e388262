"""Sources on Spark have the rows, the types and the faults that they have on one machine."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.check import load_source
from mlsd_framework.runtime.data.schema import Checks, Column, SourceTable
from mlsd_framework.runtime.features.asof import column_features, current_rows
from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.spark.sources import load_spark
from mlsd_framework.runtime.spark.tables import column_features_spark, current_rows_spark

pytestmark = pytest.mark.xdist_group("spark")

COLUMNS = (
    Column(name="id", type="int64"),
    Column(name="ts", type="timestamp", column="at"),
    Column(name="paid", type="timestamp", nullable=True, time_format="milliseconds"),
    Column(name="amount", type="float64", minimum=0, maximum=100, nullable=True),
    Column(name="note", type="string", nullable=True),
    Column(name="kind", type="category", categories=("a", "b")),
)
START = datetime(2024, 3, 30, 23, 30, tzinfo=UTC)


def rows(number: int, **changed: Any) -> pl.DataFrame:
    """A sound table as its files hold it, with columns changed."""
    made = pl.DataFrame(
        {
            "id": range(number),
            "at": [START + at * timedelta(minutes=7, microseconds=1) for at in range(number)],
            "paid": [None if at % 5 == 0 else 1_700_000_000_000 + at for at in range(number)],
            "amount": [at % 90 + 0.25 for at in range(number)],
            "note": ['say "hi", twice\nor so' if at % 3 else None for at in range(number)],
            "kind": ["a" if at % 2 else "b" for at in range(number)],
        },
        schema_overrides={"at": pl.Datetime("us", "UTC")},
    )
    return made.with_columns(**changed)


def declared(path: str, **named: Any) -> SourceTable:
    """The source of these columns."""
    return SourceTable(name="log", paths=(path,), columns=COLUMNS, key=("id",), event_time="ts", **named)


def of_spark(frame: DataFrame) -> pl.DataFrame:
    """A Spark frame as polars has it, in the order of `id`."""
    made = pl.from_arrow(frame.toArrow())
    assert isinstance(made, pl.DataFrame)
    return made.with_columns(pl.col(pl.Datetime).dt.convert_time_zone("UTC")).sort("id", maintain_order=True)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_rows_are_those_of_one_machine(zone: str, spark: SparkSession, tmp_path: Path, form: str) -> None:
    """Several files, times of two notations, quotes and line ends in texts, nulls: the same frame."""
    del zone
    for at, part in enumerate(rows(300).iter_slices(100)):
        if form == "parquet":
            part.write_parquet(tmp_path / f"{at}.parquet")
        else:
            part.with_columns(pl.col("note").fill_null("NONE")).write_csv(tmp_path / f"{at}.csv")
    table = declared(f"*.{form}", nulls=("NONE",))
    expected = load_source(table, tmp_path).frame
    assert of_spark(load_spark(spark, table, tmp_path)).equals(expected.sort("id"))


def test_rows_at_fault_are_dropped_and_told(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values out of range, unknown categories, repeated keys and unreadable values lead to what the checks say."""
    broken = rows(
        200,
        id=pl.when(pl.col("id") == 7).then(6).otherwise("id"),
        amount=pl.when(pl.col("id").is_between(20, 22)).then(500.0).otherwise("amount"),
        kind=pl.when(pl.col("id") == 30).then(pl.lit("z")).otherwise("kind"),
    )
    broken.write_parquet(tmp_path / "log.parquet")
    checks = Checks(ranges="drop", categories="warn", duplicates="drop")
    table = declared("log.parquet", checks=checks)
    loaded = load_source(table, tmp_path)
    made = of_spark(load_spark(spark, table, tmp_path))
    assert made.equals(loaded.frame.sort("id"))
    said = capsys.readouterr().out
    for fault in loaded.report.faults:
        line = next(line for line in said.splitlines() if line.startswith(f"  {fault.check}"))
        assert f" {fault.count} " in line


@pytest.mark.parametrize(
    ("changed", "checks", "code"),
    [
        ({"id": pl.lit(1)}, {}, "E6124"),
        ({"amount": pl.lit(101.0)}, {}, "E6122"),
        ({"amount": pl.lit(101.0)}, {"ranges": "drop"}, "E6126"),
        ({"kind": pl.lit(None, pl.String)}, {}, "E6121"),
        ({"amount": pl.lit("much")}, {}, "E6120"),
    ],
)
def test_a_fatal_fault_stops_before_a_job_starts(
    spark: SparkSession, tmp_path: Path, changed: dict[str, pl.Expr], checks: dict[str, Any], code: str
) -> None:
    """What stops one machine stops the cluster, by the same code."""
    rows(50, **changed).write_parquet(tmp_path / "log.parquet")
    table = declared("log.parquet", checks=Checks(**checks))
    for load in (lambda: load_source(table, tmp_path), lambda: load_spark(spark, table, tmp_path)):
        with pytest.raises(RunError) as caught:
            load()
        assert caught.value.diagnostics[0].code == code


def test_numbered_rows_keep_their_numbers(spark: SparkSession, tmp_path: Path) -> None:
    """A source whose key is the row's number has the numbers that it has on one machine."""
    rows(50).write_parquet(tmp_path / "log.parquet")
    table = SourceTable(
        name="log", paths=("log.parquet",), columns=(*COLUMNS[:2], Column(name="line", type="int64")),
        key=("line",), row_number="line",
    )  # fmt: skip
    assert of_spark(load_spark(spark, table, tmp_path)).equals(load_source(table, tmp_path).frame.sort("id"))


def test_a_column_that_is_not_there_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    """The files' columns are looked at before anything is read."""
    rows(5).drop("note").write_parquet(tmp_path / "log.parquet")
    with pytest.raises(RunError) as caught:
        load_spark(spark, declared("log.parquet"), tmp_path)
    assert caught.value.diagnostics[0].code == "E6116"


def test_table_features_are_those_of_one_machine(zone: str, to_spark: Callable[[pl.DataFrame], DataFrame]) -> None:
    """Versions of rows, ties between them, unknown and null keys: the row valid at each moment, and the current one."""
    del zone
    time = pl.Datetime("us", "UTC")
    table = pl.DataFrame(
        [
            (shop, START + timedelta(hours=at % 6), START + timedelta(hours=at % 6 + at % 3), at, f"v{at}")
            for at in range(60) for shop in (at % 7, None)
        ],
        schema={
            "shop": pl.Int64, "since": time, "written": time, "version": pl.Int64, "owner": pl.String
        }, orient="row",
    )  # fmt: skip
    queries = pl.DataFrame(
        [(at, at % 9 if at % 11 else None, START + timedelta(hours=at % 8) if at % 13 else None) for at in range(120)],
        schema={"id": pl.Int64, "shop": pl.Int64, "ts": time}, orient="row",
    )  # fmt: skip
    group = ColumnGroup(
        "shop", ("shop",), "shops", ("owner",), valid_from="since", ingest_time="written", key=("version",)
    )
    made = column_features_spark(to_spark(table), to_spark(queries), group, time="ts", prefix="shop.", buckets=4)
    expected = column_features(table, queries, group, time="ts").rename(lambda name: f"shop.{name}")
    assert of_spark(made).equals(queries.hstack(expected))
    moment = START + timedelta(hours=3)
    current = pl.from_arrow(current_rows_spark(to_spark(table), group, moment, buckets=4).toArrow())
    assert isinstance(current, pl.DataFrame)
    assert current.sort("shop").equals(current_rows(table, group, moment).sort("shop"))
