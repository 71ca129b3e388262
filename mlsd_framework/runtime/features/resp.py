"""A small client of the Redis protocol (RESP 2): one connection, one deadline an exchange.

Sockets and nothing else, for the request path.
"""

import contextlib
import math
import os
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import RunError

Reply: TypeAlias = "bytes | int | StoreError | list[Reply] | None"

_CHUNK = 1 << 16
_LARGEST = 1 << 29  # the protocol's own limit on one value
_PORT = 6379
_NULL = b"$-1\r\n"
_TICK = 0.00025  # seconds; limits of sockets are rounded up to it
_LOOKS = 40  # about as long as it takes to be woken
_LONGEST_SKIP = 63
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class StoreError(RunError):
    """The online store cannot be reached, does not answer in time, refuses, or holds what cannot be read.

    `reply` is the store's own message, where it is one.
    """

    reply: bytes = b""


def store_error(code: str, what: str, *, expected: str | None = None, cure: str | None = None) -> StoreError:
    """Build the error of one fault of the store."""
    return StoreError(Diagnostic(code=code, what=what, expected=expected, help=cure))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store listens and how to log in; shown without its password."""

    host: str = "127.0.0.1"
    port: int = _PORT
    path: str | None = None
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    authority: str | None = None
    cluster: bool = False

    @property
    def place(self) -> str:
        """The address without any secret."""
        return f"unix://{self.path}" if self.path else f"{'rediss' if self.tls else 'redis'}://{self.host}:{self.port}"

    @property
    def nearby(self) -> bool:
        """Whether the store is on this machine, its answers not encrypted."""
        return not self.tls and (self.path is not None or self.host in _LOOPBACK)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read the URL of a store; what cannot be used is refused (E6220).

        redis://[user:password@]host:port/db, rediss:// (TLS; `?ssl_ca_certs=file`) or unix:///path?db=0. With
        `?cluster=true` the host is one node of a cluster, which has one database.
        """
        try:
            parts = urlsplit(url)
            asked = {
                name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()
            }
            database = int(asked.pop("db", "") or (parts.path.strip("/") if parts.scheme != "unix" else "") or 0)
            authority = asked.pop("ssl_ca_certs", None)
            cluster = {"true": True, "false": False}[asked.pop("cluster", "false")]
            login = {
                name: unquote(text) if text else None
                for name, text in (("user", parts.username), ("password", parts.password))
            }
            login["password"] = asked.pop("password", login["password"])
            if asked or parts.scheme not in ("redis", "rediss", "unix") or database < 0 or (cluster and database):
                raise _unclear()
            if parts.scheme == "unix":
                if not parts.path or parts.hostname or cluster:
                    raise _unclear()
                return cls(path=unquote(parts.path), database=database, user=login["user"], password=login["password"])
            return cls(
                parts.hostname or "127.0.0.1",
                parts.port or _PORT,
                None,
                database,
                login["user"],
                login["password"],
                parts.scheme == "rediss",
                authority,
                cluster,
            )
        except (ValueError, KeyError):
            raise _unclear() from None


def _unclear() -> StoreError:
    # The address may hold a password, so it is not repeated.
    return store_error(
        "E6220",
        "the address of the online store is not one that can be used",
        expected="redis://host:6379/0, rediss://host:6379/0 or unix:///path/of/socket",
    )


