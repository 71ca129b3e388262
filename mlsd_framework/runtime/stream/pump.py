"""One source's loop: poll, decode, commit; then what can wait: compaction, lag, the store's health."""

import math
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from mlsd_framework.runtime.features.resp import StoreError, encode
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.batch_size import BatchSize
from mlsd_framework.runtime.stream.committing import Append, Change, Done, commit
from mlsd_framework.runtime.stream.compaction import Compaction, CompactionBounds
from mlsd_framework.runtime.stream.decoding import Decoded, Decoder
from mlsd_framework.runtime.stream.expiry import Expiries
from mlsd_framework.runtime.stream.live import LiveSource, expiry_ms, feed
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.metrics import SourceMetrics
from mlsd_framework.runtime.stream.position import Position, Stored
from mlsd_framework.runtime.stream.progress import moved, unlettered
from mlsd_framework.runtime.stream.recent import RecentEvents
from mlsd_framework.runtime.stream.source import Assignment, Chunk, StreamSource
from mlsd_framework.runtime.stream.store_health import StoreHealth
from mlsd_framework.runtime.stream.waiting import Waiting

_UPKEEP_S = 1.0
_SHARE_BEHIND = 0.05  # of a round of compaction, while there is a backlog


@dataclass(slots=True)
class PumpSettings:
    """The bounds of a pump: how long a poll waits for a first event, how large its batches are, when states shrink."""

    poll_s: float = 0.2
    batch: BatchSize = field(default_factory=BatchSize)
    compaction: CompactionBounds = field(default_factory=CompactionBounds)


