"""What a stream is to the updater, whoever keeps it: partitions of payloads, each with a position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.serving.logs import Log


@dataclass(frozen=True, slots=True)
class Chunk:
    """Payloads of one partition in order, each with its position and the broker's time in microseconds (0: not known).

    A payload is one JSON object, or an array of several. `count` says how many payloads the partition ever had up to
    the last of these, where the source keeps count.
    """

    partition: str
    payloads: Sequence[bytes]
    positions: Sequence[str]
    times: Sequence[int] | NDArray[np.int64]
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind the newest payload a partition is; None where the source cannot say."""

    payloads: int | None
    seconds: float | None


@dataclass(slots=True)
class Assignment:
    """The partitions that this replica reads now, and those among them of which the source has no position yet."""

    held: set[str] = field(default_factory=set)
    unplaced: set[str] = field(default_factory=set)

    def assigned(self, partitions: Sequence[str]) -> None:
        """Take partitions; they are read once each has been given a position."""
        self.held.update(partitions)
        self.unplaced.update(partitions)

    def revoked(self, partitions: Sequence[str]) -> None:
        """Give partitions up."""
        self.held.difference_update(partitions)
        self.unplaced.difference_update(partitions)


class StreamSource(Protocol):
    """A stream in partitions. One thread uses it.

    A partition is handed to a replica by a call of `Assignment.assigned` during `poll`, and gives no payload before
    `seek` has said from where. Any method may raise StoreError or RunError.
    """

    name: str

    def open(self, assignment: Assignment, log: Log) -> None:
        """Take part; from now on `assignment` is told which partitions are ours. Troubles are told to `log`."""

    def poll(self, limit: int, timeout: float) -> list[Chunk]:
        """Return about `limit` payloads at most, after the positions up to which each partition was read.

        Waits for at most `timeout` seconds where there is none.
        """

    def seek(self, partition: str, after: str | None, count: int | None = None) -> None:
        """Go on after a position and its `Chunk.count`, or from the oldest payload that the stream still has."""

    def lag(self, partition: str) -> Lag:
        """Return how far a partition has been read."""

    def lost(self, partition: str) -> int:
        """Return how many payloads the stream has removed unread since the last call; 0 or 1 where it cannot count."""

    def committed(self, positions: dict[str, str]) -> None:
        """Learn that the states hold all up to these positions: to trim behind them, or for the broker's own tools."""

    def close(self) -> None:
        """Give up all partitions and leave."""


class RetainedStream(StreamSource, Protocol):
    """A stream whose partitions are all read by one reader, beside the updaters and without their notice.

    `open` hands every partition out.
    """

    def ends(self) -> dict[str, str]:
        """Return the newest position of each partition that holds something."""

    def has_reached(self, ends: Mapping[str, str]) -> bool:
        """Say whether partitions have been read up to these positions, or hold nothing before them any more."""
