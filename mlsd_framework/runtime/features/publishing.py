"""Writes rows to the online store: a generation of its own for each materialisation, which readers see all at once."""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.keys import encode_keys
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.resp import Connection, StoreError, encode, encode_many

if TYPE_CHECKING:
    import polars as pl

_PAIRS = 256  # rows a command: enough to pay for it, few enough that readers wait no millisecond
_COMMANDS = 16  # commands a round trip
_SCANNED = 5000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Generation:
    """Rows that are being written and that no reader sees yet."""

    def __init__(self, store: OnlineStore, connection: Connection, as_of: datetime, timeout: float) -> None:
        """Take the store, a connection to it and the moment as of which the rows are computed (aware)."""
        if as_of.tzinfo is None:
            raise RunError.of("E6203", f"the moment {as_of} has no time zone", expected="an aware time, such as one in UTC")
        self.name = b"%d-%d" % (time.time_ns(), (as_of - _EPOCH) // timedelta(microseconds=1))
        self._store = store
        self._connection = connection
        self._timeout = timeout

    def write(self, group: str, frame: "pl.DataFrame") -> int:
        """Write every row of a frame (entity columns and the layout's) and return how many; a row whose key has a null is left out, as nobody can ask for it."""
        layout = self._store.layouts[group]
        missing = [name for name in layout.entity if name not in frame.columns]
        if missing:
            raise RunError.of("E6202", f"the rows of `{group}` lack the column `{missing[0]}`", expected=f"one of: {', '.join(frame.columns)}")
        written, step = 0, _PAIRS * _COMMANDS
        for at in range(0, len(frame), step):
            part = frame[at : at + step]
            pairs = [(key, row) for key, row in zip(encode_keys(part.select(layout.entity)), layout.pack_frame(part), strict=True) if key is not None]
            self._send(self._store.rows_prefix(self.name, group), pairs)
            written += len(pairs)
        return written

    def _send(self, prefix: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
        commands = []
        for at in range(0, len(pairs), _PAIRS):
            some = pairs[at : at + _PAIRS]
            body = b"".join([b"$%d\r\n%b%b\r\n$%d\r\n%b\r\n" % (len(prefix) + len(key), prefix, key, len(row), row) for key, row in some])
            commands.append(b"*%d\r\n$4\r\nMSET\r\n%b" % (2 * len(some) + 1, body))
        for reply in self._connection.exchange(b"".join(commands), len(commands), self._timeout):
            if isinstance(reply, StoreError):
                raise reply


@contextlib.contextmanager
def publishing(store: OnlineStore, as_of: datetime, *, grace: timedelta = timedelta(seconds=60), timeout: float = 10.0) -> Iterator[Generation]:
    """Yield a generation to write rows into; on success make it the one that readers see, and let older ones expire after `grace`.

    A failure or a kill before the end leaves readers with what they had; the rows written so far are swept by the next success. One writer a
    system at a time: of two, the one that ends last is seen. `timeout` is for one round trip, in seconds.
    """
    connection = Connection(store.address, timeout)
    try:
        generation = Generation(store, connection, as_of, timeout)
        yield generation
        connection.call(b"SET", store.pointer, generation.name, timeout=timeout)
        _expire_older(store, connection, generation.name, int(grace / timedelta(milliseconds=1)), timeout)
    finally:
        connection.close()


def retire(store: OnlineStore, *, timeout: float = 10.0) -> None:
    """Remove the pointer and every row of the store's feature definitions, once no bundle reads them."""
    connection = Connection(store.address, timeout)
    try:
        connection.call(b"UNLINK", store.pointer, timeout=timeout)
        for names in _scanned(store, connection, timeout):
            connection.call(b"UNLINK", *names, timeout=timeout)
    finally:
        connection.close()


def _expire_older(store: OnlineStore, connection: Connection, published: bytes, milliseconds: int, timeout: float) -> None:
    begun = _begun(published)
    prefix = len(store.pointer) + 1
    for names in _scanned(store, connection, timeout):
        old = [name for name in names if _begun(name[prefix:].partition(b":")[0]) < begun]
        if old:  # NX: a row that expires already keeps its time
            connection.exchange(encode_many([(b"PEXPIRE", name, b"%d" % milliseconds, b"NX") for name in old]), len(old), timeout)


def _begun(generation: bytes) -> int:
    return int(generation.partition(b"-")[0])


def _scanned(store: OnlineStore, connection: Connection, timeout: float) -> Iterator[list[bytes]]:
    # Names of this store's rows, some at a time; the store is not held up.
    cursor = b"0"
    while True:
        reply = connection.exchange(encode(b"SCAN", cursor, b"MATCH", store.pointer + b":*", b"COUNT", b"%d" % _SCANNED), 1, timeout)[0]
        if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[0], bytes) or not isinstance(reply[1], list):  # noqa: PLR2004 - a cursor and names
            raise reply if isinstance(reply, StoreError) else StoreError.of("E6221", f"the online store at `{store.address.place}` answers a scan with something else")
        names = [name for name in reply[1] if isinstance(name, bytes)]
        if names:
            yield names
        cursor = reply[0]
        if cursor == b"0":
            return