class Pump:
    """Moves the events of one source into the live states, until it is told to stop; one thread runs it.

    It does one thing at a time: nothing is polled while a change waits for the store, so what it holds is bounded by
    one micro-batch.
    """

    def __init__(
        self,
        live: LiveSource,
        source: StreamSource,
        store: LiveStore,
        metrics: SourceMetrics,
        log: Log,
        settings: PumpSettings | None = None,
    ) -> None:
        """Take what is read, from where, to where; connect nothing yet."""
        self._live = live
        self._source = source
        self._store = store
        self._metrics = metrics
        self._log = log
        self._settings = settings or PumpSettings()
        self._size = self._settings.batch
        self._decoder = Decoder.of(live)
        self._recent = RecentEvents(live.table.key)
        self._compaction = Compaction(self._settings.compaction)
        self._expiries = [Expiries(expiry_ms(live, group)) for group in live.groups]
        self._waiting = Waiting(metrics, log)
        self._health = StoreHealth(metrics, log)
        self._assignment = Assignment()
        self._generation = b""
        self._placed: dict[str, Stored] = {}
        self._upkeep_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then give everything back.

        A store that does not answer is waited for. What no waiting can mend (E66xx) is raised.
        """
        try:
            self.open()
            while not stop.is_set():
                try:
                    self.step()
                except StoreError as error:
                    self._misplace(self._placed)
                    self._waiting.wait(error, stop)
        finally:
            self._source.close()
            self._store.close()
            self._log.close()

    def open(self) -> None:
        """Take part in the stream; whoever steps by hand begins so."""
        self._source.open(self._assignment, self._log)

    def step(self) -> int:
        """Do one round; return how many payloads it committed."""
        was_placed = not self._place()
        limit = self._size.limit
        chunks = self._source.poll(limit, self._settings.poll_s)
        # A partition that came, or came back, during the poll has no place yet, and is read again from its position.
        ours = self._assignment.held - self._assignment.unplaced
        chunks = [chunk for chunk in chunks if chunk.partition in ours and chunk.payloads]
        committed = 0
        if chunks:
            begun = time.perf_counter()
            committed = self._commit(chunks)
            self._size.observe(committed, time.perf_counter() - begun)
        self._compact(is_behind=committed >= limit)
        if time.monotonic() >= self._upkeep_at:
            self._upkeep()
            self._upkeep_at = time.monotonic() + _UPKEEP_S
        if committed or (was_placed and not chunks):
            self._waiting.over()
        return committed

    def _place(self) -> bool:
        """Say to the source from where to read what it was assigned; return whether there was any such partition."""
        assignment, placed = self._assignment, self._placed
        for partition in placed.keys() - assignment.held:
            del placed[partition]
        if not assignment.unplaced:
            return False
        generation = self._store.generation()
        if generation != self._generation:
            self._generation = generation
            assignment.unplaced |= assignment.held
            self._compaction.forget()
            self._log.event("generation", generation=generation.decode())
        self._recent.clear()  # positions may have gone back
        for expiries in self._expiries:
            expiries.forget()
        for partition, stored in self._store.positions(
            self._live.name, sorted(assignment.unplaced), generation
        ).items():
            at = stored.position
            self._source.seek(partition, at.at if at else None, at.count if at else None)
            placed[partition] = stored
            assignment.unplaced.discard(partition)
            self._log.event("reading", partition=partition, after=at.at if at else None)
        return True

    def _misplace(self, partitions: Iterable[str]) -> None:
        """Forget how far partitions were read: the store says it again."""
        gone = list(partitions)
        self._assignment.unplaced |= self._assignment.held.intersection(gone)
        for partition in gone:
            self._placed.pop(partition, None)

    def _commit(self, chunks: Sequence[Chunk]) -> int:
        decoded = self._decoder.decode(chunks)
        frame, hashes = decoded.frame, self._recent.hashes(decoded.frame)
        new = self._recent.is_new(hashes)
        if new is not None:
            frame = frame.filter(pl.Series(new))
        fed = [feed(group, frame, self._live.ingest_time) for group in self._live.groups]
        begun = Position(at="", generation=self._generation.decode())
        before = {chunk.partition: self._placed[chunk.partition].position or begun for chunk in chunks}
        change = Change(
            generation=self._generation,
            before={chunk.partition: self._placed[chunk.partition].content for chunk in chunks},
            after=moved(chunks, decoded, before, str(self._live.table.event_time)),
            appends=[
                Append(group.name, blocks, expiries.due(blocks), expiries.lifetime_ms)
                for group, (blocks, _), expiries in zip(self._live.groups, fed, self._expiries, strict=True)
            ],
            rejected=unlettered(decoded.rejected, before),
            dead_letters=self._live.dead_letters,
        )
        done = commit(self._store, self._live.name, change)
        if done is None:
            self._metrics.count(self._metrics.all.conflicts, 1)
            self._misplace(change.before)
            return 0
        self._recent.remember(hashes)
        for partition, position in change.after.items():
            self._placed[partition] = Stored(position.encoded(), position)
        self._learn(change, done)
        self._source.committed({partition: position.at for partition, position in change.after.items()})
        self._count(chunks, decoded, frame.height, [late for _, late in fed], done.refused)
        self._metrics.count(self._metrics.all.letters, len(change.rejected))
        return sum(len(chunk.payloads) for chunk in chunks)

    def _learn(self, change: Change, done: Done) -> None:
        parts = zip(self._live.groups, change.appends, done.lengths, self._expiries, strict=True)
        for group, append, lengths, expiries in parts:
            prefix = self._store.names.states(change.generation, group.name)
            self._compaction.grew(group.layout, prefix, list(append.blocks), lengths)
            expiries.done(append.expiring)
            late = expiries.begun(append.blocks, lengths, append.expiring)
            lifetime = b"%d" % (expiries.lifetime_ms or 0)
            self._store.pipeline([encode(b"PEXPIRE", prefix + key, lifetime) for key in late])

    def _count(self, chunks: Sequence[Chunk], decoded: Decoded, events: int, late: Sequence[int], refused: int) -> None:
        count, of = self._metrics.count, self._metrics.all
        count(of.batches, 1)
        count(of.events, events)
        count(of.duplicates, decoded.frame.height - events)
        count(of.refused, refused)
        for reason, number in Counter(one.reason for one in decoded.rejected).items():
            count(of.rejected, number, reason)
        for name, number in decoded.unknown.items():
            count(of.unknown, number, name)
        for group, number in zip(self._live.groups, late, strict=True):
            count(of.late, number, group.name)
        times = np.concatenate([np.asarray(chunk.times, np.int64) for chunk in chunks])
        self._metrics.fresh(times, time.time_ns() // 1000)

    def _compact(self, *, is_behind: bool) -> None:
        done = self._compaction.run(self._store, share=_SHARE_BEHIND if is_behind else 1.0)
        for outcome, number in (("done", done.done), ("changed", done.changed), ("unreadable", done.unreadable)):
            self._metrics.count(self._metrics.all.compactions, number, outcome)
        if done.unreadable:
            self._log.event("states_unreadable", "error", states=done.unreadable)

    def _upkeep(self) -> None:
        """Look at what changes slowly: lags, losses, the store's memory; and write the log."""
        every = self._metrics.all
        for partition, stored in self._placed.items():
            labels = (self._live.name, partition)
            lag = self._source.lag(partition)
            lost = self._source.lost(partition)
            if lost:
                self._metrics.count(every.lost, lost)
                self._log.event("payloads_lost", "error", partition=partition, payloads=lost)
            every.lag_payloads.labels(*labels).set(math.nan if lag.payloads is None else lag.payloads)
            every.lag_seconds.labels(*labels).set(math.nan if lag.seconds is None else lag.seconds)
            if stored.position and stored.position.watermark is not None:
                every.watermark.labels(*labels).set(stored.position.watermark / 1e6)
        every.limit.labels(self._live.name).set(self._size.limit)
        self._health.look(self._store)
        self._log.flush()
