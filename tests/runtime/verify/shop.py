"""A small shop as its generated script would declare it: a live group, a batch group, a table, labels, expressions."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.features import sql
from mlsd_framework.runtime.features import sql_polars as columns
from mlsd_framework.runtime.features.asof import column_features
from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.dataset import beside, with_known_labels
from mlsd_framework.runtime.features.out_of_core import window_features_from
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource
from mlsd_framework.runtime.verify.subject import Examples, Expressions, Log, Row, Stored, Subject

UTC_TIME = pl.Datetime("us", "UTC")
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

PAYMENTS = SourceTable(
    name="payments",
    paths=("payments.parquet",),
    columns=(
        Column(name="payment_id", type="string"),
        Column(name="ts", type="timestamp"),
        Column(name="written", type="timestamp"),
        Column(name="card_id", type="int64"),
        Column(name="amount", type="float64", minimum=0.0),
        Column(name="points", type="int64", nullable=True),
        Column(name="channel", type="category", categories=("shop", "online")),
    ),
    key=("payment_id",),
    event_time="ts",
)
CARDS = SourceTable(
    name="cards",
    paths=("cards.parquet",),
    columns=(
        Column(name="version", type="int64"),
        Column(name="card_id", type="int64"),
        Column(name="since", type="timestamp"),
        Column(name="until", type="timestamp", nullable=True),
        Column(name="limit", type="float64", nullable=True),
    ),
    key=("version",),
    event_time="since",
)
LABELS = SourceTable(
    name="labels",
    paths=("labels.parquet",),
    columns=(
        Column(name="payment_id", type="string"),
        Column(name="reported_at", type="timestamp"),
        Column(name="is_fraud", type="bool"),
    ),
    key=("payment_id",),
    event_time="reported_at",
)
NOW = WindowGroup(
    name="now",
    entity=("card_id",),
    source="payments",
    event_time="ts",
    windows=(timedelta(minutes=30), DAY, None),
    aggregates=(
        Aggregate("payments", "count"),
        Aggregate("spend", "sum", "amount"),
        Aggregate("points", "mean", "points"),
        Aggregate("channels", "last_n", "channel", n=2),
    ),
    key=("payment_id",),
    ingest_time="written",
    allowed_lateness=2 * HOUR,
)
DAILY = WindowGroup(
    name="daily",
    entity=("card_id",),
    source="payments",
    event_time="ts",
    windows=(DAY, 3 * DAY),
    aggregates=(Aggregate("payments", "count"), Aggregate("frauds", "sum", "is_fraud")),
    refresh=HOUR,
    delay=DAY,
    key=("payment_id",),
    ingest_time="written",
    allowed_lateness=2 * HOUR,
)
CARD = ColumnGroup(
    name="card",
    entity=("card_id",),
    source="cards",
    columns=("limit",),
    valid_from="since",
    valid_to="until",
    key=("version",),
)
LIVE = LiveSource(
    table=PAYMENTS,
    groups=(
        LiveGroup(
            StateLayout(NOW, {"payment_id": "string", "amount": "float64", "points": "int64", "channel": "string"})
        ),
    ),
    ingest_time="written",
)


def frames(rows: int = 900, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return payments in order of time, some written late, versions of cards, and labels a day later."""
    draw = np.random.default_rng(seed)
    stamps = np.sort(START + draw.integers(0, 8 * 86_400_000_000, rows))
    waits = np.where(draw.random(rows) < 0.1, draw.integers(0, 7_200_000_000, rows), draw.integers(0, 1_000_000, rows))
    payments = pl.DataFrame(
        {
            "payment_id": [f"p{at}" for at in range(rows)],
            "ts": pl.Series(stamps).cast(UTC_TIME),
            "written": pl.Series(stamps + waits).cast(UTC_TIME),
            "card_id": draw.integers(0, 12, rows),
            "amount": draw.exponential(50, rows).round(2),
            "points": [None if one < 0.2 else int(one * 100) for one in draw.random(rows)],
            "channel": draw.choice(["shop", "online"], rows),
        }
    )
    begins = START + draw.integers(-86_400_000_000, 6 * 86_400_000_000, 40)
    cards = pl.DataFrame(
        {
            "version": range(40),
            "card_id": [at % 12 for at in range(40)],
            "since": pl.Series(begins).cast(UTC_TIME),
            "until": pl.Series(
                [None if at % 3 else begins[at] + 86_400_000_000 for at in range(40)], dtype=pl.Int64
            ).cast(UTC_TIME),
            "limit": [None if one < 0.2 else one * 1000 for one in draw.random(40)],
        }
    )
    labels = pl.DataFrame(
        {
            "payment_id": payments["payment_id"],
            "reported_at": pl.Series(stamps + 86_400_000_000).cast(UTC_TIME),
            "is_fraud": draw.random(rows) < 0.3,
        }
    )
    return payments, cards, labels


def labelled(payments: pl.LazyFrame, labels: pl.LazyFrame) -> pl.LazyFrame:
    """Return payments with their label beside them."""
    known = labels.select("payment_id", "is_fraud")
    return payments.join(known, on="payment_id", how="left", maintain_order="left")


def with_computed(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with what a request computes."""
    return rows.with_columns(
        (columns.hour(pl.col("ts")) < 6).alias("payment.night"),
        columns.div(pl.col("amount"), columns.nullif(pl.col("now.spend_1d"), 0.0)).alias("payment.share"),
    )


def at_request(row: Row) -> None:
    """Add what a request computes to one row."""
    row["payment.night"] = sql.hour(row["ts"]) < 6
    row["payment.share"] = sql.div(row["amount"], sql.nullif(row["now.spend_1d"], 0.0))


def examples(
    payments: pl.LazyFrame,
    cards: pl.LazyFrame,
    labels: pl.LazyFrame,
    *,
    now: WindowGroup = NOW,
    daily: WindowGroup = DAILY,
) -> pl.DataFrame:
    """Return the training set; a test may give it groups that see too much."""
    events = labelled(payments, labels)
    rows = with_known_labels(events, "is_fraud")
    rows = beside(rows, "now", window_features_from(events, rows, now, time="ts"))
    rows = beside(rows, "daily", window_features_from(events, rows, daily, time="ts"))
    rows = beside(rows, "card", column_features(cards, rows, CARD, time="ts"))
    return with_computed(rows)


def subject(
    made: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None = None,
    *,
    make: Callable[..., pl.DataFrame] = examples,
    request: Callable[[Row], None] = at_request,
) -> Subject:
    """Return the shop as it is proved."""
    payments, cards, labels = made or frames()
    return Subject(
        system="shop",
        definitions="sha256:d",
        features="sha256:f",
        logs=(Log(PAYMENTS, payments, "written"), Log(CARDS, cards), Log(LABELS, labels)),
        stored=(
            Stored(NOW, ("payments",), live=LIVE),
            Stored(DAILY, ("payments", "labels"), labelled),
            Stored(CARD, ("cards",)),
        ),
        examples=Examples(
            make=make,
            reads=("payments", "cards", "labels"),
            source="payments",
            label="is_fraud",
            labels="labels",
            join="payment_id",
        ),
        expressions=Expressions(
            inputs={"ts": False, "amount": False, "now.spend_1d": True},
            outputs=("payment.night", "payment.share"),
            frame=with_computed,
            request=request,
        ),
    )


def with_group(found: Subject, name: str) -> Subject:
    """Return the subject with one of its groups alone."""
    return replace(found, stored=tuple(one for one in found.stored if one.name == name))
