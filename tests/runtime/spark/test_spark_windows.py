"""The Spark home of windows gives what the offline home gives, whatever the session's time zone."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody writes it

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.offline import materialise, window_features
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.spark.buckets import bucket_number
from mlsd_framework.runtime.spark.windows import materialise_spark, window_features_spark
from tests.runtime.features.awkward_log import AGGREGATES, SECOND, START, TIME, log, questions

pytestmark = pytest.mark.xdist_group("spark")

ToSpark = Callable[[pl.DataFrame], DataFrame]
GROUPS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "batch": (("card",), {"refresh": 7 * SECOND, "delay": 3 * SECOND}),
    "written": (("shop",), {"ingest_time": "written", "allowed_lateness": 20 * SECOND}),
    "tiled": (("card", "shop"), {"resolution": 5 * SECOND}),
}


def collected(frame: DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """A Spark frame as polars has it: times in UTC, rows in the order of `by`."""
    made = pl.from_arrow(frame.toArrow())
    assert isinstance(made, pl.DataFrame)
    return made.with_columns(pl.col(pl.Datetime).dt.convert_time_zone("UTC")).sort(by)


def assert_same(ours: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Fail unless names, types and values are the same, to the last bit."""
    assert ours.schema == expected.schema
    for name in expected.columns:
        assert ours[name].equals(expected[name], null_equal=True), name


@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("buckets", [1, 7])
def test_values_are_those_of_the_offline_home(zone: str, to_spark: ToSpark, kind: str, buckets: int) -> None:
    """Every function over every window is the same to the bit: ties, nulls, unseen keys, late rows included."""
    del zone
    entity, changes = GROUPS[kind]
    group = WindowGroup("g", entity, "log", "ts", (2 * SECOND, 13 * SECOND, None), AGGREGATES, key=("id",), **changes)
    events, queries = log(1500, 1), questions(400, 2)
    made = window_features_spark(to_spark(events), to_spark(queries), group, prefix="g.", buckets=buckets)
    expected = window_features(events, queries, group).rename(lambda name: f"g.{name}")
    assert_same(collected(made, ["question"]), queries.hstack(expected))


def test_materialised_rows_are_those_of_the_offline_home(zone: str, to_spark: ToSpark) -> None:
    """Each key seen by the moment has one row, with the same values."""
    del zone
    group = WindowGroup("g", ("card", "shop"), "log", "ts", (5 * SECOND, None), AGGREGATES, delay=SECOND, key=("id",))
    events, moment = log(800, 3), START + 40 * SECOND
    made = collected(materialise_spark(to_spark(events), group, moment, buckets=5), group.entity)
    assert_same(made, materialise(events, group, moment).sort(group.entity))


def prepared(events: pl.LazyFrame) -> pl.LazyFrame:
    """What a generated script computes of events before windows read them."""
    return events.with_columns(y=pl.when(pl.col("f")).then(pl.col("x") * 2))


def test_values_are_computed_where_the_data_is(to_spark: ToSpark) -> None:
    """The function that prepares events offline prepares each bucket's."""
    group = WindowGroup("g", ("card",), "log", "ts", (9 * SECOND,), (Aggregate("y", "sum", "y"),), key=("id",))
    events, queries = log(500, 4), questions(100, 5)
    made = window_features_spark(to_spark(events), to_spark(queries), group, prepare=prepared, buckets=3)
    assert_same(
        collected(made, ["question"]),
        queries.hstack(window_features(prepared(events.lazy()).collect(), queries, group)),
    )
    stored = materialise_spark(to_spark(events), group, START + 30 * SECOND, prepare=prepared, buckets=3)
    expected = materialise(prepared(events.lazy()).collect(), group, START + 30 * SECOND)
    assert_same(collected(stored, ["card"]), expected.sort("card"))


def test_keys_of_two_widths_meet(to_spark: ToSpark) -> None:
    """A key that is an INT in the events and a BIGINT in the queries is one key."""
    group = WindowGroup("g", ("shop",), "log", "ts", (None,), (Aggregate("n", "count"),), key=("id",))
    events, queries = log(500, 6), questions(100, 7)
    narrow = events.with_columns(pl.col("shop").cast(pl.Int32))
    made = window_features_spark(to_spark(narrow), to_spark(queries), group, buckets=5)
    assert_same(collected(made, ["question"]), queries.hstack(window_features(events, queries, group)))


def test_queries_without_keys_do_not_meet_in_one_bucket(to_spark: ToSpark) -> None:
    """Rows whose key is null are spread over the buckets by their other columns."""
    from mlsd_framework.runtime.spark.buckets import BUCKET, _bucketed  # noqa: PLC0415 - a look inside

    queries = questions(300, 8).with_columns(card=pl.lit(None, pl.String)).with_columns(pl.col("ts").fill_null(START))
    spread = _bucketed(to_spark(queries), ("card",), 4, ("card", "ts")).select(BUCKET).distinct().count()
    assert spread == 4


