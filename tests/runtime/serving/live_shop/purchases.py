"""What the live shop knows: purchases, the history of a user that their stream feeds, and a log to begin with."""

from datetime import UTC, datetime, timedelta

import polars as pl

from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.feeds import Feed
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource

TABLE = SourceTable(
    name="purchases",
    paths=("purchases.parquet",),
    key=("purchase_id",),
    event_time="ts",
    columns=(
        Column(name="purchase_id", type="string"),
        Column(name="ts", type="timestamp"),
        Column(name="user_id", type="int64"),
        Column(name="item_id", type="int64"),
    ),
)
HISTORY = StateLayout(
    WindowGroup(
        name="history",
        entity=("user_id",),
        source="purchases",
        event_time="ts",
        windows=(None,),
        aggregates=(Aggregate("items", "last_n", "item_id", n=20), Aggregate("times", "last_n", "ts", n=20)),
        key=("purchase_id",),
    ),
    {"purchase_id": "string", "item_id": "int64", "ts": "timestamp"},
)
FEED = Feed(LiveSource(table=TABLE, groups=(LiveGroup(HISTORY),)), stream="purchases")
FEATURES = "sha256:features"
NAMES = ("tomatoes", "basil", "mozzarella", "bread", "coffee", "milk", "oats", "pears", "rice", "tea", "salt", "wine")
USERS = 6


def log() -> pl.DataFrame:
    """Return a log of two years: user u buys items u, u + 1 and u + 2 each week."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (f"w{week}u{user}n{n}", begin + timedelta(weeks=week, hours=user, minutes=n), user, (user + n) % len(NAMES))
        for week in range(4)
        for user in range(USERS)
        for n in range(3)
    ]
    schema = {"purchase_id": pl.String, "ts": pl.Datetime("us", "UTC"), "user_id": pl.Int64, "item_id": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("ts")
