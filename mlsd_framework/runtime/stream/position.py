"""Up to where the events of a partition are in the live states: one small JSON value in the store."""

import msgspec

from mlsd_framework.diagnostics.errors import RunError


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """The last payload of a partition whose events are in the states of a generation, and what was counted up to it.

    `at` is in the source's own words: an entry's id, an offset, a row. `count` is the source's `Chunk.count`;
    `events` and `rejected` say what was found in the payloads of this generation; `watermark` is the newest event
    time seen, in microseconds UTC. `lettered` is the payload up to which another generation has written the dead
    letters already, where that lies ahead.
    """

    at: str
    generation: str
    count: int | None = None
    events: int = 0
    rejected: int = 0
    watermark: int | None = None
    lettered: str | None = None

    def encoded(self) -> bytes:
        """Return what the store keeps; equal positions have equal bytes."""
        return msgspec.json.encode(self)


def order_of(at: str) -> tuple[int, ...]:
    """Return what entries' ids, offsets and rows are ordered by within a partition."""
    return tuple(map(int, at.split("-")))


class Stored(msgspec.Struct, frozen=True):
    """A partition's position as the store keeps it, and what it says: nothing where it is of another generation."""

    content: bytes | None = None
    position: Position | None = None


def read_position(content: bytes, partition: str, generation: bytes) -> Stored:
    """Read what the store keeps (E6606)."""
    try:
        position = msgspec.json.decode(content, type=Position)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise RunError.of(
            "E6606",
            f"the position of partition `{partition}` cannot be read: {fault}",
            expected="a position that the updater wrote",
            help="bootstrap the states again: where the stream was read up to is not known any more",
        ) from fault
    return Stored(content, position if position.generation == generation.decode() else None)