def test_events_may_ask_for_themselves(to_spark: ToSpark) -> None:
    """Queries made of the events' own frame, and of what another group gave, are no riddle to Spark."""
    aggregates = (Aggregate("n", "count"), Aggregate("x", "sum", "x"))
    by_card = WindowGroup("card", ("card",), "log", "ts", (9 * SECOND,), aggregates, key=("id",))
    by_shop = WindowGroup("shop", ("shop",), "log", "ts", (9 * SECOND,), aggregates, key=("id",))
    events = log(300, 10)
    there = to_spark(events)
    asked = window_features_spark(there, there, by_card, prefix="card.", buckets=2)
    made = window_features_spark(there, asked.filter("x is not null"), by_shop, prefix="shop.", buckets=2)
    expected = events.hstack(window_features(events, events, by_card).rename(lambda name: f"card.{name}")).hstack(
        window_features(events, events, by_shop).rename(lambda name: f"shop.{name}")
    )
    assert_same(collected(made, ["id"]), expected.filter(pl.col("x").is_not_null()).sort("id"))


def test_no_rows_give_no_rows(to_spark: ToSpark) -> None:
    """Without events every window is empty; without queries there is no row; types stay."""
    group = WindowGroup("g", ("card",), "log", "ts", (SECOND,), AGGREGATES, key=("id",))
    events, queries = log(20, 1), questions(20, 1)
    made = collected(window_features_spark(to_spark(events.clear()), to_spark(queries), group), ["question"])
    assert_same(made, queries.hstack(window_features(events.clear(), queries, group)))
    none = collected(window_features_spark(to_spark(events), to_spark(queries.clear()), group), ["question"])
    assert none.is_empty()
    assert none.schema == made.schema


@pytest.mark.parametrize(
    ("rows", "cores", "expected"),
    [(0, 8, 1), (9_999, 8, 1), (50_000, 8, 5), (1_000_000, 8, 16), (100_000_000, 8, 400)],
)
def test_buckets_follow_the_data(rows: int, cores: int, expected: int) -> None:
    """Few rows are one bucket; many keep every core busy and fit into memory."""
    assert bucket_number(rows, cores) == expected


Change = Callable[[DataFrame, DataFrame, dict[str, Any]], tuple[DataFrame, DataFrame]]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda e, q, _: (e.drop("x"), q), "E6202", "the events lack the column `x`"),
        (lambda e, q, _: (e, q.drop("card")), "E6202", "the queries lack the column `card`"),
        (lambda e, q, _: (e, q.withColumn("x_sum_1s", F.lit(1))), "E6202", "already have a column `x_sum_1s`"),
        (lambda e, q, _: (e.withColumn("ts", F.col("ts").cast("timestamp_ntz")), q), "E6203", "TIMESTAMP_NTZ"),
        (lambda e, q, _: (e, q.withColumn("ts", F.col("ts").cast("timestamp_ntz"))), "E6203", "TIMESTAMP_NTZ"),
        (lambda e, q, _: (e, q.withColumn("card", F.lit(1))), "E6203", "the key `card`"),
        (lambda e, q, _: (e.withColumn("x", F.lit("text")), q), "E6204", "takes the sum of `x`"),
        (lambda e, q, _: (e.withColumn("x", F.current_date()), q), "E6204", "which features cannot hold"),
        (lambda e, q, g: (g.update(key=()) or e, q), "E6201", "has no `key`"),
    ],
)
def test_unfit_data_is_refused_before_a_job_starts(to_spark: ToSpark, change: Change, code: str, said: str) -> None:
    """A missing column, a wrong type of time, key or value, and ties that nothing orders are refused by code."""
    aggregates = (Aggregate("x_sum", "sum", "x"), Aggregate("x_last", "last", "x"))
    declared: dict[str, Any] = {"key": ("id",)}
    events, queries = change(to_spark(log(10, 1)), to_spark(questions(10, 1)), declared)
    group = WindowGroup("g", ("card",), "log", "ts", (SECOND,), aggregates, **declared)
    with pytest.raises(RunError) as caught:
        window_features_spark(events, queries, group)
    assert caught.value.diagnostics[0].code == code
    assert said in caught.value.diagnostics[0].what


def test_a_fault_in_a_bucket_says_what_it_is(to_spark: ToSpark) -> None:
    """What only the data shows fails the job with the runtime's own words."""
    group = WindowGroup("g", ("card",), "log", "ts", (SECOND,), (Aggregate("n", "count"),), key=("id",))
    events = log(10, 1).with_columns(ts=pl.lit(None, TIME))
    with pytest.raises(PythonException, match="events have no `ts`"):
        window_features_spark(to_spark(events), to_spark(questions(10, 1)), group, buckets=1).collect()


def test_unread_columns_stay_as_they_are(zone: str, spark: SparkSession, to_spark: ToSpark) -> None:
    """Columns of the queries that no feature reads come through, of whatever type."""
    del zone
    group = WindowGroup("g", ("card",), "log", "ts", (SECOND,), (Aggregate("n", "count"),), key=("id",))
    queries = to_spark(questions(30, 9)).selectExpr(
        "*", "cast(question as decimal(12, 3)) d", "named_struct('t', ts, 'l', array(ts)) nested",
        "map('a', ts) m", "cast(ts as timestamp_ntz) wall", "to_date(ts) day",
    )  # fmt: skip
    made = window_features_spark(to_spark(log(50, 9)), queries, group)
    assert made.schema.fields[:-1] == queries.schema.fields
    before, after = queries.sort("question").collect(), made.drop("n_1s").sort("question").collect()
    assert [row.asDict(recursive=True) for row in before] == [row.asDict(recursive=True) for row in after]
    assert spark.sparkContext.defaultParallelism == 2
