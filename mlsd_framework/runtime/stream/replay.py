"""A file replayed as a stream: Parquet or JSON lines, a position is a row, as fast as it goes or at a rate."""

import itertools
import time
from pathlib import Path
from typing import BinaryIO

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.source import Assignment, Chunk, Lag

PARTITION = "0"
_PARQUET = ".parquet"
_BLOCK = 16_384  # rows that are read at once


class ReplayedFile:
    """The rows of a file, in one partition; a `StreamSource`. Times are written as ISO texts, all else as it is."""

    def __init__(self, path: Path, rate: float | None = None) -> None:
        """Replay `rate` rows a second, None: as fast as they are taken (E6605)."""
        self.name = path.name
        self._path = path
        self._rate = rate
        self._file: BinaryIO | None = None
        self._rows = _rows(path)
        self._lines: list[bytes] = []
        self._first = 0  # row of the first of `_lines`
        self._at = 0
        self._begun = (time.monotonic(), 0)

    def open(self, assignment: Assignment, log: Log) -> None:
        """Take the one partition."""
        del log
        assignment.assigned([PARTITION])

    def poll(self, limit: int, timeout: float) -> list[Chunk]:
        """Return the rows that are due."""
        number = min(limit, self._due() - self._at)
        if number <= 0:
            time.sleep(timeout if self._at >= self._rows or self._rate is None else min(timeout, 1 / self._rate))
            return []
        if not self._first <= self._at < self._first + len(self._lines):
            self._read()
        start = self._at - self._first
        lines = self._lines[start : start + number]
        positions = [str(row) for row in range(self._at, self._at + len(lines))]
        self._at += len(lines)
        return [Chunk(PARTITION, lines, positions, [0] * len(lines), self._at)]

    def seek(self, partition: str, after: str | None, count: int | None = None) -> None:
        """Go on behind a row."""
        del partition, count
        self._at = 0 if after is None else int(after) + 1
        self._begun = (time.monotonic(), self._at)

    def lag(self, partition: str) -> Lag:
        """Return how many rows are left."""
        del partition
        return Lag(self._rows - self._at, None)

    def lost(self, partition: str) -> int:
        """Return 0: a file loses nothing."""
        del partition
        return 0

    def committed(self, positions: dict[str, str]) -> None:
        """Do nothing: nobody else looks."""

    def close(self) -> None:
        """Close the file."""
        self._lines = []
        if self._file is not None:
            self._file.close()
            self._file = None

    def _due(self) -> int:
        if self._rate is None:
            return self._rows
        since, row = self._begun
        return min(self._rows, row + int((time.monotonic() - since) * self._rate))

    def _read(self) -> None:
        if self._path.suffix == _PARQUET:
            rows = pl.scan_parquet(self._path).slice(self._at, _BLOCK).collect()
            times = [name for name, kind in rows.schema.items() if kind.is_temporal() and kind != pl.Duration]
            written = rows.with_columns(pl.col(name).dt.to_string("iso:strict") for name in times).write_ndjson()
            self._lines = written.encode().split(b"\n")[:-1]
        else:
            if self._file is None or self._at != self._first + len(self._lines):
                self.close()
                self._file = self._path.open("rb")
                next(itertools.islice(self._file, self._at, self._at), None)
            self._lines = [line.rstrip(b"\n") for line in itertools.islice(self._file, _BLOCK)]
        self._first = self._at


def _rows(path: Path) -> int:
    try:
        if path.suffix == _PARQUET:
            return int(pl.scan_parquet(path).select(pl.len()).collect().item())
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except (OSError, pl.exceptions.PolarsError) as fault:
        raise RunError.of("E6605", f"`{path}` cannot be replayed: {fault}", expected="Parquet or JSON lines") from fault
