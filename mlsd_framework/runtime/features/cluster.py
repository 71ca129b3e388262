"""The online store as a cluster of nodes: which node holds a key, and what to do when keys move.

Light, as the request path reads through it. Commands to several nodes are sent to all of them before any reply is read.
"""

import time
from binascii import crc_hqx
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mlsd_framework.runtime.features.resp import (
    Address,
    Connection,
    Pool,
    Reply,
    StoreError,
    encode,
    store_error,
)

SLOTS = 16384
_ASKING = encode(b"ASKING")
_WAIT_S = 0.02

Place = tuple[str, int]


def slot_of(name: bytes) -> int:
    """Return the slot of a key: of what stands between the first braces, where that is something."""
    begin = name.find(b"{")
    if begin >= 0:
        end = name.find(b"}", begin + 1)
        if end > begin + 1:
            name = name[begin + 1 : end]
    return crc_hqx(name, 0) % SLOTS


class Cluster:
    """A client of a cluster; safe to share between threads."""

    keys_a_call = 1  # others may be in other slots

    def __init__(self, address: Address) -> None:
        """Take the address of any node; its login and TLS are those of all. Nothing is connected yet."""
        self._seed = address
        self._pools: dict[Place, Pool] = {}
        self._owners: list[Place] = []

    def get(self, names: Sequence[bytes], timeout: float) -> list[Reply]:
        """Return the values of keys, in order."""
        replies = self.run([(name, encode(b"GET", name)) for name in names], timeout)
        # What is no string has no value, as with MGET.
        return [None if isinstance(one, StoreError) and one.reply.startswith(b"WRONGTYPE") else one for one in replies]

    def put(self, pairs: Sequence[tuple[bytes, bytes]], timeout: float) -> None:
        """Set keys."""
        self.run([(name, encode(b"SET", name, content)) for name, content in pairs], timeout)

    def run(self, commands: Sequence[tuple[bytes, bytes]], timeout: float, opening: bytes = b"") -> list[Reply]:
        """Send commands, each with the key that it is about, and return their replies in order.

        A command may be sent twice where a node breaks. `opening` is one command that each node gets first. Raised are
        error replies but for a wrong type (E6225), nodes that cannot be reached (E6221) and late ones (E6222).
        """
        deadline = time.monotonic() + timeout
        replies: list[Reply] = [None] * len(commands)
        left = list(range(len(commands)))
        asked: dict[int, Place] = {}
        while left:
            owners = self._owners or self._learn(deadline)
            routes: dict[Place, list[int]] = {}
            for i in left:
                routes.setdefault(asked.get(i) or owners[slot_of(commands[i][0])], []).append(i)
            again, asked = self._round(commands, routes, asked, replies, deadline, opening)
            if len(again) == len(left) and not asked:
                _wait(deadline, self._seed)
            left = again
        return replies

    def scan(self, pattern: bytes, timeout: float) -> Iterator[list[bytes]]:
        """Yield the names that match, some at a time, from every node."""
        owners = self._owners or self._learn(time.monotonic() + timeout)
        for place in dict.fromkeys(owners):
            yield from scan_pool(self._pool(place), pattern, timeout, replace(self._seed, host=place[0], port=place[1]))

    def close(self) -> None:
        """Close its connections."""
        for pool in self._pools.values():
            pool.close()

    def _round(
        self,
        commands: Sequence[tuple[bytes, bytes]],
        routes: dict[Place, list[int]],
        asked: dict[int, Place],
        replies: list[Reply],
        deadline: float,
        opening: bytes,
    ) -> tuple[list[int], dict[int, Place]]:
        # One exchange with every node; returns what has to be asked again, and where to a node that is taking over.
        sent: list[tuple[Place, Connection, list[int]]] = []
        again: list[int] = []
        moving: dict[int, Place] = {}
        for place, some in routes.items():
            parts = [opening, *((_ASKING if i in asked else b"") + commands[i][1] for i in some)]
            connection = self._send(place, b"".join(parts), deadline)
            if connection is None:
                again += some
            else:
                sent.append((place, connection, some))
        for place, connection, some in sent:
            answers = self._receive(place, connection, bool(opening) + len(some) + sum(i in asked for i in some))
            if answers is None:
                again += some
                continue
            at = iter(answers[bool(opening) :])
            for i in some:
                if i in asked:
                    next(at)
                if self._redirected(i, next(at), place, moving, replies):
                    again.append(i)
        return sorted(again), moving

    def _redirected(self, i: int, answer: Reply, place: Place, moving: dict[int, Place], replies: list[Reply]) -> bool:
        if not isinstance(answer, StoreError) or answer.reply.startswith(b"WRONGTYPE"):
            replies[i] = answer
            return False
        kind, _, rest = answer.reply.partition(b" ")
        if kind == b"MOVED":
            self._owners = []
        elif kind == b"ASK":
            host, _, port = rest.split(b" ")[-1].rpartition(b":")
            moving[i] = (host.decode() or place[0], int(port))
        elif kind not in (b"TRYAGAIN", b"CLUSTERDOWN", b"LOADING"):
            raise answer
        return True

    def _send(self, place: Place, payload: bytes, deadline: float) -> Connection | None:
        connection: Connection | None = None
        try:
            connection = self._pool(place).opened(_left(deadline, self._seed))
            connection.send(payload, _left(deadline, self._seed))
        except StoreError as error:
            if connection is not None:
                connection.close()
            self._lost(place, error)
            return None
        return connection

    def _receive(self, place: Place, connection: Connection, number: int) -> list[Reply] | None:
        try:
            answers = connection.receive(number)
        except StoreError as error:
            connection.close()
            self._lost(place, error)
            return None
        self._pool(place).keep(connection)
        return answers

    def _lost(self, place: Place, error: StoreError) -> None:
        # A node that breaks may have been replaced: the slots are learned again, until the deadline.
        if error.diagnostics[0].code != "E6221":
            raise error
        self._pool(place).close()
        self._owners = []

    def _pool(self, place: Place) -> Pool:
        pool = self._pools.get(place)
        if pool is None:
            pool = self._pools.setdefault(place, Pool(replace(self._seed, host=place[0], port=place[1])))
        return pool

    def _learn(self, deadline: float) -> list[Place]:
        """Ask the nodes who holds which slots, the address given first, until one knows of all."""
        failure: StoreError | None = None
        while True:
            for place in dict.fromkeys([(self._seed.host, self._seed.port), *self._pools]):
                try:
                    answer = self._pool(place).exchange(encode(b"CLUSTER", b"SLOTS"), 1, _left(deadline, self._seed))[0]
                except StoreError as error:
                    failure = failure or error
                    continue
                if isinstance(answer, StoreError):
                    raise answer
                owners = _owners(answer, place[0])
                if owners:
                    self._owners = owners
                    return owners
            _wait(deadline, self._seed, failure)


