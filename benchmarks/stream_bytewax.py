"""The job of `stream.py` in Bytewax: from a Valkey stream to four windows of count and sum a card, back in the store.

Run by `stream.py` in an environment of Bytewax's own: `stream_bytewax.py SOCKET EVENTS [FOLDER]`. Prints events a
second. With a folder states and positions survive a crash: snapshots of both each second, as an append-only file is
synced; without they do not.
"""

import json
import sys
import time
from collections import deque
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import valkey
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

SOCKET, EVENTS = sys.argv[1], int(sys.argv[2])
WINDOWS = tuple(minutes * 60_000_000 for minutes in (1, 10, 60, 360))
BATCH = 4096


class Stream(StatefulSourcePartition):
    """Entries of the stream, a batch at a time, until all have come."""

    def __init__(self) -> None:
        """Begin at the first."""
        self._client = valkey.Valkey(unix_socket_path=SOCKET)
        self._after = b"0"
        self._read = 0

    def next_batch(self) -> list[bytes]:
        """Return the contents of some entries."""
        if self._read >= EVENTS:
            raise StopIteration
        [(_, entries)] = self._client.xread({"payments": self._after}, count=BATCH)
        self._after = entries[-1][0]
        self._read += len(entries)
        return [fields[b"e"] for _, fields in entries]

    def snapshot(self) -> bytes:
        """Return the position."""
        return self._after


class Source(FixedPartitionedSource):
    """The one stream."""

    def list_parts(self) -> list[str]:
        """Name the stream."""
        return ["payments"]

    def build_part(self, step_id: str, for_part: str, resume_state: object) -> Stream:
        """Open it."""
        del step_id, for_part, resume_state
        return Stream()


class Writer(StatelessSinkPartition):
    """Writes the newest values of each card of a batch."""

    def __init__(self) -> None:
        """Connect."""
        self._client = valkey.Valkey(unix_socket_path=SOCKET)

    def write_batch(self, items: list[tuple[str, list[float]]]) -> None:
        """Write them in one round trip."""
        pipe = self._client.pipeline(transaction=False)
        for card, values in dict(items).items():
            pipe.set(f"bytewax:{card}", json.dumps(values))
        pipe.execute()


class Sink(DynamicSink):
    """The store."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Writer:
        """Open it."""
        del step_id, worker_index, worker_count
        return Writer()


class Windows:
    """One card's events of the longest window, and the sums of each window."""

    def __init__(self) -> None:
        """Begin with none."""
        self.queues: list[deque[tuple[int, float]]] = [deque() for _ in WINDOWS]
        self.sums = [0.0] * len(WINDOWS)

    def add(self, at: int, amount: float) -> list[float]:
        """Add an event; return count and sum of each window."""
        values: list[float] = []
        for number, (width, queue) in enumerate(zip(WINDOWS, self.queues, strict=True)):
            queue.append((at, amount))
            self.sums[number] += amount
            while queue[0][0] < at - width:
                self.sums[number] -= queue.popleft()[1]
            values += (len(queue), self.sums[number])
        return values


def step(state: Windows | None, event: dict) -> tuple[Windows, list[float]]:
    """Add an event to its card's windows."""
    state = state or Windows()
    return state, state.add(event["at"], event["amount"])


flow = Dataflow("payments")
read = op.input("read", flow, Source())
parsed = op.map("parse", read, json.loads)
keyed = op.key_on("card", parsed, lambda event: event["card"])
made = op.stateful_map("windows", keyed, step)
op.output("write", made, Sink())

recovery = None
if len(sys.argv) > 3:
    init_db_dir(Path(sys.argv[3]), 1)
    recovery = RecoveryConfig(sys.argv[3])
begun = time.perf_counter()
run_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=recovery)
print(EVENTS / (time.perf_counter() - begun))
