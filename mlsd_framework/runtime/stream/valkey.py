"""Valkey (or Redis) streams as a source: one stream a partition, read from explicit positions, shared out by leases.

`payments` has one partition, `payments.0`, `payments.1` … are those of a stream of several. An entry has one field `e`:
an event as JSON, or an array of events; other fields are not looked at.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address, Reply, StoreError, encode
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.leases import Leases, LeaseTerms
from mlsd_framework.runtime.stream.source import Assignment, Chunk, Lag
from mlsd_framework.runtime.stream.wire import Entries, StreamConnection

_START = "0-0"
_TRIMMING_S = 5.0


def partitions_of(stream: str, number: int) -> tuple[str, ...]:
    """Return the names of the streams that hold the partitions of `stream`."""
    return (stream,) if number == 1 else tuple(f"{stream}.{at}" for at in range(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeySettings:
    """A stream in a store: where it is, in how many partitions, and how long read entries are kept (None: for ever).

    Entries are removed when they are both read and older than `retention`.
    """

    address: Address
    stream: str
    partitions: int = 1
    retention: timedelta | None = None
    timeout: float = 5.0


@dataclass(slots=True)
class _Place:
    """How far one stream has been read, and how far it had been removed when we last looked."""

    after: str
    count: int | None
    removed: str = _START
    lost: int = 0


class ValkeyStream:
    """The partitions of a stream that this replica has leases on; a `StreamSource`; without any a `RetainedStream`."""

    def __init__(self, settings: ValkeySettings, names: LiveNames, terms: LeaseTerms | None) -> None:
        """Connect nothing yet; without `terms` all partitions are read, and none is leased."""
        self.name = settings.stream
        self._settings = settings
        self._terms = terms
        self._partitions = partitions_of(settings.stream, settings.partitions)
        self._leases = Leases(names, settings.stream, self._partitions, terms) if terms is not None else None
        self._assignment = Assignment()
        self._places: dict[str, _Place] = {}
        self._connected: StreamConnection | None = None
        self._renew_at = 0.0
        self._trim_at: dict[str, float] = {}

    def open(self, assignment: Assignment, log: Log) -> None:
        """Take part."""
        del log
        self._assignment = assignment
        if self._leases is None:
            assignment.assigned(self._partitions)

    def poll(self, limit: int, timeout: float) -> list[Chunk]:
        """Return entries; `limit` is shared out among the partitions."""
        with self._connection() as connection:
            self._renewed(connection)
            placed = sorted(self._assignment.held - self._assignment.unplaced)
            wait = timeout if self._leases is None else max(min(timeout, self._renew_at - time.monotonic()), 0.001)
            if not placed:
                if not self._assignment.unplaced:
                    time.sleep(wait)
                return []
            command = encode(
                b"XREAD",
                b"COUNT", b"%d" % max(limit // len(placed), 1),
                b"BLOCK", b"%d" % max(round(wait * 1000), 1),
                b"STREAMS",
                *(name.encode() for name in placed),
                *(self._places[name].after.encode() for name in placed),
            )  # fmt: skip
            return [self._chunk(found) for found in connection.read_entries(command, wait + self._settings.timeout)]

    def seek(self, partition: str, after: str | None, count: int | None = None) -> None:
        """Go on after an entry, or from the first that is left."""
        place = self._places[partition] = _Place(after or _START, 0 if after is None else count)
        with self._connection() as connection:
            self._look(connection, partition, place)

    def lag(self, partition: str) -> Lag:
        """Return how many entries there are after the last that was read, and for how long the newest has waited."""
        place = self._places.get(partition)
        if place is None:
            return Lag(None, None)
        with self._connection() as connection:
            state = self._look(connection, partition, place)
        newest = state.get("last-generated-id", _START)
        if not isinstance(newest, str) or _order(newest) <= _order(place.after):
            return Lag(0, 0.0)
        added = _number(state, "entries-added")
        # What was read up to now is what was waited for: the age of the last entry read bounds the wait of the next.
        read = _order(place.after)[0]
        seconds = time.time() - read / 1000 if read else None
        return Lag(None if place.count is None else max(added - place.count, 0), seconds)

    def lost(self, partition: str) -> int:
        """Return how many entries were trimmed before they were read; at least 1 where they cannot be counted."""
        place = self._places.get(partition)
        if place is None or not place.lost:
            return 0
        lost, place.lost = place.lost, 0
        return lost

    def ends(self) -> dict[str, str]:
        """Return the id of each partition's last entry, whether it is still there or not."""
        with self._connection() as connection:
            found = {name: self._state(connection, name).get("last-generated-id") for name in self._partitions}
        return {name: at for name, at in found.items() if isinstance(at, str) and at != _START}

    def has_reached(self, ends: Mapping[str, str]) -> bool:
        """Say whether what is left of each partition up to an entry has been read."""
        with self._connection() as connection:
            return not any(self._has_more(connection, name, at) for name, at in ends.items())

    def committed(self, positions: dict[str, str]) -> None:
        """Trim entries that are both read and old."""
        now = time.monotonic()
        due = [name for name in positions if self._trim_at.get(name, 0.0) <= now]
        if self._settings.retention is None or not due:
            return
        old = round((time.time() - self._settings.retention.total_seconds()) * 1000)
        with self._connection() as connection:
            for name in due:
                self._trim_at[name] = now + _TRIMMING_S
                behind = min(_order(positions[name]), (max(old, 0), 0))
                connection.call(
                    b"XTRIM", name.encode(), b"MINID", b"~", b"%d-%d" % behind, timeout=self._settings.timeout
                )

    def close(self) -> None:
        """Give the leases back; where the store does not answer they expire."""
        if self._leases is not None:
            with contextlib.suppress(StoreError), self._connection() as connection:
                self._leases.leave(connection, min(self._settings.timeout, 1.0))
        self._assignment.revoked(list(self._assignment.held))
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    @contextlib.contextmanager
    def _connection(self) -> Iterator[StreamConnection]:
        if self._connected is None:
            self._connected = StreamConnection(self._settings.address, self._settings.timeout)
        try:
            yield self._connected
        except BaseException:
            # A late reply would answer the next question. Leases are looked at again at once.
            self._connected.close()
            self._connected = None
            self._renew_at = 0.0
            raise

    def _renewed(self, connection: StreamConnection) -> None:
        if self._leases is None or self._terms is None or time.monotonic() < self._renew_at:
            return
        before = self._assignment.held
        complete = self._leases.renew(connection, self._settings.timeout)
        self._renew_at = time.monotonic() + (self._terms.renewal if complete else 0.0)
        gone = before - self._leases.held
        for name in gone:
            self._places.pop(name, None)
        self._assignment.revoked(list(gone))
        self._assignment.assigned(sorted(self._leases.held - before))

    def _chunk(self, found: Entries) -> Chunk:
        name = found.stream.decode()
        place = self._places[name]
        positions = _Positions(found.ids)
        place.after = positions[-1]
        if place.count is not None:
            place.count += len(positions)
        return Chunk(
            partition=name,
            payloads=[b"" if content is None else content for content in found.contents],
            positions=positions,
            times=_times(found.ids),
            count=place.count,
        )

    def _look(self, connection: StreamConnection, partition: str, place: _Place) -> Mapping[str, str | int]:
        """Ask how the stream is; notice what was removed unread, and count anew where all has been read."""
        state = self._state(connection, partition)
        if not state:
            return state
        added = _number(state, "entries-added")
        removed = str(state.get("max-deleted-entry-id", _START))
        first = added - _number(state, "length")
        if _order(removed) > max(_order(place.after), _order(place.removed)):
            place.removed = removed
            known = place.count is not None and place.after != _START
            place.lost += max(first - (place.count or 0), 1) if known else 1 if place.after != _START else 0
            place.count = first if place.count is not None else None
        elif str(state.get("last-generated-id")) == place.after:
            if place.count is not None and added > place.count:
                place.lost += added - place.count
            place.count = added
        return state

    def _state(self, connection: StreamConnection, partition: str) -> Mapping[str, str | int]:
        """Return what the store says of a stream; nothing where there is none."""
        try:
            return _pairs(connection.call(b"XINFO", b"STREAM", partition.encode(), timeout=self._settings.timeout))
        except StoreError as fault:
            if "no such key" not in fault.diagnostics[0].what:
                raise
            return {}

    def _has_more(self, connection: StreamConnection, partition: str, until: str) -> bool:
        after = self._places[partition].after
        if _order(after) >= _order(until):
            return False
        # The last entries may have been removed: then nothing comes that would lie at the end or beyond.
        found = connection.call(
            b"XRANGE", partition.encode(), b"(" + after.encode(), until.encode(), b"COUNT", b"1",
            timeout=self._settings.timeout,
        )  # fmt: skip
        return bool(found)


