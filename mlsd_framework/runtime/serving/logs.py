"""Structured logs: one JSON object a line on standard error.

Written in batches so that a decision does not wait for a pipe.
"""

import contextlib
import logging
import os
import queue
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

Scalar = str | int | float | bool | None
Field = Scalar | Sequence[Scalar] | Sequence[Sequence[str]]

_BATCH = 128
_BATCHES = 256


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """Which decisions and recommendations are logged.

    Each decision whose action is not one of `quiet`, each degraded answer, and every `sample`-th of the rest.
    """

    quiet: frozenset[str] = frozenset({"approve"})
    sample: int = 100


class Log:
    """A writer of JSON lines, for any number of threads.

    `event` buffers; `flush`, called each tenth of a second and at the end, hands over to a thread.

    Nobody who reads the log slowly, or not at all, holds up an answer: what the thread cannot write in time is dropped
    and counted.
    """

    def __init__(self, worker: str = "0", descriptor: int = 2) -> None:
        """Write to the file `descriptor`, standard error by default."""
        self._worker = worker
        self._descriptor = descriptor
        self._lines: list[bytes] = []
        self._lock = threading.Lock()
        self._dropped = 0
        self._queue: queue.Queue[bytes] = queue.Queue(_BATCHES)
        self._thread: threading.Thread | None = None

    def event(self, name: str, level: str = "info", **fields: Field) -> None:
        """Log an event with its fields."""
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "level": level, "event": name, "worker": self._worker, **fields}
        encoded = msgspec.json.encode(line)
        with self._lock:
            self._lines.append(encoded)
            full = len(self._lines) >= _BATCH
        if full:
            self.flush()

    def failure(self, name: str, error: BaseException, **fields: Field) -> None:
        """Log an error with its traceback, soon."""
        trace = "".join(traceback.format_exception(error))
        self.event(name, "error", error=type(error).__name__, message=str(error), traceback=trace, **fields)
        self.flush()

    def flush(self) -> None:
        """Hand what is buffered to the thread that writes."""
        with self._lock:
            if not self._lines:
                return
            lines, self._lines = self._lines, []
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="log", daemon=True)
                self._thread.start()
        try:
            self._queue.put_nowait(b"\n".join(lines) + b"\n")
        except queue.Full:
            self._dropped += len(lines)
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.event("log_dropped", "warning", lines=dropped)

    def close(self, seconds: float = 1.0) -> None:
        """Write all that is left, for at most `seconds`."""
        self.flush()
        until = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.005)

    def _write(self) -> None:
        while True:
            block = memoryview(self._queue.get())
            # A reader that is gone is no reason to stop answering.
            with contextlib.suppress(OSError):
                while block:
                    block = block[os.write(self._descriptor, block) :]
            self._queue.task_done()


class JsonHandler(logging.Handler):
    """Turns records of the standard logging module, as libraries write them, into lines of the same log."""

    def __init__(self, log: Log) -> None:
        """Write to `log`."""
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if record.exc_info and record.exc_info[1]:
            self._log.failure(record.name, record.exc_info[1])
        else:
            self._log.event(record.name, record.levelname.lower(), message=record.getMessage())
