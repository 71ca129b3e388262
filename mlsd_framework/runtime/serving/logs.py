"""Structured logs: one JSON object a line on standard error, written in batches so that a decision does not wait for a pipe."""

import contextlib
import logging
import os
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

Field = str | int | float | bool | None | list[str]

_BATCH = 128


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """Which decisions are logged: each whose action is not one of `quiet`, each degraded one, and every `sample`-th of the rest."""

    quiet: frozenset[str] = frozenset({"approve"})
    sample: int = 100


class Log:
    """A writer of JSON lines. `event` buffers; `flush` is called each tenth of a second and at the end."""

    def __init__(self, worker: str = "0", descriptor: int | None = None) -> None:
        """Write to the file `descriptor`, standard error by default."""
        self._worker = worker
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lines: list[bytes] = []
        self._encoder = msgspec.json.Encoder()

    def event(self, name: str, level: str = "info", **fields: Field) -> None:
        """Log an event with its fields."""
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "level": level, "event": name, "worker": self._worker, **fields}
        self._lines.append(self._encoder.encode(line))
        if len(self._lines) >= _BATCH:
            self.flush()

    def failure(self, name: str, error: BaseException, **fields: Field) -> None:
        """Log an error with its traceback, at once."""
        trace = "".join(traceback.format_exception(error))
        self.event(name, "error", error=type(error).__name__, message=str(error), traceback=trace, **fields)
        self.flush()

    def flush(self) -> None:
        """Write what is buffered; a reader that is gone is no reason to stop answering."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._descriptor, b"\n".join(lines) + b"\n")


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
