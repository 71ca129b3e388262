"""The online store as the service reads it: rows of several groups in one round trip, all of one generation.

    <system>:<features>                               the pointer: which generation is published
    <system>:<features>:<generation>:<group>:<key>    one packed row
    <system>:<features>:live…                         the same for states of live groups (see `LiveNames`)

`features` is the fingerprint of the feature definitions that a bundle was built with, so a bundle never meets rows of
other definitions. Every materialisation writes a generation of its own and then moves the pointer (see `publishing`).
A live group's states have a pointer and generations of their own, which change when they are rebuilt. A reader asks for
the pointers together with the rows, in one MGET, which the store answers atomically: where one has moved, the rows are
asked for again, once, under the new one. A cluster answers for each key by itself: the rows of a generation are all
there before its pointer is, and stay for a while after it. Imports are light: no numpy, no polars.
"""

from collections.abc import Container, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.breaker import Breaker
from mlsd_framework.runtime.features.cluster import Cluster
from mlsd_framework.runtime.features.dtypes import Value
from mlsd_framework.runtime.features.keys import KeyPart, encode_key, encode_parts, escape
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.resp import Address, Pool, Reply, StoreError, store_error

if TYPE_CHECKING:
    from mlsd_framework.runtime.state.layout import StateLayout

    Layout = RowLayout | StateLayout
    _Names = Sequence[tuple[str, Sequence[bytes]]]

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
        live: "Sequence[StateLayout]" = (),
        timeout: float = 0.05,
        breaker: Breaker | None = None,
    ) -> None:
        """Take where the store is, whose rows and states to read, and the budget of a read in seconds.

        Nothing is connected yet.
        """
        self.address = address
        self.layouts = {layout.group: layout for layout in layouts}
        self._live = {layout.group.name: layout for layout in live}
        names = LiveNames(system, features)
        self.pointer = names.root
        self._names = names
        # What says which generations are current: that of the rows, unless all groups are live, and that of the states.
        self._pointers = ((names.root,) if layouts or not live else ()) + ((names.live,) if live else ())
        self._asked_pointers = b"".join(_bulk(pointer) for pointer in self._pointers)
        self._timeout = timeout
        self._breaker = breaker or Breaker()
        self._pool = Pool(address)
        self._cluster = Cluster(address) if address.cluster else None
        self._published: tuple[list[bytes], dict[str, bytes]] = ([], {})

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        system: str,
        features: str,
        layouts: Sequence[RowLayout],
        live: "Sequence[StateLayout]" = (),
        timeout: float = 0.05,
    ) -> "OnlineStore":
        """Make a store of a redis://, rediss:// or unix:// URL.

        It connects when it is first read and again whenever it must.
        """
        return cls(Address.parse(url), system, features, layouts, live=live, timeout=timeout)

    def read(
        self, asked: Sequence[tuple[str, Sequence[KeyPart]]], timeout: float | None = None, at: int = 0
    ) -> list[tuple[Value, ...]]:
        """Return a row for every (group, key), in order.

        A key that was never seen, or has a null, has the group's defaults. States are finished `at` a moment, in
        microseconds UTC.

        Raises StoreError: unreachable (E6221), late (E6222), left alone after failures (E6223), nothing published
        (E6224), refused (E6225); and RunError for a row or a state that cannot be read (E6211 to E6214) or a key of a
        wrong type (E6226).
        """
        layouts = self._layouts_of(asked)
        return _finished(layouts, self._packed(asked, layouts, timeout), at)

    def read_stamped(
        self,
        asked: Sequence[tuple[str, Sequence[KeyPart]]],
        stamped: Container[str],
        timeout: float | None = None,
        at: int = 0,
    ) -> tuple[list[tuple[Value, ...]], bytes]:
        """Return what `read` does, and a digest of what the store holds for the keys of the groups `stamped`.

        The digest stays the same until one of their rows or states is written again, whatever `at` is.
        """
        layouts = self._layouts_of(asked)
        packed = self._packed(asked, layouts, timeout)
        digest = blake2b(digest_size=16)
        for (group, _), row in zip(asked, packed, strict=True):
            if group in stamped:
                digest.update(b"-" if row is None else b"%d:%b" % (len(row), row))
        return _finished(layouts, packed, at), digest.digest()

    def read_packed(
        self, asked: Sequence[tuple[str, Sequence[Sequence[KeyPart]]]], timeout: float | None = None
    ) -> list[list[bytes | None]]:
        """Return the packed rows or states of many keys of each group; none for a key not seen or with a null.

        Keys are given part by part: [parts][keys]. Raises what `read` does, as far as the store and the keys go.
        """
        encoded: dict[tuple[int, ...], list[bytes | None]] = {}
        keys: list[list[bytes | None]] = []
        for group, parts in asked:
            layout = self.layout(group)
            if len(parts) != len(layout.entity):
                raise _misfit(group, layout, parts)
            same = tuple(map(id, parts))  # groups of one entity are asked for with the very same lists
            if same not in encoded:
                encoded[same] = encode_parts(parts)
            keys.append(encoded[same])
        names = [(group, [key for key in own if key is not None]) for (group, _), own in zip(asked, keys, strict=True)]
        rows = iter(self._rows(names, timeout) if any(own for _, own in names) else ())
        return [[None if key is None else next(rows) for key in own] for own in keys]

    def _layouts_of(self, asked: Sequence[tuple[str, Sequence[KeyPart]]]) -> "list[Layout]":
        return [self.layout(group) for group, _ in asked]

    def _packed(
        self, asked: Sequence[tuple[str, Sequence[KeyPart]]], layouts: "Sequence[Layout]", timeout: float | None
    ) -> list[bytes | None]:
        """Return the packed row of every (group, key), in order; none for a key with a null."""
        names: list[tuple[str, bytes]] = []
        unseen: list[int] = []
        for place, (group, key) in enumerate(asked):
            if len(key) != len(layouts[place].entity):
                raise _misfit(group, layouts[place], key)
            encoded = encode_key(key)
            if encoded is None:
                unseen.append(place)
            else:
                names.append((group, encoded))
        rows = self.rows(names, timeout) if names else []
        for place in unseen:
            rows.insert(place, None)
        return rows

    @property
    def as_of(self) -> int | None:
        """The moment, in microseconds UTC, as of which the rows of the last read were computed.

        None before the first read, and where all groups are live.
        """
        generations = self._published[0]
        return int(generations[0].partition(b"-")[2]) if generations and self._pointers[0] == self.pointer else None

    def layout(self, group: str) -> "RowLayout | StateLayout":
        """Return the layout of a group's rows or states."""
        return self.layouts.get(group) or self._live[group]

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()
        if self._cluster:
            self._cluster.close()

    def rows_prefix(self, generation: bytes, group: str) -> bytes:
        """Return what the names of a generation's rows of a group begin with."""
        return b"%b:%b:%b:" % (self.pointer, generation, escape(group))

    def prefix(self, generations: Sequence[bytes], group: str) -> bytes:
        """Return what the names of a group's rows or states begin with, under the current generations."""
        if group in self._live:
            return self._names.states(generations[-1], group)
        return self.rows_prefix(generations[0], group)

    def add(self, layout: RowLayout) -> None:
        """Read another group's rows from now on, or one's that has changed."""
        self.layouts = {**self.layouts, layout.group: layout}

    def rows(self, names: Sequence[tuple[str, bytes]], timeout: float | None = None) -> list[bytes | None]:
        """Return the packed row of every (group, encoded key), in order; raises as `read` does."""
        return self._rows([(group, (key,)) for group, key in names], timeout)

    def _rows(self, names: "_Names", timeout: float | None) -> list[bytes | None]:
        """Return the packed row of each group's encoded keys, in order."""
        allowed = self._timeout if timeout is None else timeout
        for _ in range(_SWITCHES):
            generations, prefixes = self._published
            reply = self._exchange(generations, prefixes, names, allowed)
            known = len(generations)
            if known and isinstance(reply, list) and reply[:known] == generations:
                return reply[known:]  # type: ignore[return-value] # values and nulls only
            if not isinstance(reply, list) or not self._are_known(reply):
                raise store_error(
                    "E6224",
                    f"the online store holds no published features for `{self.pointer.decode()}`",
                    cure="materialise the features first",
                )
            current: list[bytes] = reply[: len(self._pointers)]  # type: ignore[assignment] # as was looked at
            self._published = (current, _Prefixes(self, current))
        raise store_error("E6222", "the online store publishes features faster than they can be read")

    def _are_known(self, reply: "list[Reply]") -> bool:
        return bool(reply) and all(isinstance(one, bytes) for one in reply[: len(self._pointers)])

    def _exchange(self, known: list[bytes], prefixes: dict[str, bytes], names: "_Names", timeout: float) -> Reply:
        # The pointers and, under the generations that are known, the rows.
        if not self._breaker.allows():
            raise store_error(
                "E6223",
                f"the online store at `{self.address.place}` failed repeatedly and is left alone for a moment",
            )
        try:
            if self._cluster:
                rows = [prefixes[group] + key for group, keys in names for key in keys] if known else []
                reply: Reply = self._cluster.get([*self._pointers, *rows], timeout)
            else:
                reply = self._pool.exchange(self._asked(known, prefixes, names), 1, timeout)[0]
            if isinstance(reply, StoreError):
                raise reply
        except StoreError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return reply

    def _asked(self, known: list[bytes], prefixes: dict[str, bytes], names: "_Names") -> bytes:
        if not known:
            return b"*%d\r\n$4\r\nMGET\r\n%b" % (len(self._pointers) + 1, self._asked_pointers)
        rows = b"".join([_bulks(prefixes[group], keys) for group, keys in names if keys])
        number = sum([len(keys) for _, keys in names]) + len(self._pointers) + 1
        return b"*%d\r\n$4\r\nMGET\r\n%b%b" % (number, self._asked_pointers, rows)


