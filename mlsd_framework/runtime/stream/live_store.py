"""The store as one thread of the updater uses it: it connects when it is asked, and again after a failure."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address, Reply, StoreError, encode_many, store_error
from mlsd_framework.runtime.stream.position import Stored, read_position
from mlsd_framework.runtime.stream.wire import StreamConnection

_T = TypeVar("_T")


class LiveStore:
    """Live states, positions and the pointer to the current generation; one thread uses it."""

    def __init__(self, address: Address, names: LiveNames, *, timeout: float = 5.0) -> None:
        """Take where the store is, whose names to use, and the seconds that an exchange may take."""
        self.address = address
        self.names = names
        self._timeout = timeout
        self._connected: StreamConnection | None = None
        self._is_new = False

    def exchange(self, *commands: Sequence[bytes]) -> list[Reply]:
        """Send commands at once and return their replies; the first that is an error is raised."""
        payload = encode_many(commands)
        replies = self._on(lambda connection: connection.exchange(payload, len(commands), self._timeout))
        for reply in replies:
            if isinstance(reply, StoreError):
                self.close()  # a watch may still stand
                raise reply
        return replies

    def pipeline(self, encoded: Sequence[bytes]) -> None:
        """Send encoded commands at once; the first reply that is an error is raised."""
        if not encoded:
            return
        payload = b"".join(encoded)
        for reply in self._on(lambda connection: connection.exchange(payload, len(encoded), self._timeout)):
            if isinstance(reply, StoreError):
                raise reply

    def transact(self, encoded: Iterable[bytes], commands: int) -> list[Reply] | None:
        """Send so many encoded commands as one transaction; None where a name watched before has changed."""
        payload = b"".join([b"*1\r\n$5\r\nMULTI\r\n", *encoded, b"*1\r\n$4\r\nEXEC\r\n"])
        return self._on(lambda connection: connection.transact(payload, commands, self._timeout))

    def generation(self) -> bytes:
        """Return the current generation of live states; begin one where there is none."""
        begun = b"%d" % time.time_ns()
        found = self.exchange((b"SET", self.names.live, begun, b"NX"), (b"GET", self.names.live))[1]
        if not isinstance(found, bytes):
            raise store_error("E6221", f"the store at `{self.address.place}` does not keep what it is given")
        return found

    def positions(self, source: str, partitions: Sequence[str], generation: bytes) -> dict[str, Stored]:
        """Return the partitions' positions as they are kept and as they are read in a generation (E6606)."""
        found = self.exchange((b"MGET", *(self.names.position(source, one) for one in partitions)))[0]
        if not isinstance(found, list):
            raise store_error("E6221", f"the store at `{self.address.place}` does not answer with positions")
        return {
            partition: read_position(stored, partition, generation) if isinstance(stored, bytes) else Stored()
            for partition, stored in zip(partitions, found, strict=True)
        }

    def close(self) -> None:
        """Close its connection, if it has one."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def _on(self, ask: Callable[[StreamConnection], _T]) -> _T:
        if self._connected is None:
            self._connected = StreamConnection(self.address, self._timeout)
            self._is_new = True
        try:
            if self._is_new:  # one that may not begin a transaction must not run its commands either
                self._connected.transact(encode_many([(b"MULTI",), (b"EXEC",)]), 0, self._timeout)
                self._is_new = False
            return ask(self._connected)
        except BaseException:
            self.close()
            raise
