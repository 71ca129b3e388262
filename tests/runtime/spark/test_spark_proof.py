"""Spark as a home of a proof: the same answers in any time zone, and a wall clock taken for a moment is found."""

from dataclasses import replace

import polars as pl
import pytest
from pyspark.sql import SparkSession

from mlsd_framework.runtime.verify.homes import offline
from mlsd_framework.runtime.verify.homes.spark import answers
from mlsd_framework.runtime.verify.parity import compared
from mlsd_framework.runtime.verify.sampling import MOMENT, Sample, sampled
from tests.runtime.verify.shop import subject

pytestmark = pytest.mark.process


def asked(at: int) -> Sample:
    """The questions about one group of the shop."""
    shop = subject()
    return sampled(shop, shop.stored[at], 300)


@pytest.mark.parametrize("group", [0, 2], ids=["windows", "a table"])
@pytest.mark.usefixtures("zone")
def test_spark_says_the_same(spark: SparkSession, group: int) -> None:
    """Windows and tables have one value on Spark and in the training set, whatever the session's zone."""
    sample = asked(group)
    found, _ = compared(sample, {"offline": offline.offline, "spark": lambda one: answers(spark, one)})
    assert found.values > 100
    assert found.holds, found.differences[:3]


def test_a_wall_clock_is_found(spark: SparkSession) -> None:
    """Where Spark takes moments for the wall clock of Tokyo, the proof blames Spark."""

    def shifted(sample: Sample) -> list[tuple[object, ...] | None]:
        questions = sample.questions.with_columns(pl.col(MOMENT) + 9 * 3_600_000_000)
        return answers(spark, replace(sample, questions=questions))

    found, _ = compared(asked(0), {"offline": offline.offline, "spark": shifted})
    assert set(found.against) == {"spark"}