class _Prefixes(dict[str, bytes]):
    """What the names of the current generations' rows and states begin with, by group, found when it is asked for."""

    def __init__(self, store: OnlineStore, generations: list[bytes]) -> None:
        super().__init__()
        self._made = (store, generations)

    def __missing__(self, group: str) -> bytes:
        store, generations = self._made
        return self.setdefault(group, store.prefix(generations, group))


def _finished(layouts: "Sequence[Layout]", packed: Sequence[bytes | None], at: int) -> list[tuple[Value, ...]]:
    return [
        layout.unpack(row) if isinstance(layout, RowLayout) else layout.finish(row, at)
        for layout, row in zip(layouts, packed, strict=True)
    ]


def _misfit(group: str, layout: "Layout", key: Sequence[object]) -> RunError:
    return RunError.of(
        "E6226",
        f"a key of `{group}` has {len(key)} parts",
        expected=f"{len(layout.entity)}: {', '.join(layout.entity)}",
    )


def _bulk(content: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(content), content)


def _bulks(prefix: bytes, keys: Sequence[bytes]) -> bytes:
    """Encode names that begin alike: what stands before a key depends on its length alone."""
    if len(keys) == 1:
        return _bulk(prefix + keys[0])
    heads = {length: b"$%d\r\n%b" % (len(prefix) + length, prefix) for length in set(map(len, keys))}
    return b"\r\n".join([heads[len(key)] + key for key in keys]) + b"\r\n"
