"""The store as those see it who write rows, whether it is one server or a cluster."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from mlsd_framework.runtime.features.cluster import Cluster, scan_pool
from mlsd_framework.runtime.features.resp import Address, Pool, Reply, StoreError, encode

_PAIRS = 256  # pairs a command: enough to pay for it, few enough that readers wait no millisecond


class Client(Protocol):
    """What one server and a cluster have in common; error replies are raised (E6225), commands may be sent twice.

    `keys_a_call` is how many keys one command may name.
    """

    keys_a_call: int

    def get(self, names: Sequence[bytes], timeout: float) -> list[Reply]:
        """Return the values of keys, in order; null for what is absent or no string."""

    def put(self, pairs: Sequence[tuple[bytes, bytes]], timeout: float) -> None:
        """Set keys."""

    def run(self, commands: Sequence[tuple[bytes, bytes]], timeout: float, opening: bytes = b"") -> list[Reply]:
        """Send encoded commands, each with the key that it is about, and return their replies in order.

        `opening` is one command that every server gets first.
        """

    def scan(self, pattern: bytes, timeout: float) -> Iterator[list[bytes]]:
        """Yield the names that match, some at a time."""

    def close(self) -> None:
        """Close its connections."""


class Server:
    """One server; safe to share between threads."""

    keys_a_call = _PAIRS

    def __init__(self, address: Address) -> None:
        """Connect nothing yet."""
        self._address = address
        self._pool = Pool(address)

    def get(self, names: Sequence[bytes], timeout: float) -> list[Reply]:
        """Return the values of keys, in order, all of one moment."""
        if not names:
            return []
        reply = self._pool.exchange(encode(b"MGET", *names), 1, timeout)[0]
        if isinstance(reply, StoreError):
            raise reply
        return reply if isinstance(reply, list) else []

    def put(self, pairs: Sequence[tuple[bytes, bytes]], timeout: float) -> None:
        """Set keys, some hundred a command."""
        commands = []
        for at in range(0, len(pairs), _PAIRS):
            some = pairs[at : at + _PAIRS]
            body = b"".join([b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(k), k, len(v), v) for k, v in some])
            commands.append((b"", b"*%d\r\n$4\r\nMSET\r\n%b" % (2 * len(some) + 1, body)))
        self.run(commands, timeout)

    def run(self, commands: Sequence[tuple[bytes, bytes]], timeout: float, opening: bytes = b"") -> list[Reply]:
        """Send encoded commands and return their replies in order."""
        if not commands:
            return []
        number = len(commands) + bool(opening)
        payload = opening + b"".join([command for _, command in commands])
        replies = self._pool.exchange(payload, number, timeout)
        for reply in replies:
            if isinstance(reply, StoreError):
                raise reply
        return replies[bool(opening) :]

    def scan(self, pattern: bytes, timeout: float) -> Iterator[list[bytes]]:
        """Yield the names that match, some at a time."""
        return scan_pool(self._pool, pattern, timeout, self._address)

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()


def client_of(address: Address) -> Client:
    """Return the client for an address."""
    return Cluster(address) if address.cluster else Server(address)
