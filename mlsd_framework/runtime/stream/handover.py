"""From the log to the stream: what the stream still has and the log does not is added to states that nobody reads yet.

States remember the source keys of old events only for a while. So it is the log itself that says which events of the
stream it has, however many these are.
"""

import time
from collections import Counter, deque

import msgspec
import numpy as np
import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.compiled import Flags, Integers
from mlsd_framework.runtime.features.resp import StoreError
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.state.encode import identities
from mlsd_framework.runtime.stream.committing import letter
from mlsd_framework.runtime.stream.compaction import Compaction, CompactionBounds
from mlsd_framework.runtime.stream.decoding import Decoder
from mlsd_framework.runtime.stream.letters import WrittenLetters
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource, expiry_ms, feed
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.position import Position, order_of
from mlsd_framework.runtime.stream.progress import moved, watermark
from mlsd_framework.runtime.stream.recent import RecentEvents
from mlsd_framework.runtime.stream.source import Assignment, Chunk, RetainedStream

_PAYLOADS = 4096  # a batch, as an updater's
_POLL_S = 0.2
_PATIENCE_S = 30.0
_BOUNDS = CompactionBounds(states=4096, octets=1 << 24)


class Handover:
    """Reads a source's stream from its oldest payload into the states of a generation, and knows how far it came."""

    def __init__(self, store: LiveStore, generation: bytes, live: LiveSource, events: pl.DataFrame) -> None:
        """Take the log that the states were made of; keep one word of each of its events."""
        self.added = self.lost = 0
        self.states: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self._store = store
        self._generation = generation
        self._live = live
        self._known = np.sort(identities(events, live.table.key))
        self._begun = Position(at="", generation=generation.decode(), watermark=watermark(events, live))
        self._positions: dict[str, Position] = {}
        self._decoder = Decoder.of(live)
        self._recent = RecentEvents(live.table.key)
        self._compaction = Compaction(_BOUNDS)
        self._rejected: deque[tuple[str, str, tuple[bytes, ...]]] = deque(maxlen=live.dead_letters)
        self._written = WrittenLetters(store, live.name)

    def begin(self, stream: RetainedStream, log: Log) -> None:
        """Take all partitions of the stream, from the oldest payload on."""
        assignment = Assignment()
        stream.open(assignment, log)
        self._positions = dict.fromkeys(sorted(assignment.held), self._begun)
        for partition in self._positions:
            stream.seek(partition, None)
        assignment.unplaced.clear()

    def read_on(self, stream: RetainedStream) -> None:
        """Read up to where the stream ends now, in batches; payloads that come meanwhile may be among them.

        Raises StoreError, and RunError where a stream gives no payload for half a minute (E6612).
        """
        ends = stream.ends()
        until = time.monotonic() + _PATIENCE_S
        while not stream.has_reached(ends):
            chunks = [chunk for chunk in stream.poll(_PAYLOADS, _POLL_S) if chunk.payloads]
            if chunks:
                self._add(chunks)
                until = time.monotonic() + _PATIENCE_S
            elif time.monotonic() > until:
                raise RunError.of(
                    "E6612",
                    f"stream `{stream.name}` gives nothing for {_PATIENCE_S:g} s, and is not read to its end",
                )
        for partition in self._positions:
            stream.lag(partition)  # notices what was removed
            self.lost += stream.lost(partition)

    def watched(self) -> list[bytes]:
        """Return the names on whose contents `commands` depends: the positions first."""
        names = self._store.names
        positions = [names.position(self._live.name, partition) for partition in self._positions]
        return [*positions, self._written.name] if self._rejected else positions

    def commands(self, former: bytes) -> list[tuple[bytes, ...]]:
        """Return what makes updaters go on from here: the positions, and dead letters that nobody has written yet.

        Where updaters of the `former` generation are ahead, the dead letters in between are theirs.
        """
        done: list[tuple[bytes, ...]] = []
        before = self._former(former)
        for partition, position in self._positions.items():
            name = self._store.names.position(self._live.name, partition)
            if not position.at:
                done.append((b"DEL", name))
                continue
            was = before.get(partition)
            marks = [at for at in (was.at, was.lettered) if at] if was is not None else []
            ahead = max([position.at, *marks], key=order_of)
            lettered = None if ahead == position.at else ahead
            done.append((b"SET", name, msgspec.structs.replace(position, lettered=lettered).encoded()))
        if self._rejected:
            self._written.read()
        return done + [command for *place, command in self._rejected if not self._written.has(*place)]

    def _former(self, generation: bytes) -> dict[str, Position]:
        """Return the positions of a generation; one that is damaged says nothing, and is replaced."""
        found = {}
        for partition in self._positions:
            try:
                stored = self._store.positions(self._live.name, [partition], generation)[partition]
            except StoreError:
                raise
            except RunError:
                continue
            if stored.position is not None:
                found[partition] = stored.position
        return found

    def _add(self, chunks: list[Chunk]) -> None:
        """Add a batch's events that the log does not have; keep what its bad ones will be as dead letters."""
        decoded = self._decoder.decode(chunks)
        words = identities(decoded.frame, self._live.table.key)
        new = ~_within(words, self._known)
        marks = self._recent.is_new(words.tolist())
        if marks is not None:
            new &= np.array(marks, np.bool_)
        self._recent.remember(words.tolist())
        frame = decoded.frame.filter(pl.Series(new, dtype=pl.Boolean))
        self.added += frame.height
        for group in self._live.groups:
            self._append(group, frame)
        while self._compaction.is_due:
            self._compaction.run(self._store)
        before = {chunk.partition: self._positions[chunk.partition] for chunk in chunks}
        self._positions |= moved(chunks, decoded, before, str(self._live.table.event_time))
        for one in decoded.rejected:
            command = letter(self._live.name, one, self._live.dead_letters)
            self._rejected.append((one.partition, one.position, command))

    def _append(self, group: LiveGroup, frame: pl.DataFrame) -> None:
        blocks, late = feed(group, frame, self._live.ingest_time)
        self.late[group.name] += late
        if not blocks:
            return
        prefix, idle = self._store.names.states(self._generation, group.name), expiry_ms(self._live, group)
        commands = [(b"APPEND", prefix + key, block) for key, block in blocks.items()]
        kept = [] if idle is None else [(b"PEXPIRE", prefix + key, b"%d" % idle) for key in blocks]
        replies = self._store.exchange(*commands, *kept)[: len(blocks)]
        lengths = [one if isinstance(one, int) else 0 for one in replies]
        self.states[group.name] += sum(
            length == len(block) for length, block in zip(lengths, blocks.values(), strict=True)
        )
        self._compaction.grew(group.layout, prefix, list(blocks), lengths)


def _within(words: Integers, ordered: Integers) -> Flags:
    """Say which words are among those in order."""
    places = np.searchsorted(ordered, words)
    found = np.zeros(len(words), np.bool_)
    inside = places < len(ordered)
    found[inside] = ordered[places[inside]] == words[inside]
    return found
