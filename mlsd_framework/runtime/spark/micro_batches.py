"""Spark's micro-batches as a stream of the updater: one partition, in which the batch's number is the position.

A batch is one chunk and so one change of the store: its events and its position move together. Spark gives a batch
again after a failure, with the same number and the same events; one whose position is in the store is not added again.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.source import Assignment, Chunk, Lag

PARTITION = "spark"


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """The payloads of one batch with the broker's times in microseconds, 0 where it has none.

    `query` names the checkpoint: another one numbers its batches anew.
    """

    query: str
    number: int
    payloads: Sequence[bytes] = field(repr=False)
    times: Sequence[int] = field(repr=False)

    @property
    def position(self) -> str:
        """Where the batch is in the partition."""
        return f"{self.query}:{self.number}"

    def is_within(self, position: str | None) -> bool:
        """Say whether the states up to a position hold the batch already."""
        query, _, number = (position or "").rpartition(":")
        return query == self.query and self.number <= int(number)


class MicroBatches:
    """A `StreamSource` of batches that another thread offers, one at a time."""

    def __init__(self, name: str) -> None:
        """Hold nothing yet."""
        self.name = name
        self._changed = threading.Condition()
        self._batch: MicroBatch | None = None
        self._after: str | None = None
        self._is_given = False

    def offer(self, batch: MicroBatch, is_alive: threading.Event) -> bool:
        """Wait until the states hold a batch; false where the taker has ended before."""
        if not batch.payloads:
            return True
        with self._changed:
            self._batch, self._is_given = batch, False
            self._settle()
            self._changed.notify_all()
            while self._batch is not None and is_alive.is_set():
                self._changed.wait(0.5)
            taken, self._batch = self._batch is None, None
            return taken

    def open(self, assignment: Assignment, log: Log) -> None:
        """Take the one partition."""
        del log
        assignment.assigned([PARTITION])

    def poll(self, limit: int, timeout: float) -> list[Chunk]:
        """Return the batch that is offered, whole whatever its size, once."""
        del limit
        with self._changed:
            if self._batch is None or self._is_given:
                self._changed.wait(timeout)
            batch = self._batch
            if batch is None or self._is_given:
                return []
            self._is_given = True
            return [Chunk(PARTITION, batch.payloads, [batch.position] * len(batch.payloads), batch.times)]

    def seek(self, partition: str, after: str | None, count: int | None = None) -> None:
        """Give the batch again, unless the position says that the states hold it."""
        del partition, count
        with self._changed:
            self._after, self._is_given = after, False
            self._settle()

    def committed(self, positions: dict[str, str]) -> None:
        """Learn that the states hold the batch."""
        with self._changed:
            self._after = positions[PARTITION]
            self._settle()

    def lag(self, partition: str) -> Lag:
        """Return nothing: Spark knows."""
        del partition
        return Lag(None, None)

    def lost(self, partition: str) -> int:
        """Return 0: Spark gives every batch until it is taken."""
        del partition
        return 0

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._changed.notify_all()

    def _settle(self) -> None:
        if self._batch is not None and self._batch.is_within(self._after):
            self._batch = None
            self._changed.notify_all()
