"""Adding events to a stream in a store, as the service's `POST /events` and the live simulator do."""

import zlib
from collections.abc import Sequence

from mlsd_framework.runtime.features.resp import Connection, StoreError, encode_many
from mlsd_framework.runtime.stream.valkey import partitions_of


class StreamWriter:
    """Appends events to a stream in some partitions, on a connection that its caller keeps.

    Which partition an event goes to does not change what comes of it; events of one key go to the same, so that they
    keep their order and two replicas do not write to one state at once.
    """

    def __init__(self, stream: str, partitions: int = 1, longest: int | None = None) -> None:
        """Take the stream; it is cut to about `longest` entries a partition, where that is given, read or not."""
        self._streams = [name.encode() for name in partitions_of(stream, partitions)]
        self._cut = () if longest is None else (b"MAXLEN", b"~", b"%d" % longest)

    def add(
        self, connection: Connection, events: Sequence[tuple[bytes, bytes]], *, batch: int = 1, timeout: float = 5.0
    ) -> None:
        """Append events, each a key and its JSON, `batch` of them an entry; all have been taken when it returns.

        Raises StoreError where the store does not take them all: some may then be in the stream. An event that is sent
        again is recognised by the source's key.
        """
        parts: dict[bytes, list[bytes]] = {}
        for key, content in events:
            parts.setdefault(self._streams[zlib.crc32(key) % len(self._streams)], []).append(content)
        commands = [
            (b"XADD", stream, *self._cut, b"*", b"e", _entry(contents[at : at + batch]))
            for stream, contents in parts.items()
            for at in range(0, len(contents), batch)
        ]
        for reply in connection.exchange(encode_many(commands), len(commands), timeout):
            if isinstance(reply, StoreError):
                raise reply


def _entry(contents: Sequence[bytes]) -> bytes:
    return contents[0] if len(contents) == 1 else b"[" + b",".join(contents) + b"]"
