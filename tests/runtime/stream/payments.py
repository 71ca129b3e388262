"""The events of the stream tests: payments of cards, their schema, their states, and what the states should say."""

import json
import struct
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl

from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)

TABLE = SourceTable(
    name="payments",
    paths=("payments.parquet",),
    key=("payment_id",),
    event_time="at",
    columns=(
        Column(name="payment_id", type="string"),
        Column(name="card", type="string"),
        Column(name="at", type="timestamp"),
        Column(name="written", type="timestamp"),
        Column(name="amount", type="float64", minimum=0, maximum=1e6),
        Column(name="items", type="int32", minimum=1),
        Column(name="country", type="category", categories=("de", "fr")),
        Column(name="terminal", type="int64", nullable=True),
    ),
)

GROUP = WindowGroup(
    name="card",
    entity=("card",),
    source="payments",
    event_time="at",
    windows=(timedelta(days=7), None),
    aggregates=(Aggregate("payments", "count"), Aggregate("spent", "sum", "amount")),
    key=("payment_id",),
)


class CountingLayout:
    """States that tell how often each event was added: what no real state does, and a test of delivery needs."""

    def __init__(self, group: WindowGroup = GROUP, horizon_us: int | None = None) -> None:
        """Take the group that it passes for."""
        self.group = group
        self.horizon_us = horizon_us

    def blocks(self, frame: pl.DataFrame) -> tuple[list[bytes], list[bytes]]:
        """One line an event: its id and its amount."""
        found: dict[bytes, list[bytes]] = {}
        for card, name, amount in frame.select("card", "payment_id", "amount").iter_rows():
            key = encode_key((card,))
            if key is not None:
                found.setdefault(key, []).append(b"%b %b\n" % (name.encode(), struct.pack("<d", amount).hex().encode()))
        return list(found), [b"".join(lines) for lines in found.values()]

    def compact(self, state: bytes) -> bytes:
        """Keep every line, and a mark of how often it was compacted, so that nothing can hide."""
        return state


def counted(state: bytes | None) -> Counter[str]:
    """How often each event is in a state."""
    return Counter(line.split(b" ")[0].decode() for line in (state or b"").splitlines())


def live(*, late: timedelta | None = None) -> LiveSource:
    """The source with one group."""
    return LiveSource(
        table=TABLE, groups=(LiveGroup(CountingLayout()),), ingest_time="written" if late is not None else None
    )


def payment(number: int, cards: int = 7, **changed: object) -> dict[str, object]:
    """The payment of a number."""
    moment = BEGIN + timedelta(seconds=number)
    return {
        "payment_id": f"p{number}",
        "card": f"c{zlib.crc32(b'%d' % number) % cards}",
        "at": moment.isoformat(),
        "written": (moment + timedelta(seconds=1)).isoformat(),
        "amount": number % 100 + 0.25,
        "items": number % 9 + 1,
        "country": ("de", "fr")[number % 2],
        "terminal": number % 5 or None,
    } | changed


def encoded(event: object) -> bytes:
    """As a producer writes it."""
    return json.dumps(event).encode()
