"""A new generation of live states from the log, and the position from which the stream goes on: seen all at once.

The log may hold events that the stream will give again, and the stream ones that the log already has. With the stream
at hand it is read here up to its end, without what the log has: see `handover`. Without it a state knows the events it
has, as long as it remembers them. What counts is that nothing lies between: the stream, or what of it comes after the
position of each partition, has to have every event that the log does not have.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import encode
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.handover import Handover
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource, expiry_ms, feed
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.position import Position
from mlsd_framework.runtime.stream.progress import watermark
from mlsd_framework.runtime.stream.source import RetainedStream

_SLICE = 1 << 19  # events whose states are made at once
_ROUND = 4 << 20  # bytes of one round trip
_SCANNED = 1000
_GRACE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLog:
    """The log of a source as it was read and checked, and its stream, which is read from its oldest payload on.

    In place of the stream, `positions` say after which payload each partition goes on: None stands for the oldest.
    """

    live: LiveSource
    events: pl.DataFrame
    positions: Mapping[str, str | None] = field(default_factory=dict)
    stream: RetainedStream | None = None


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What was written: the generation, how many states each group has, and how many events came too late for it.

    By source, `added` says how many events the stream had and the log did not, `lost` how many payloads were removed
    from the stream before they were read.
    """

    generation: str
    states: Mapping[str, int]
    late: Mapping[str, int]
    added: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)


def bootstrap(store: LiveStore, logs: Sequence[SourceLog], *, grace_ms: int = _GRACE_MS) -> Bootstrapped:
    """Write states of all live groups of a system, then switch readers and updaters to them in one transaction.

    A failure or a kill before the end leaves everything as it was; what was written until then expires with the next
    success. The former generation expires after `grace_ms`. An updater that runs meanwhile goes on from the new
    positions by itself. Raises StoreError, and RunError where a log's partitions are none (E6609) or a stream cannot be
    read up to its end (E6603, E6612).
    """
    for log in logs:
        if not log.positions and log.stream is None:
            raise RunError.of(
                "E6609",
                f"the log of `{log.live.name}` comes without the positions from which its stream goes on",
                expected="one for every partition, None for the oldest payload that is left",
            )
    generation = b"%d" % time.time_ns()
    states: Counter[str] = Counter()
    late: Counter[str] = Counter()
    for log in logs:
        for group in log.live.groups:
            states[group.name], late[group.name] = _write(store, generation, log, group)
    with _read_on(store, generation, logs) as handovers:
        while not _switch(store, generation, logs, handovers):
            pass  # an updater of the former generation has moved its position: it never waits for us
    _expire_older(store, generation, grace_ms)
    for handover in handovers.values():
        states += handover.states
        late += handover.late
    return Bootstrapped(
        generation.decode(),
        {group.name: states[group.name] for log in logs for group in log.live.groups},
        {group.name: late[group.name] for log in logs for group in log.live.groups},
        {name: handover.added for name, handover in handovers.items()},
        {name: handover.lost for name, handover in handovers.items()},
    )


def _write(store: LiveStore, generation: bytes, log: SourceLog, group: LiveGroup) -> tuple[int, int]:
    """Write the states of a group, and return how many there are and how many events came too late."""
    prefix = store.names.states(generation, group.name)
    idle = expiry_ms(log.live, group)
    kept = () if idle is None else (b"PX", b"%d" % idle)
    written = late = 0
    commands: list[bytes] = []
    size = 0
    for part in _by_key(log.events, group):
        blocks, too_late = feed(group, part, log.live.ingest_time)
        late += too_late
        written += len(blocks)
        for key, block in blocks.items():
            commands.append(encode(b"SET", prefix + key, group.layout.compact(block), *kept))
            size += len(commands[-1])
            if size > _ROUND:
                store.pipeline(commands)
                commands, size = [], 0
    store.pipeline(commands)
    return written, late


@contextlib.contextmanager
def _read_on(store: LiveStore, generation: bytes, logs: Sequence[SourceLog]) -> Iterator[Mapping[str, Handover]]:
    """Read the streams up to their ends, and again up to what these have become meanwhile: updaters get little."""
    streams = {log.live.name: log.stream for log in logs if log.stream is not None}
    handovers = {
        log.live.name: Handover(store, generation, log.live, log.events) for log in logs if log.live.name in streams
    }
    notes = Log("bootstrap")
    try:
        for name, stream in streams.items():
            handovers[name].begin(stream, notes)
        for name, stream in (*streams.items(), *streams.items()):
            handovers[name].read_on(stream)
        yield handovers
    finally:
        for stream in streams.values():
            stream.close()
        notes.close()


def _by_key(events: pl.DataFrame, group: LiveGroup) -> Iterator[pl.DataFrame]:
    """Yield the events in parts of bounded size, all events of a key in one part."""
    parts = -(-events.height // _SLICE)
    if parts <= 1:
        yield events
        return
    part = events.select((pl.struct(group.layout.group.entity).hash() % parts).alias("part")).to_series()
    for number in range(parts):
        yield events.filter(part == number)


def _switch(store: LiveStore, generation: bytes, logs: Sequence[SourceLog], handovers: Mapping[str, Handover]) -> bool:
    """Make the generation the one that readers and updaters see, each partition at its position.

    Returns whether it was done: not where what it depends on has changed meanwhile.
    """
    watched = [name for handover in handovers.values() for name in handover.watched()]
    _, current = store.exchange((b"WATCH", store.names.live, *watched), (b"GET", store.names.live))
    commands: list[tuple[bytes, ...]] = [(b"SET", store.names.live, generation)]
    for log in logs:
        handover = handovers.get(log.live.name)
        if handover is not None:
            commands += handover.commands(current if isinstance(current, bytes) else b"")
        for partition, at in log.positions.items():
            name = store.names.position(log.live.name, partition)
            position = Position(at=at or "", generation=generation.decode(), watermark=watermark(log.events, log.live))
            commands.append((b"DEL", name) if at is None else (b"SET", name, position.encoded()))
    return store.transact([encode(*command) for command in commands], len(commands)) is not None


def _expire_older(store: LiveStore, generation: bytes, grace_ms: int) -> None:
    root = store.names.live + b":"
    cursor = b"0"
    while True:
        reply = store.exchange((b"SCAN", cursor, b"MATCH", root + b"*", b"COUNT", b"%d" % _SCANNED))[0]
        match reply:
            case [bytes(cursor), list(found)]:
                names = [name for name in found if isinstance(name, bytes)]
            case _:
                return
        # LT: one that expires sooner keeps its time.
        old = [name for name in names if name[len(root) :].partition(b":")[0] != generation]
        store.pipeline([encode(b"PEXPIRE", name, b"%d" % grace_ms, b"LT") for name in old])
        if cursor == b"0":
            return
