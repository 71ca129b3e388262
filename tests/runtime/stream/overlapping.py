"""Payments that a log and a stream both have, the groups that are fed from them, and what all events together make."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.offline import window_features
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.feeds import Feed, fill_states
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource
from tests.runtime.stream.payments import BEGIN, TABLE, encoded, payment
from tests.runtime.stream.pumping import NAMES
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.test_decoding import decoded

LIFETIME = WindowGroup(
    name="lifetime",
    entity=("card",),
    source="payments",
    event_time="at",
    windows=(timedelta(minutes=5), None),
    aggregates=(
        Aggregate("payments", "count"),
        Aggregate("spent", "sum", "amount"),
        Aggregate("most", "max", "amount"),
    ),
    key=("payment_id",),
    allowed_lateness=timedelta(minutes=2),
)
SUMMED = dataclasses.replace(
    LIFETIME, name="summed", windows=(timedelta(hours=2),), resolution=timedelta(minutes=1), allowed_lateness=None
)
GROUPS = (LIFETIME, SUMMED)
LAYOUTS = tuple(StateLayout(group, {"payment_id": "string", "amount": "float64"}) for group in GROUPS)
LIVE = LiveSource(table=TABLE, groups=tuple(LiveGroup(layout) for layout in LAYOUTS), ingest_time="written")
LATE = timedelta(minutes=2, microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sent(number: int, *, late: bool = False, cards: int = 1) -> bytes:
    """A payment as a producer writes it; a late one was written later than one of the groups allows."""
    written = BEGIN + timedelta(seconds=number) + (LATE if late else timedelta(0))
    return encoded(payment(number, cards=cards, written=written.isoformat()))


def log_of(events: Sequence[bytes]) -> pl.DataFrame:
    """The events as the log has them: each once."""
    return decoded(*events).frame.unique("payment_id", keep="first", maintain_order=True)


def filled(store: StoreProcess, events: Sequence[bytes], partitions: int = 1, stream: str = "payments") -> None:
    """Fill the states from a log, as a generated script does."""
    feed = Feed(LIVE, stream=stream, partitions=partitions)
    fill_states(
        (feed,), {"payments": log_of(events).lazy()}, system=NAMES.system, features=NAMES.features, store=store.url
    )


def oracle(events: Sequence[bytes], moment: datetime, cards: int = 1) -> dict[tuple[str, str], tuple[object, ...]]:
    """What the offline home makes of all events, each once, without those that came too late for a group."""
    frame = log_of(events)
    asked = pl.DataFrame({"card": [f"c{card}" for card in range(cards)]}).with_columns(
        pl.lit(moment).cast(pl.Datetime("us", "UTC")).alias("at")
    )
    found = {}
    for group in GROUPS:
        timely = frame
        if group.allowed_lateness is not None:
            timely = frame.filter(pl.col("written") - pl.col("at") <= group.allowed_lateness)
        made = window_features(timely, asked, dataclasses.replace(group, allowed_lateness=None))
        found |= {(group.name, card): row for card, row in zip(asked["card"], made.iter_rows(), strict=True)}
    return found


def finished(store: StoreProcess, moment: datetime, cards: int = 1) -> dict[tuple[str, str], tuple[object, ...]]:
    """What the states of the current generation say."""
    generation = store.ask(b"GET", NAMES.live)
    assert isinstance(generation, bytes)
    found = {}
    for layout in LAYOUTS:
        for card in range(cards):
            name = NAMES.states(generation, layout.group.name) + (encode_key((f"c{card}",)) or b"")
            state = store.ask(b"GET", name)
            assert state is None or isinstance(state, bytes)
            at = (moment - EPOCH) // timedelta(microseconds=1)
            found[layout.group.name, f"c{card}"] = layout.finish(state, at)
    return found
