"""The online store as the service reads it: rows of several groups in one round trip, all of one generation.

    <system>:<features>                               the pointer: which generation is published
    <system>:<features>:<generation>:<group>:<key>    one packed row

`features` is the fingerprint of the feature definitions that a bundle was built with, so a bundle never meets rows of
other definitions. Every materialisation writes a generation of its own and then moves the pointer (see `publishing`).
A reader asks for the pointer together with the rows, in one MGET, which the store answers atomically: where the
pointer has moved, the rows are asked for again, once, under the new one. A cluster answers for each key by itself: the
rows of a generation are all there before its pointer is, and stay for a while after it. Imports are light: no numpy, no
polars.
"""

from collections.abc import Sequence

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.breaker import Breaker
from mlsd_framework.runtime.features.cluster import Cluster
from mlsd_framework.runtime.features.dtypes import Value
from mlsd_framework.runtime.features.keys import KeyPart, encode_key, escape
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.resp import Address, Pool, Reply, StoreError, store_error

_SWITCHES = 3  # how often the pointer may move during one read


class OnlineStore:
    """The rows of one system's feature groups; safe to share between threads."""

    def __init__(
        self,
        address: Address,
        system: str,
        features: str,
        layouts: Sequence[RowLayout],
        *,
        timeout: float = 0.05,
        breaker: Breaker | None = None,
    ) -> None:
        """Take where the store is, whose rows to read, and the budget of a read in seconds.

        Nothing is connected yet.
        """
        self.address = address
        self.layouts = {layout.group: layout for layout in layouts}
        self.pointer = escape(system) + b":" + escape(features)
        self._asked_pointer = _bulk(self.pointer)
        self._timeout = timeout
        self._breaker = breaker or Breaker()
        self._pool = Pool(address)
        self._cluster = Cluster(address) if address.cluster else None
        self._published: tuple[bytes, dict[str, bytes]] = (b"", {})

    @classmethod
    def connect(
        cls, url: str, *, system: str, features: str, layouts: Sequence[RowLayout], timeout: float = 0.05
    ) -> "OnlineStore":
        """Make a store of a redis://, rediss:// or unix:// URL.

        It connects when it is first read and again whenever it must.
        """
        return cls(Address.parse(url), system, features, layouts, timeout=timeout)

    def read(
        self, asked: Sequence[tuple[str, Sequence[KeyPart]]], timeout: float | None = None
    ) -> list[tuple[Value, ...]]:
        """Return a row for every (group, key), in order.

        A key that was never seen, or has a null, has the group's defaults.

        Raises StoreError: unreachable (E6221), late (E6222), left alone after failures (E6223), nothing published
        (E6224), refused (E6225); and RunError for a row that cannot be read (E6211, E6212) or a key of a wrong type
        (E6226).
        """
        layouts = [self.layouts[group] for group, _ in asked]
        names: list[tuple[str, bytes]] = []
        unseen: list[int] = []
        for at, (group, key) in enumerate(asked):
            if len(key) != len(layouts[at].entity):
                raise _misfit(layouts[at], key)
            encoded = encode_key(key)
            if encoded is None:
                unseen.append(at)
            else:
                names.append((group, encoded))
        rows = self.rows(names, timeout) if names else []
        for at in unseen:
            rows.insert(at, None)
        return [layout.unpack(row) for layout, row in zip(layouts, rows, strict=True)]

    @property
    def as_of(self) -> int | None:
        """The moment, in microseconds UTC, as of which the rows of the last read were computed.

        None before the first read.
        """
        generation = self._published[0]
        return int(generation.partition(b"-")[2]) if generation else None

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()
        if self._cluster:
            self._cluster.close()

    def rows_prefix(self, generation: bytes, group: str) -> bytes:
        """Return what the names of a generation's rows of a group begin with."""
        return b"%b:%b:%b:" % (self.pointer, generation, escape(group))

    def add(self, layout: RowLayout) -> None:
        """Read another group's rows from now on, or one's that has changed."""
        self.layouts = {**self.layouts, layout.group: layout}

    def rows(self, names: Sequence[tuple[str, bytes]], timeout: float | None = None) -> list[bytes | None]:
        """Return the packed row of every (group, encoded key), in order; raises as `read` does."""
        allowed = self._timeout if timeout is None else timeout
        for _ in range(_SWITCHES):
            generation, prefixes = self._published
            reply = self._exchange(generation, prefixes, names, allowed)
            if not isinstance(reply, list) or not reply or not isinstance(reply[0], bytes):
                raise store_error(
                    "E6224",
                    f"the online store holds no published features for `{self.pointer.decode()}`",
                    cure="materialise the features first",
                )
            if reply[0] == generation:
                return reply[1:]  # type: ignore[return-value] # values and nulls only
            self._published = (reply[0], _Prefixes(self, reply[0]))
        raise store_error("E6222", "the online store publishes features faster than they can be read")

    def _exchange(
        self, generation: bytes, prefixes: dict[str, bytes], names: Sequence[tuple[str, bytes]], timeout: float
    ) -> Reply:
        # The pointer and, under the generation that is known, the rows.
        if not self._breaker.allows():
            raise store_error(
                "E6223",
                f"the online store at `{self.address.place}` failed repeatedly and is left alone for a moment",
            )
        try:
            if self._cluster:
                rows = [prefixes[group] + key for group, key in names] if generation else []
                reply: Reply = self._cluster.get([self.pointer, *rows], timeout)
            else:
                reply = self._pool.exchange(self._asked(generation, prefixes, names), 1, timeout)[0]
            if isinstance(reply, StoreError):
                raise reply
        except StoreError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return reply

    def _asked(self, generation: bytes, prefixes: dict[str, bytes], names: Sequence[tuple[str, bytes]]) -> bytes:
        if not generation:
            return b"*2\r\n$4\r\nMGET\r\n" + self._asked_pointer
        rows = b"".join(
            [b"$%d\r\n%b%b\r\n" % (len(prefixes[group]) + len(key), prefixes[group], key) for group, key in names]
        )
        return b"*%d\r\n$4\r\nMGET\r\n%b%b" % (len(names) + 2, self._asked_pointer, rows)


class _Prefixes(dict[str, bytes]):
    """What the names of a generation's rows begin with, by group."""

    def __init__(self, store: OnlineStore, generation: bytes) -> None:
        super().__init__({group: store.rows_prefix(generation, group) for group in store.layouts})
        self._made = (store, generation)

    def __missing__(self, group: str) -> bytes:
        store, generation = self._made
        return self.setdefault(group, store.rows_prefix(generation, group))


def _misfit(layout: RowLayout, key: Sequence[KeyPart]) -> RunError:
    return RunError.of(
        "E6226",
        f"a key of `{layout.group}` has {len(key)} parts",
        expected=f"{len(layout.entity)}: {', '.join(layout.entity)}",
    )


def _bulk(content: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(content), content)
