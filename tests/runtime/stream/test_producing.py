"""Events get into streams: of a store, of a topic, over a service; at a rate; or it is said why not."""

import itertools
import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import Address, Pool
from mlsd_framework.runtime.stream.brokers import BROKERS, OPTIONS, Brokers, brokers_told
from mlsd_framework.runtime.stream.posting import EventPoster
from mlsd_framework.runtime.stream.producing import StreamWriter, writer_of
from mlsd_framework.runtime.stream.sending import send
from mlsd_framework.runtime.stream.topic_writer import TopicWriter
from tests.runtime.stream.store_process import StoreProcess

confluent_kafka = pytest.importorskip("confluent_kafka")


def events(number: int) -> list[tuple[bytes, bytes]]:
    """So many events of a few keys."""
    return [(b"%d" % (at % 5), b'{"n":%d}' % at) for at in range(number)]


@given(number=st.integers(0, 40), batch=st.integers(1, 7), partitions=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_the_position_of_each_event_is_the_entry_that_holds_it(
    shared_store: StoreProcess, number: int, batch: int, partitions: int
) -> None:
    """In order of the events, whatever partition and entry they come to; events of a key share a partition."""
    shared_store.ask(b"FLUSHALL")
    sent = events(number)
    pool = Pool(Address.parse(shared_store.url))
    positions = StreamWriter("s", partitions).add(pool, sent, batch=batch)
    pool.close()
    assert len(positions) == number
    for (_, content), position in zip(sent, positions, strict=True):
        stream, _, entry = position.partition(":")
        found = shared_store.ask(b"XRANGE", stream.encode(), entry.encode(), entry.encode())
        assert content in found[0][1][1]  # type: ignore[index, operator]
    streams = {(key, position.partition(":")[0]) for (key, _), position in zip(sent, positions, strict=True)}
    assert len(streams) == len({key for key, _ in sent})


def test_events_reach_a_topic_and_each_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acknowledged by librdkafka's mock cluster, in order within a key."""
    cluster = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    addresses = ",".join(f"{one.host}:{one.port}" for one in cluster.list_topics(timeout=10).brokers.values())
    cluster.list_topics("payments", timeout=10)
    monkeypatch.setenv(BROKERS, addresses)
    monkeypatch.setenv(OPTIONS, '{"client.id": "test"}')
    positions = writer_of("payments", 1, "unix:///nowhere")(events(50), 20.0)
    assert len(set(positions)) == 50
    first = [position for (key, _), position in zip(events(50), positions, strict=True) if key == b"0"]
    assert len({position.split(":")[1] for position in first}) == 1
    assert [int(position.split(":")[2]) for position in first] == sorted(int(p.split(":")[2]) for p in first)


def test_brokers_that_do_not_answer_are_an_error_in_time() -> None:
    """E6610 after the time that the caller allows."""
    with pytest.raises(RunError) as raised:
        TopicWriter("payments", Brokers("127.0.0.1:1", {})).add(events(1), 0.3)
    assert raised.value.diagnostics[0].code == "E6610"


def test_options_of_brokers_that_cannot_be_read_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """E6604; without brokers nothing is read at all."""
    monkeypatch.delenv(BROKERS, raising=False)
    monkeypatch.setenv(OPTIONS, "[]")
    assert brokers_told() is None
    monkeypatch.setenv(BROKERS, "b:9092")
    with pytest.raises(RunError) as raised:
        brokers_told()
    assert raised.value.diagnostics[0].code == "E6604"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:3000", "http://"])
def test_an_address_that_is_none_of_a_service_is_refused(url: str) -> None:
    """E6611, before anything is sent."""
    with pytest.raises(RunError) as raised:
        EventPoster(url, "payments")
    assert raised.value.diagnostics[0].code == "E6611"


def test_a_service_that_is_not_there_is_told() -> None:
    """E6611 names the address."""
    with pytest.raises(RunError, match=r"127\.0\.0\.1"):
        EventPoster("http://127.0.0.1:1", "payments").add(events(1), 1.0)


def test_sending_keeps_the_order_and_stops_at_its_number() -> None:
    """Exactly rate times seconds events are sent, once each, in order."""
    got: list[int] = []

    def add(some: Sequence[tuple[bytes, bytes]], _: float) -> list[str]:
        got.extend(int(content) for _, content in some)
        return [""] * len(some)

    endless = ((b"k", b"%d" % at) for at in itertools.count())
    done = send(endless, add, rate=5000, seconds=0.4, stop=threading.Event())
    assert got == list(range(2000))
    assert done.sent == 2000


def test_sending_ends_with_its_events_and_when_it_is_told_to() -> None:
    """A source that ends ends it; so does the signal, soon."""
    done = send(iter(events(7)), lambda some, _: [""] * len(some), rate=1e6, seconds=None, stop=threading.Event())
    assert done.sent == 7
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    begun = time.monotonic()
    send(itertools.cycle(events(5)), lambda some, _: [""] * len(some), rate=10, seconds=None, stop=stop)
    assert time.monotonic() - begun < 5
