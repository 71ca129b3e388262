"""Payloads become a frame of the source's schema, or dead letters with a reason: every one of them, never a failure."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.stream.decoding import Decoded, Decoder, EventRules
from mlsd_framework.runtime.stream.source import Chunk
from tests.runtime.stream.payments import TABLE, encoded, payment

RULES = EventRules(key_columns=("card", "payment_id"))
GOOD = encoded(payment(1))


def decoded(*payloads: bytes, table: SourceTable = TABLE, rules: EventRules = RULES) -> Decoded:
    """What a fresh decoder makes of payloads."""
    return Decoder(table, rules).decode([chunk(*payloads)])


def chunk(*payloads: bytes) -> Chunk:
    """Payloads of one partition at positions 0, 1, 2 …."""
    return Chunk("p", payloads, [str(at) for at in range(len(payloads))], [0] * len(payloads))


def changed(**fields: object) -> bytes:
    """The good payment with other values."""
    return encoded(payment(1, **fields))


def without(name: str) -> bytes:
    """The good payment without a field."""
    return encoded({field: value for field, value in payment(1).items() if field != name})


BAD = [
    ("json", b""),
    ("json", b"{"),
    ("json", b"\xff\xfe"),
    ("json", b"[1,"),
    ("json", GOOD + GOOD),
    ("json", GOOD.replace(b"1.25", b"NaN")),
    ("json", b"[" * 100_000),
    ("json", GOOD.replace(b"1.25", b"1e999")),
    ("type", b"3"),
    ("type", b"null"),
    ("missing", b"{}"),
    ("missing", without("amount")),
    ("missing", without("terminal")),
    ("null", changed(amount=None)),
    ("null", changed(at=None)),
    ("type", changed(amount="1.5")),
    ("type", changed(items=1.5)),
    ("type", changed(items=True)),
    ("type", changed(card=7)),
    ("type", changed(at="yesterday")),
    ("type", changed(at=1704067200)),
    ("type", changed(country=1)),
    ("range", changed(amount=-0.01)),
    ("range", changed(amount=1e7)),
    ("range", changed(items=0)),
    ("range", changed(items=2**31)),
    ("category", changed(country="xx")),
    ("key_size", changed(card="x" * 65_537)),
    ("key_size", changed(card="ä" * 40_000)),
    ("future", changed(at="2999-01-01T00:00:00Z")),
    ("size", changed(card="x" * (1 << 20))),
]


@pytest.mark.parametrize(("reason", "payload"), BAD, ids=[f"{at}-{reason}" for at, (reason, _) in enumerate(BAD)])
def test_bad_payloads(reason: str, payload: bytes) -> None:
    """A bad payload between good ones is rejected with its reason, place and content, and the good ones are kept."""
    found = decoded(GOOD, payload, changed(payment_id="p2"))
    assert found.frame.get_column("payment_id").to_list() == ["p1", "p2"]
    assert list(found.origins) == [0, 2]
    (one,) = found.rejected
    assert (one.reason, one.partition, one.position, one.payload) == (reason, "p", "1", payload)
    assert one.detail


def test_bad_events_of_an_array() -> None:
    """Of an array only the bad events are rejected, each as itself."""
    good, bad = payment(1), payment(2, amount=-1)
    found = decoded(encoded([good, bad, payment(3)]))
    assert found.frame.get_column("payment_id").to_list() == ["p1", "p3"]
    assert json.loads(found.rejected[0].payload) == bad
    assert list(found.origins) == [0, 0]


def test_broken_payloads_do_not_make_a_whole_one() -> None:
    """Two payloads that would be JSON together are none."""
    found = decoded(GOOD[:40], GOOD[40:])
    assert found.frame.height == 0
    assert [one.reason for one in found.rejected] == ["json", "json"]


def test_added_fields() -> None:
    """A field that the schema does not have is ignored and counted, in every event that has it, slow path or fast."""
    decoder = Decoder(TABLE, RULES)
    for _ in range(3):
        found = decoder.decode([chunk(GOOD, changed(added=1), changed(added=None, other=[1, {"a": 2}]))])
        assert found.frame.height == 3
        assert found.unknown == {"added": 2, "other": 1}
        assert found.rejected == []


def test_any_number_of_added_fields() -> None:
    """Producers that invent a name for every event cost no memory: beyond some, names are counted together."""
    decoder = Decoder(TABLE, RULES)
    found = decoder.decode([chunk(*(changed(**{f"x{at}": at}) for at in range(200)))])
    assert found.frame.height == 200
    assert len(found.unknown) == 65
    assert sum(found.unknown.values()) == 200


def test_events_are_held_against_their_ingest_time() -> None:
    """Where a source has an ingest time, an event that happens later than that by more than is allowed is rejected."""
    rules = EventRules(key_columns=("card",), ingest_time="written", future=timedelta(minutes=1))
    found = decoded(
        changed(at="2024-01-01T00:01:00Z", written="2024-01-01T00:00:00Z"),
        changed(at="2024-01-01T00:01:00.000001Z", written="2024-01-01T00:00:00Z"),
        rules=rules,
    )
    assert found.frame.height == 1
    assert [one.reason for one in found.rejected] == ["future"]


def test_types() -> None:
    """Values come as the schema says, however their notation."""
    table = SourceTable(
        name="t",
        paths=("t.parquet",),
        key=("n",),
        event_time="at",
        columns=(
            Column(name="n", type="int64", column="number"),
            Column(name="at", type="timestamp", time_format="seconds"),
            Column(name="day", type="date", nullable=True),
            Column(name="took", type="duration", time_format="milliseconds"),
            Column(name="tags", type="list<string>"),
            Column(name="small", type="float32", nullable=True),
            Column(name="is_new", type="bool"),
        ),
    )
    event = {
        "number": 2**53 + 1,
        "at": 1.5,
        "day": "2024-02-29",
        "took": 1500,
        "tags": ["a"],
        "small": 1,
        "is_new": True,
    }
    found = decoded(
        encoded(event), encoded(event | {"at": 2, "day": None, "small": None}), table=table, rules=EventRules()
    )
    assert found.rejected == []
    assert found.frame.row(0) == (
        2**53 + 1,
        datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC),
        datetime(2024, 2, 29, tzinfo=UTC).date(),
        timedelta(seconds=1.5),
        ["a"],
        1.0,
        True,
    )
    assert found.frame.schema["at"] == pl.Datetime("us", "UTC")
    unread = decoded(encoded(event | {"day": "soon"}), table=table, rules=EventRules())
    assert [one.reason for one in unread.rejected] == ["type"]


@pytest.mark.parametrize("lacking", ["key", "event_time"])
def test_unsuitable_sources(lacking: str) -> None:
    """A source whose events cannot be told apart or placed in time has no stream."""
    table = SourceTable(
        name="t",
        paths=("t.csv",),
        key=() if lacking == "key" else ("n",),
        event_time=None if lacking == "event_time" else "at",
        columns=(Column(name="n", type="int64"), Column(name="at", type="timestamp")),
    )
    with pytest.raises(RunError, match="E6601"):
        Decoder(table, RULES)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.dictionaries(st.sampled_from([*payment(1), "more"]), JSON).map(lambda some: encoded(payment(1) | some))


@settings(max_examples=50, deadline=None)
@given(st.lists(EVENTS | st.binary(max_size=30) | st.just(GOOD) | JSON.map(lambda one: json.dumps(one).encode())))
def test_every_payload_has_one_outcome(payloads: list[bytes]) -> None:
    """Whatever comes, each event is in the frame or in the dead letters, and a batch decides as each event alone."""
    together = decoded(*payloads)
    alone = [decoded(payload) for payload in payloads]
    assert together.frame.equals(pl.concat([together.frame.clear(), *(one.frame for one in alone)]))
    assert sorted(one.reason for one in together.rejected) == sorted(r.reason for one in alone for r in one.rejected)
