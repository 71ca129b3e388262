"""Which replica reads which partition: leases in the store, shared out evenly among the replicas that live.

A lease saves work and guarantees nothing: two replicas that read one partition for a while are told apart by the
position, which only one of them can move (see `committing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Connection, Reply, StoreError, encode_many, store_error


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """Who asks for leases, and for how many seconds one holds without being renewed."""

    replica: str
    seconds: float = 6.0

    @property
    def renewal(self) -> float:
        """After how many seconds leases are renewed and shares looked at."""
        return self.seconds / 3


class Leases:
    """The leases of one replica on the partitions of one source."""

    def __init__(self, names: LiveNames, source: str, partitions: Sequence[str], terms: LeaseTerms) -> None:
        """Hold nothing yet."""
        self.held: frozenset[str] = frozenset()
        self._partitions = tuple(partitions)
        self._keys = {partition: names.lease(source, partition) for partition in partitions}
        self._replicas = names.replicas(source)
        self._terms = terms
        self._me = terms.replica.encode()

    def renew(self, connection: Connection, timeout: float) -> bool:
        """Renew what is ours, give back what is more than our share, take what is free of it.

        Returns whether `held` is up to date: another replica may have moved a lease meanwhile.
        """
        share = self._share(self._living(connection, timeout))
        keys = list(self._keys.values())
        watched, owners = connection.exchange(encode_many([(b"WATCH", *keys), (b"MGET", *keys)]), 2, timeout)
        _refused(watched, owners)
        if not isinstance(owners, list):
            raise store_error("E6221", "the store answers a question for leases with something else")
        mine = [name for name, owner in zip(self._partitions, owners, strict=True) if owner == self._me]
        free = [name for name, owner in zip(self._partitions, owners, strict=True) if owner is None]
        kept = mine[:share] + free[: max(share - len(mine), 0)]
        lifetime = b"%d" % round(self._terms.seconds * 1000)
        commands: list[tuple[bytes, ...]] = [(b"SET", self._keys[name], self._me, b"PX", lifetime) for name in kept]
        commands += [(b"DEL", self._keys[name]) for name in mine[share:]]
        replies = connection.exchange(encode_many([(b"MULTI",), *commands, (b"EXEC",)]), len(commands) + 2, timeout)
        _refused(*replies)
        self.held = frozenset(mine[:share] if replies[-1] is None else kept)
        return replies[-1] is not None

    def leave(self, connection: Connection, timeout: float) -> None:
        """Give everything back, so that others need not wait for it."""
        keys = [self._keys[name] for name in self.held]
        self.held = frozenset()
        connection.call(b"ZREM", self._replicas, self._me, timeout=timeout)
        if keys:
            owners = connection.call(b"MGET", *keys, timeout=timeout)
            mine = [
                key
                for key, owner in zip(keys, owners if isinstance(owners, list) else (), strict=True)
                if owner == self._me
            ]
            if mine:
                connection.call(b"DEL", *mine, timeout=timeout)

    def _living(self, connection: Connection, timeout: float) -> list[bytes]:
        clock = connection.call(b"TIME", timeout=timeout)  # the store's: those of replicas may differ
        match clock:
            case [bytes(seconds), bytes(rest)]:
                now = int(seconds) * 1000 + int(rest) // 1000
            case _:
                raise store_error("E6221", "the store does not tell its time")
        dead = b"%d" % (now - round(self._terms.seconds * 1000))
        replies = connection.exchange(
            encode_many(
                [
                    (b"ZADD", self._replicas, b"%d" % now, self._me),
                    (b"ZREMRANGEBYSCORE", self._replicas, b"-inf", dead),
                    (b"ZRANGE", self._replicas, b"0", b"-1"),
                ]
            ),
            3,
            timeout,
        )
        _refused(*replies)
        found = replies[-1]
        return sorted(name for name in found if isinstance(name, bytes)) if isinstance(found, list) else [self._me]

    def _share(self, living: Sequence[bytes]) -> int:
        # Those who come first by name take one more where it does not come out even.
        whole, rest = divmod(len(self._partitions), max(len(living), 1))
        return whole + (living.index(self._me) < rest if self._me in living else 0)


def _refused(*replies: Reply) -> None:
    for reply in replies:
        if isinstance(reply, StoreError):
            raise reply
