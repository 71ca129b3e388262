"""Spark's home: the same questions asked of a local session; where there is none, that is said."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import polars as pl

from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.verify.homes.offline import Answers
from mlsd_framework.runtime.verify.sampling import MOMENT, Sample
from mlsd_framework.runtime.verify.values import plain

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SparkHome = Callable[[Sample], Answers]

_ROW = "__row"
_ZONE = "Asia/Tokyo"  # not UTC, so that a moment that is taken for a wall clock shows


@contextlib.contextmanager
def spark_home(*, wanted: bool) -> Iterator[tuple[SparkHome | None, str]]:
    """Yield the home, or why there is none: nothing where it is not wanted."""
    missing = _missing() if wanted else ""
    if missing or not wanted:
        yield None, missing
        return
    session = _session()
    try:
        yield lambda sample: answers(session, sample), ""
    finally:
        session.stop()


def _missing() -> str:
    """Say what Spark lacks on this machine."""
    try:
        import pyspark  # noqa: F401, PLC0415 - is it there?
    except ImportError:
        return "`pyspark` is not installed"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "there is no Java on this machine"
    return ""


def _session() -> "SparkSession":
    from pyspark.sql import SparkSession  # noqa: PLC0415 - only who asks for Spark pays for it

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder: SparkSession.Builder = SparkSession.builder.master("local[2]").appName("mlsd verify")
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": _ZONE,
        "spark.sql.shuffle.partitions": "2",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def answers(session: "SparkSession", sample: Sample) -> Answers:
    """Answer in a session, the rows spread over buckets of keys."""
    from mlsd_framework.runtime.spark.tables import column_features_spark  # noqa: PLC0415 - as above
    from mlsd_framework.runtime.spark.windows import window_features_spark  # noqa: PLC0415 - as above

    group = sample.stored.group
    if isinstance(group, DerivedGroup):
        return [None] * len(sample.keys)  # the job computes these on one machine, by the same function
    asked = sample.questions.with_columns(
        pl.col(MOMENT).cast(pl.Datetime("us", "UTC")), pl.int_range(pl.len()).alias(_ROW)
    ).select(*group.entity, MOMENT, _ROW)
    events, questions = session.createDataFrame(sample.events.to_arrow()), session.createDataFrame(asked.to_arrow())
    if isinstance(group, ColumnGroup):
        found = column_features_spark(events, questions, group, time=MOMENT, prefix="__feature_", buckets=4)
    else:
        found = window_features_spark(events, questions, group, time=MOMENT, prefix="__feature_", buckets=4)
    rows = pl.from_arrow(found.toArrow())
    if not isinstance(rows, pl.DataFrame):
        raise TypeError(type(rows))
    rows = rows.sort(_ROW).select(f"__feature_{name}" for name in sample.stored.features)
    return [*plain(rows)]
