"""The request's home of live groups: states bootstrapped from the log, kept up by the updater's pump, then read."""

import os
from collections.abc import Iterator, Sequence

import polars as pl

from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.batch_size import BatchSize
from mlsd_framework.runtime.stream.bootstrap import SourceLog, bootstrap
from mlsd_framework.runtime.stream.compaction import Compaction, CompactionBounds
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.metrics import SourceMetrics, StreamMetrics
from mlsd_framework.runtime.stream.pump import Pump, PumpSettings
from mlsd_framework.runtime.stream.source import Assignment, Chunk, Lag
from mlsd_framework.runtime.verify.homes.offline import Answers
from mlsd_framework.runtime.verify.homes.payloads import payloads
from mlsd_framework.runtime.verify.homes.schedule import Batch, schedule
from mlsd_framework.runtime.verify.homes.store import SYSTEM
from mlsd_framework.runtime.verify.homes.stream import PARTITION, layout_of, live_source, rejected
from mlsd_framework.runtime.verify.sampling import Sample

_COMPACTED = 5
_BOOTSTRAPPED = 8  # one part of so many comes from the log
_NEVER = 1 << 60


def requested(sample: Sample, url: str) -> Answers:
    """Answer as the service does: the state is read from the store and finished at the moment of the question.

    The first part of the log is bootstrapped, and its states are of the part's end: its questions are not asked. The
    pump goes on from there.
    """
    live = live_source(sample)
    names = LiveNames(SYSTEM, sample.stored.name)
    batches = list(schedule(sample, sample.rows))
    first = len(batches) // _BOOTSTRAPPED
    store, upkeep = LiveStore(Address.parse(url), names), LiveStore(Address.parse(url), names)
    log = pl.concat([batch.rows for batch in batches[: first + 1]]).unique(live.table.key or None, keep="first")
    bootstrap(store, [SourceLog(live=live, events=log, positions={PARTITION: str(first)})])
    asked = OnlineStore.connect(
        url, system=SYSTEM, features=sample.stored.name, layouts=(), live=(layout_of(sample),), timeout=5.0
    )
    pumped = _Pumped(live, batches, store)
    answers: Answers = [None] * len(sample.keys)
    for number in range(first + 1, len(batches)):
        pumped.step()
        for at in batches[number].questions:
            [answers[at]] = asked.read([(sample.stored.name, sample.keys[at])], at=sample.moments[at])  # type: ignore[list-item] # parts of keys
        if number % _COMPACTED == 0:
            _compact(upkeep, sample, names)
    pumped.close()
    asked.close()
    upkeep.close()
    return answers


class _Rehearsal:
    """A stream of prepared micro-batches, one a poll; its positions are their numbers."""

    def __init__(self, live: LiveSource, batches: Sequence[Batch]) -> None:
        self.name = live.name
        self._chunks = [payloads(batch.rows, live.table) for batch in batches]
        self._at = 0

    def open(self, assignment: Assignment, log: Log) -> None:
        del log
        assignment.assigned([PARTITION])

    def poll(self, limit: int, timeout: float) -> list[Chunk]:
        del limit, timeout
        lines = self._chunks[self._at]
        self._at += 1
        return [Chunk(PARTITION, lines, [str(self._at - 1)] * len(lines), [0] * len(lines))]

    def seek(self, partition: str, after: str | None, count: int | None = None) -> None:
        del partition, count
        self._at = 0 if after is None else int(after) + 1

    def lag(self, partition: str) -> Lag:
        del partition
        return Lag(None, None)

    def lost(self, partition: str) -> int:
        del partition
        return 0

    def committed(self, positions: dict[str, str]) -> None:
        """Nobody else looks."""

    def close(self) -> None:
        """Nothing is open."""


class _Pumped:
    """The updater's pump, one micro-batch a step; it compacts nothing by itself, as questions follow each step."""

    def __init__(self, live: LiveSource, batches: Sequence[Batch], store: LiveStore) -> None:
        self._live, self._source, self._store = live, _Rehearsal(live, batches), store
        self._nowhere = os.open(os.devnull, os.O_WRONLY)
        log = Log(descriptor=self._nowhere)
        metrics = SourceMetrics(StreamMetrics(), live.name, [group.name for group in live.groups])
        settings = PumpSettings(0.0, BatchSize(), CompactionBounds(least=_NEVER))
        self._pump = Pump(live, self._source, store, metrics, log, settings)
        self._pump.open()

    def step(self) -> None:
        while not self._pump.step():
            pass
        stored = self._store.positions(self._live.name, [PARTITION], self._store.generation())[PARTITION]
        if stored.position is not None and stored.position.rejected:
            raise rejected(self._live.name, "dead letter", f"{stored.position.rejected} events of the log")

    def close(self) -> None:
        self._source.close()
        self._store.close()
        os.close(self._nowhere)


def _compact(store: LiveStore, sample: Sample, names: LiveNames) -> None:
    """Compact the states of all keys, each in a compare-and-set as the updater does it."""
    layout = layout_of(sample)
    prefix = names.states(store.generation(), sample.stored.name)
    keys = sorted(set(_encoded(sample)))
    found = store.exchange((b"MGET", *(prefix + key for key in keys)))[0]
    states = found if isinstance(found, list) else []
    present = [key for key, state in zip(keys, states, strict=True) if isinstance(state, bytes)]
    compaction = Compaction(CompactionBounds(least=1, states=len(keys) + 1, octets=_NEVER))
    compaction.grew(layout, prefix, present, [_NEVER] * len(present))
    compaction.run(store)


def _encoded(sample: Sample) -> Iterator[bytes]:
    for key in set(sample.keys):
        encoded = encode_key(key)  # type: ignore[arg-type] # the entity's columns are texts, integers and booleans
        if encoded is not None:
            yield encoded
