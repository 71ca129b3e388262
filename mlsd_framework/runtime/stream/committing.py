"""The one place where states change: blocks, dead letters and positions in one transaction, or nothing.

A transaction watches the pointer to the generation and the position of every partition that it moves, and goes on only
where they are what this updater left there. An updater that was killed, paused or deposed can so neither lose an event
nor count it twice: whoever moves a position has appended exactly what lies before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlsd_framework.runtime.features.resp import Reply, encode_many
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.position import Position
from mlsd_framework.runtime.stream.rejection import Rejected

_LETTER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Append:
    """What to append to the states of one group, and which of them are to expire after `lifetime_ms` from now."""

    group: str
    blocks: Mapping[bytes, bytes]
    expiring: Sequence[bytes] = ()
    lifetime_ms: int | None = None


@dataclass(slots=True)
class Change:
    """All that one micro-batch does: from the positions `before`, as the store keeps them, to those `after`."""

    generation: bytes
    before: Mapping[str, bytes | None]
    after: Mapping[str, Position]
    appends: Sequence[Append] = ()
    rejected: Sequence[Rejected] = ()
    dead_letters: int = 10_000


@dataclass(slots=True)
class Done:
    """What came of a change: the lengths of the states that it appended to, by group, in the order of the blocks.

    `refused` counts states that are no states any more, as when another program wrote to their names.
    """

    lengths: list[list[int]] = field(default_factory=list)
    refused: int = 0


def commit(store: LiveStore, source: str, change: Change) -> Done | None:
    """Make a change, or nothing where a position or the generation is not what it should be: then None.

    Raises StoreError where the store does not answer (whether the change was made is then to be seen from the
    positions) or refuses (nothing was done).
    """
    names = store.names
    watched = [names.live, *(names.position(source, partition) for partition in change.before)]
    expected = [change.generation, *change.before.values()]
    found = store.exchange((b"WATCH", *watched), (b"MGET", *watched))[1]
    if found != expected:
        store.exchange((b"UNWATCH",))
        return None
    appending, keys = _appending(store, change)
    rest = [letter(source, one, change.dead_letters) for one in change.rejected]
    rest += [(b"SET", names.position(source, partition), at.encoded()) for partition, at in change.after.items()]
    replies = store.transact([*appending, encode_many(rest)], sum(keys) + len(rest))
    return None if replies is None else _done(change, replies)


def _appending(store: LiveStore, change: Change) -> tuple[list[bytes], list[int]]:
    """Encode the appends: those of a group first, then how long its states are kept."""
    encoded: list[bytes] = []
    numbers: list[int] = []
    for append in change.appends:
        prefix = store.names.states(change.generation, append.group)
        length = len(prefix)
        encoded += [
            b"*3\r\n$6\r\nAPPEND\r\n$%d\r\n%b%b\r\n$%d\r\n%b\r\n" % (length + len(key), prefix, key, len(block), block)
            for key, block in append.blocks.items()
        ]
        numbers.append(len(append.blocks))
        if append.lifetime_ms is not None:
            kept = b"%d" % append.lifetime_ms
            tail = b"\r\n$%d\r\n%b\r\n" % (len(kept), kept)
            encoded += [
                b"*3\r\n$7\r\nPEXPIRE\r\n$%d\r\n%b%b%b" % (length + len(key), prefix, key, tail)
                for key in append.expiring
            ]
            numbers.append(len(append.expiring))
    return encoded, numbers


def letters_of(source: str) -> bytes:
    """Return the name of the stream of a source's dead letters."""
    return source.encode() + b".dead"


def letter(source: str, rejected: Rejected, most: int) -> tuple[bytes, ...]:
    """Return the command that adds a dead letter, of which about the newest `most` are kept."""
    return (
        b"XADD", letters_of(source), b"MAXLEN", b"~", b"%d" % most, b"*",
        b"reason", rejected.reason.encode(),
        b"detail", rejected.detail.encode(errors="replace"),
        b"partition", rejected.partition.encode(),
        b"position", rejected.position.encode(),
        b"bytes", b"%d" % len(rejected.payload),
        b"payload", rejected.payload[:_LETTER_BYTES],
    )  # fmt: skip


def _done(change: Change, replies: list[Reply]) -> Done:
    done, at = Done(), 0
    for append in change.appends:
        lengths = replies[at : at + len(append.blocks)]
        at += len(append.blocks) + len(append.expiring)
        done.lengths.append([one if isinstance(one, int) else 0 for one in lengths])
        done.refused += sum(not isinstance(one, int) for one in lengths)
    return done
