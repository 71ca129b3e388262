"""What tests do to a store from outside: add events, and look at what an updater made of them."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable

from mlsd_framework.runtime.features.resp import Address, Connection, encode_many
from tests.runtime.stream.payments import counted, encoded
from tests.runtime.stream.store_process import StoreProcess


def add(store: StoreProcess, events: Iterable[object], stream: str = "payments") -> None:
    """Add events to a stream, one an entry; bytes as they are, all else as JSON."""
    contents = [event if isinstance(event, bytes) else encoded(event) for event in events]
    connection = Connection(Address.parse(store.url), 5.0)
    try:
        commands = [(b"XADD", stream.encode(), b"*", b"e", content) for content in contents]
        replies = connection.exchange(encode_many(commands), len(commands), 5.0)
        assert all(isinstance(reply, bytes) for reply in replies), replies[-1]
    finally:
        connection.close()


def keys(store: StoreProcess, pattern: bytes) -> list[bytes]:
    """The names that match."""
    found = store.ask(b"KEYS", pattern)
    assert isinstance(found, list)
    return [name for name in found if isinstance(name, bytes)]


def all_counted(store: StoreProcess) -> Counter[str]:
    """How often each event is in the states of the current generation."""
    generation = store.ask(b"GET", b"shop:f1:live")
    assert isinstance(generation, bytes)
    total: Counter[str] = Counter()
    for name in keys(store, b"shop:f1:live:%b:*" % generation):
        state = store.ask(b"GET", name)
        assert isinstance(state, bytes)
        total.update(counted(state))
    return total


def read_up_to(store: StoreProcess) -> int:
    """How many payloads of all partitions the positions cover."""
    stored = [store.ask(b"GET", name) for name in keys(store, b"shop:f1:position:payments:*")]
    return sum(_read(content) for content in stored)


def _read(content: object) -> int:
    assert isinstance(content, bytes)
    position = json.loads(content)
    return int(position["events"]) + int(position["rejected"])


def wait_for(done: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.02)