class _Positions(Sequence[str]):
    """Ids of entries as texts, made when one is asked for: most never are."""

    def __init__(self, ids: list[bytes]) -> None:
        self._ids = ids

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> "_Positions": ...

    def __getitem__(self, at: int | slice) -> "str | _Positions":
        return _Positions(self._ids[at]) if isinstance(at, slice) else self._ids[at].decode()

    def __len__(self) -> int:
        return len(self._ids)


def _times(ids: list[bytes]) -> NDArray[np.int64]:
    """Return the microseconds at which ids, which are in order, say that they were made."""
    digits = ids[0].index(b"-")
    if digits != ids[-1].index(b"-"):
        return np.array([_order(one.decode())[0] * 1000 for one in ids], np.int64)
    heads = np.array(ids, np.bytes_)
    numbers = heads.view(np.uint8).reshape(len(ids), -1)[:, :digits].astype(np.int64) - ord("0")
    return numbers @ (10 ** np.arange(digits - 1, -1, -1, dtype=np.int64) * 1000)


def _order(name: str) -> tuple[int, int]:
    milliseconds, _, sequence = name.partition("-")
    return int(milliseconds), int(sequence or 0)


def _number(state: Mapping[str, str | int], name: str) -> int:
    value = state.get(name, 0)
    return value if isinstance(value, int) else 0


def _pairs(reply: Reply) -> dict[str, str | int]:
    found = reply if isinstance(reply, list) else []
    return {
        name.decode(): value.decode(errors="replace") if isinstance(value, bytes) else value
        for name, value in zip(found[::2], found[1::2], strict=False)
        if isinstance(name, bytes) and isinstance(value, bytes | int)
    }