class _Polling:
    """Receives from a store on this machine: looks for the answer some times before it sleeps until it is there.

    To be woken takes longer than the whole answer of such a store. Where looking does not pay, because the store is
    busy, it is left out for a while, longer each time.
    """

    def __init__(self) -> None:
        self._skipped = self._skips = 0

    def receive(self, source: socket.socket, size: int) -> bytes:
        if self._skipped < self._skips:
            self._skipped += 1
            return source.recv(size)
        for _ in range(_LOOKS):
            try:
                received = source.recv(size, socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()  # the store may want this very core
            else:
                self._skips = 0
                return received
        self._skipped, self._skips = 0, min(2 * self._skips + 1, _LONGEST_SKIP)
        return source.recv(size)


def encode(*arguments: bytes) -> bytes:
    """Encode one command."""
    return b"*%d\r\n" % len(arguments) + b"".join([b"$%d\r\n%b\r\n" % (len(a), a) for a in arguments])


class Connection:
    """One connection; it is used by one thread at a time and thrown away after any failure.

    A late reply would otherwise answer the next question.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        """Connect, log in and choose the database within `timeout` seconds (E6221, E6222, E6225)."""
        self._address = address
        self._buffer = b""
        self._at = 0
        self._deadline = time.monotonic() + timeout
        self._ticks = 0
        self._allowed = timeout
        self._polling = _Polling() if address.nearby else None
        self._socket = self._connect(timeout)
        try:
            self._log_in()
        except BaseException:
            self.close()
            raise

    def exchange(self, payload: bytes, replies: int, timeout: float) -> list[Reply]:
        """Send encoded commands and return their replies.

        Error replies are returned, a failure of the connection or the deadline is raised.
        """
        self.send(payload, timeout)
        return self.receive(replies)

    def send(self, payload: bytes, timeout: float) -> None:
        """Send encoded commands; the deadline of their replies begins now."""
        self._deadline = time.monotonic() + timeout
        self._allowed = timeout
        try:
            self._limit(timeout)
            self._socket.sendall(payload)
        except (TimeoutError, BlockingIOError):
            raise self._late(timeout) from None
        except (OSError, ValueError) as error:
            raise self._broken(error) from error

    def receive(self, replies: int) -> list[Reply]:
        """Return the replies to what was sent."""
        try:
            return [self._reply() for _ in range(replies)]
        except (TimeoutError, BlockingIOError):
            raise self._late(self._allowed) from None
        except (OSError, ValueError) as error:
            raise self._broken(error) from error

    def call(self, *arguments: bytes, timeout: float) -> Reply:
        """Send one command; an error reply is raised (E6225)."""
        reply = self.exchange(encode(*arguments), 1, timeout)[0]
        if isinstance(reply, StoreError):
            raise reply
        return reply

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _connect(self, timeout: float) -> socket.socket:
        address = self._address
        opened: socket.socket | None = None
        try:
            if address.path:
                opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                opened.settimeout(timeout)
                opened.connect(address.path)
                return opened
            opened = socket.create_connection((address.host, address.port), timeout)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.tls:
                return ssl.create_default_context(cafile=address.authority).wrap_socket(
                    opened, server_hostname=address.host
                )
            return opened  # noqa: TRY300 - both ways of connecting end here
        except OSError as error:
            if opened is not None:
                opened.close()
            raise (self._late(timeout) if isinstance(error, TimeoutError) else self._broken(error)) from error

    def _log_in(self) -> None:
        left = max(self._deadline - time.monotonic(), 1e-3)
        if self._address.password:
            user = (self._address.user.encode(),) if self._address.user else ()
            self.call(b"AUTH", *user, self._address.password.encode(), timeout=left)
        if self._address.database:
            self.call(b"SELECT", b"%d" % self._address.database, timeout=left)

    def _limit(self, timeout: float) -> None:
        # The kernel's own limit spares a poll for every send and receive; TLS needs Python's. The kernel counts in
        # milliseconds or more: what differs by less is the same limit, and setting it costs three calls.
        ticks = math.ceil(timeout / _TICK)
        if ticks == self._ticks:
            return
        self._ticks = ticks
        if self._address.tls:
            self._socket.settimeout(ticks * _TICK)
            return
        seconds, rest = divmod(max(round(ticks * _TICK * 1e6), 1), 1_000_000)
        limit = struct.pack("ll", seconds, rest)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def _fill(self, wanted: int) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._at < len(self._buffer):  # a second part of a reply: what is left of the deadline is shorter now
            self._limit(left)
        size = max(_CHUNK, wanted)
        received = self._polling.receive(self._socket, size) if self._polling else self._socket.recv(size)
        if not received:
            raise ConnectionError("the connection was closed")
        self._buffer = self._buffer[self._at :] + received if self._at < len(self._buffer) else received
        self._at = 0

    def _line(self) -> bytes:
        searched = self._at
        while (end := self._buffer.find(b"\r\n", searched)) < 0:
            if len(self._buffer) - self._at > _CHUNK:
                raise ValueError("a line of the reply has no end")
            self._fill(0)
            searched = self._at
        line = self._buffer[self._at : end]
        self._at = end + 2
        return line

    def _reply(self) -> Reply:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return self._bulk(int(rest))
        if kind == b"*":
            number = int(rest)
            return None if number < 0 else self._array(number)
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        if kind == b"-":
            return _refusal(self._address, rest)
        raise ValueError("the reply is not of the Redis protocol")

    def _array(self, number: int) -> list[Reply]:
        # Values that have arrived whole are taken in one loop; whatever else comes goes the long way. A value is mostly
        # as long as the one before, so its head is tried before it is read.
        items: list[Reply] = []
        buffer, at = self._buffer, self._at
        head, length = b"$0\r\n", 0
        for _ in range(number):
            known = buffer.startswith(head, at)
            if not known:
                if buffer.startswith(_NULL, at):
                    items.append(None)
                    at += len(_NULL)
                    continue
                end = buffer.find(b"\r\n", at)
                if end > 0 and buffer[at : at + 1] == b"$" and (said := int(buffer[at + 1 : end])) >= 0:
                    head, length, known = buffer[at : end + 2], said, True
            begin = at + len(head)
            stop = begin + length
            if known and stop + 2 <= len(buffer):
                items.append(buffer[begin:stop])
                at = stop + 2
                continue
            self._at = at
            items.append(self._reply())
            buffer, at = self._buffer, self._at
        self._at = at
        return items

    def _bulk(self, length: int) -> bytes | None:
        if length < 0:
            return None
        if length > _LARGEST:
            raise ValueError("a value is larger than the protocol allows")
        if len(self._buffer) < self._at + length + 2:
            parts, have = [self._buffer[self._at :]], len(self._buffer) - self._at
            while have < length + 2:  # parts are joined once, so that a large value is not copied for each
                self._buffer, self._at = b"\0", 0
                self._fill(length + 2 - have)
                parts.append(self._buffer[1:])
                have += len(parts[-1])
            self._buffer, self._at = b"".join(parts), 0
        value = self._buffer[self._at : self._at + length]
        self._at += length + 2
        return value

    def _late(self, timeout: float) -> StoreError:
        return store_error(
            "E6222", f"the online store at `{self._address.place}` does not answer within {timeout * 1e3:.3g} ms"
        )

    def _broken(self, error: Exception) -> StoreError:
        return store_error("E6221", f"the online store at `{self._address.place}` cannot be reached: {error}")


def _refusal(address: Address, message: bytes) -> StoreError:
    cure = None
    if message.startswith((b"MOVED ", b"CROSSSLOT")) and not address.cluster:
        cure = "it is a node of a cluster: add `?cluster=true` to its address"
    elif message.startswith(b"OOM "):
        cure = "give it more memory: `store_memory` of the environment for the embedded store, else its `maxmemory`"
    error = store_error(
        "E6225",
        f"the online store at `{address.place}` answers: {message.decode(errors='replace')}",
        cure=cure,
    )
    error.reply = message
    return error


class Pool:
    """Connections that are not in use, for any number of threads."""

    def __init__(self, address: Address) -> None:
        """Connect nothing yet."""
        self._address = address
        self._idle: list[Connection] = []

    def exchange(self, payload: bytes, replies: int, timeout: float) -> list[Reply]:
        """Exchange on an idle connection or a new one.

        A connection that broke while idle is replaced once. For commands that may be repeated.
        """
        deadline = time.monotonic() + timeout
        connection = self.idle()
        if connection is not None:
            try:
                return self._on(connection, payload, replies, timeout)
            except StoreError as error:
                if error.diagnostics[0].code != "E6221":
                    raise
                self.close()  # the others are as old
        left = deadline - time.monotonic()
        return self._on(Connection(self._address, left), payload, replies, max(deadline - time.monotonic(), 1e-3))

    def idle(self) -> Connection | None:
        """Take a connection that is not in use, if there is one."""
        try:
            return self._idle.pop()  # pop and append are atomic
        except IndexError:
            return None

    def opened(self, timeout: float) -> Connection:
        """Take a connection that is not in use, or a new one."""
        return self.idle() or Connection(self._address, timeout)

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose replies have all been read."""
        self._idle.append(connection)

    def _on(self, connection: Connection, payload: bytes, replies: int, timeout: float) -> list[Reply]:
        try:
            answers = connection.exchange(payload, replies, timeout)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answers

    def close(self) -> None:
        """Close every idle connection."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()


def encode_many(commands: Sequence[Sequence[bytes]]) -> bytes:
    """Encode several commands, to be sent at once."""
    return b"".join([encode(*command) for command in commands])
