"""Adding events to a stream, as the service's `POST /events` and the live simulator do: in a store or in a topic."""

import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

from mlsd_framework.runtime.features.resp import Address, Pool, Reply, StoreError, encode_many
from mlsd_framework.runtime.stream.brokers import brokers_told
from mlsd_framework.runtime.stream.valkey import partitions_of

Event = tuple[bytes, bytes]
"""A key, whose events stay in order, and the event's JSON."""
Add = Callable[[Sequence[Event], float], list[str]]
"""Adds events within so many seconds and returns the position of each; raises RunError where not all were taken."""


class Exchanges(Protocol):
    """A connection, or a pool of some."""

    def exchange(self, payload: bytes, replies: int, timeout: float) -> list[Reply]:
        """Send encoded commands and return their replies."""


class StreamWriter:
    """Appends events to a stream in some partitions, on a connection that its caller keeps.

    Which partition an event goes to does not change what comes of it; events of one key go to the same, so that they
    keep their order and two replicas do not write to one state at once.
    """

    def __init__(self, stream: str, partitions: int = 1, longest: int | None = None) -> None:
        """Take the stream; it is cut to about `longest` entries a partition, where that is given, read or not."""
        self._streams = [name.encode() for name in partitions_of(stream, partitions)]
        self._cut = () if longest is None else (b"MAXLEN", b"~", b"%d" % longest)

    def add(self, connection: Exchanges, events: Sequence[Event], *, batch: int = 1, timeout: float = 5.0) -> list[str]:
        """Append events, `batch` of them an entry, and return each one's stream and entry; all have been taken then.

        Raises StoreError where the store does not take them all: some may then be in the stream. An event that is sent
        again is recognised by the source's key.
        """
        parts: dict[bytes, list[int]] = {}
        for at, (key, _) in enumerate(events):
            parts.setdefault(self._streams[zlib.crc32(key) % len(self._streams)], []).append(at)
        entries = [
            (stream, places[at : at + batch]) for stream, places in parts.items() for at in range(0, len(places), batch)
        ]
        commands = [
            (b"XADD", stream, *self._cut, b"*", b"e", _entry([events[at][1] for at in places]))
            for stream, places in entries
        ]
        positions = [""] * len(events)
        replies = connection.exchange(encode_many(commands), len(commands), timeout)
        for (stream, places), reply in zip(entries, replies, strict=True):
            if isinstance(reply, StoreError):
                raise reply
            name = reply.decode() if isinstance(reply, bytes) else ""
            for at in places:
                positions[at] = f"{stream.decode()}:{name}"
        return positions


def writer_of(stream: str, partitions: int, store: str) -> Add:
    """Return what adds events to a stream: at the brokers that this process was told of, else in the store at a URL."""
    brokers = brokers_told()
    if brokers is not None:
        from mlsd_framework.runtime.stream.topic_writer import TopicWriter  # noqa: PLC0415 - for those who have topics

        return TopicWriter(stream, brokers).add
    pool, writer = Pool(Address.parse(store)), StreamWriter(stream, partitions)
    return lambda events, timeout: writer.add(pool, events, timeout=timeout)


def _entry(contents: Sequence[bytes]) -> bytes:
    return contents[0] if len(contents) == 1 else b"[" + b",".join(contents) + b"]"