def scan_pool(pool: Pool, pattern: bytes, timeout: float, address: Address) -> Iterator[list[bytes]]:
    """Yield the names of one node that match, some at a time; the node is not held up."""
    cursor = b"0"
    while True:
        reply = pool.exchange(encode(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"5000"), 1, timeout)[0]
        match reply:
            case StoreError():
                raise reply
            case [bytes() as cursor, list() as found]:
                names = [name for name in found if isinstance(name, bytes)]
                if names:
                    yield names
                if cursor == b"0":
                    return
            case _:
                raise store_error("E6221", f"the online store at `{address.place}` answers a scan with something else")


def _owners(answer: Reply, host: str) -> list[Place] | None:
    owners: list[Place | None] = [None] * SLOTS
    for one in answer if isinstance(answer, list) else ():
        match one:
            case [int() as first, int() as last, [name, int() as port, *_], *_]:
                place = (name.decode() if isinstance(name, bytes) and name not in (b"", b"?") else host, port)
                owners[first : last + 1] = [place] * (last + 1 - first)
    return None if None in owners else owners  # type: ignore[return-value] # none is missing


def _left(deadline: float, address: Address) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise store_error("E6222", f"the cluster at `{address.place}` does not answer in time")
    return left


def _wait(deadline: float, address: Address, failure: StoreError | None = None) -> None:
    if deadline - time.monotonic() <= _WAIT_S and failure is not None:
        raise failure
    time.sleep(min(_WAIT_S, _left(deadline, address)))
