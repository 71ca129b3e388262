"""One Spark session on this machine, for all tests of the Spark home."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator

import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session with two cores; it takes seconds to start, so all tests share it."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none on this machine")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .appName("tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(params=["UTC", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest, spark: SparkSession) -> Iterator[str]:
    """The session in one time zone and in another."""
    spark.conf.set("spark.sql.session.timeZone", request.param)
    yield request.param
    spark.conf.unset("spark.sql.session.timeZone")


@pytest.fixture
def to_spark(spark: SparkSession) -> Callable[[pl.DataFrame], DataFrame]:
    """Return what makes a Spark frame of a polars frame, in several partitions."""
    return lambda frame: spark.createDataFrame(frame.to_arrow()).repartition(3)
