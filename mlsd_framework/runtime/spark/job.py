"""What a generated batch job does beside its features: its arguments, its session, the end of the logs, its output."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pyspark import SparkConf, cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody writes it

from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.offline import floor_time
from mlsd_framework.runtime.features.windows import WindowGroup, as_microseconds
from mlsd_framework.runtime.spark.arrow import column
from mlsd_framework.runtime.workspace import Workspace

Group = WindowGroup | ColumnGroup
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def session(system: str, scripts: Sequence[str]) -> SparkSession:
    """Return the job's session; functions of the modules `scripts` go to the executors as they are here.

    Executors need mlsd with its `train` extra, and none of the generated scripts.
    """
    for name in scripts:
        cloudpickle.register_pickle_by_value(sys.modules[name])  # type: ignore[no-untyped-call] # shipped without types
    if SparkConf().get("spark.master", "local").startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # on this machine, this Python
    spark = SparkSession.builder.appName(system).getOrCreate()
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")  # moments, not the old INT96
    return spark


def parse(doc: str | None, choices: Sequence[str]) -> argparse.Namespace:
    """Read the command line of a batch job: `what`, `out` and `as_of`."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("what", choices=choices, help="one row an example, or one row a key of each group")
    parser.add_argument("--out", help="folder or URL to write below, by default `spark/` of the system's state")
    parser.add_argument("--as-of", type=_moment, help="moment of the groups, by default the end of the logs")
    return parser.parse_args()


def labelled(rows: DataFrame, labels: DataFrame, on: str, label: str, source_column: str | None = None) -> DataFrame:
    """Return `rows` with the label of each beside it: a column of the labels' rows, joined by the column `on`."""
    beside = labels.select(column(on), column(source_column or label).alias(label))
    return rows.join(beside, on, "left").select(*(column(name) for name in (*rows.columns, label)))


def known(rows: DataFrame, label: str) -> DataFrame:
    """Return the rows whose label is known."""
    return rows.filter(column(label).isNotNull())


def end_of(*logs: tuple[DataFrame, str]) -> datetime:
    """Return the moment just after the last time of any log, each with its column of times."""
    newest = [frame.agg(F.unix_micros(F.max(column(name)))).collect()[0][0] for frame, name in logs]
    known_times = [time for time in newest if time is not None]
    return _EPOCH + timedelta(microseconds=max(known_times) + 1) if known_times else datetime.now(UTC)


def write_training(rows: DataFrame, out: str | None, workspace: Workspace) -> None:
    """Write the training columns to `training/` below `out`."""
    _write(rows, f"{_folder(out, workspace)}/training")


def write_groups(
    groups: Mapping[str, tuple[Group, DataFrame]], as_of: datetime, out: str | None,
    workspace: Workspace,
) -> None:  # fmt: skip
    """Write each group to a folder of its name below `out`, with the `event_timestamp` that Feast asks for."""
    for name, (group, rows) in groups.items():
        moment = as_microseconds(floor_time(as_of, group.refresh) - _EPOCH)
        stamped = rows.withColumn("event_timestamp", F.timestamp_micros(F.lit(moment)))
        _write(stamped, f"{_folder(out, workspace)}/{name}")


def _write(rows: DataFrame, path: str) -> None:
    rows.write.mode("overwrite").parquet(path)
    sys.stdout.write(f"{path} is written\n")


def _folder(out: str | None, workspace: Workspace) -> str:
    return out.rstrip("/") if out else str((workspace.root / "spark").absolute())


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
