"""Log files that turn over by size and never stop the process that writes them; the supervisor's own lines."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

FILE_BYTES = 16 << 20
KEPT_FILES = 3


class RotatingLog:
    """An append-only file that is renamed to `.1`, `.2`, … when it is full.

    A disk that is full loses lines, which are counted and reported once there is room: it never ends the writer.
    """

    def __init__(
        self,
        path: Path,
        *,
        file_bytes: int = FILE_BYTES,
        kept: int = KEPT_FILES,
        opened: Callable[[int], None] | None = None,
    ) -> None:
        """Open `path` for appending; `opened` gets the descriptor now and after each turn."""
        self.path = path
        self._limit = file_bytes
        self._kept = kept
        self._opened = opened
        self._handle = -1
        self._size = 0
        self._lost = 0
        self._open()

    def write(self, lines: bytes) -> None:
        """Append whole lines."""
        try:
            if self._size and self._size + len(lines) > self._limit:
                self._turn()
            if self._lost:
                self._append(f"({self._lost} lines lost: the disk was full)\n".encode())
                self._lost = 0
            self._append(lines)
        except OSError:
            self._lost += lines.count(b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)
        self._handle = -1

    def _append(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left:
            written = os.write(self._handle, left)
            self._size += written
            left = left[written:]

    def _open(self) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = handle
        self._size = os.fstat(handle).st_size
        if self._opened:
            self._opened(handle)

    def _turn(self) -> None:
        for age in range(self._kept - 1, 0, -1):
            older = turned(self.path, age)
            if older.exists():
                older.replace(turned(self.path, age + 1))
        self.path.replace(turned(self.path, 1))
        self._open()


def turned(path: Path, age: int) -> Path:
    """Return the name of the log `path` after `age` turns."""
    return path.with_name(f"{path.name}.{age}")


class Journal:
    """What the supervisor itself reports: one JSON object a line."""

    def __init__(self, log: RotatingLog) -> None:
        """Write to `log`."""
        self._log = log

    def say(self, event: str, *, level: str = "info", **facts: str | float | None) -> None:
        """Write one line: the time, the event, and its facts."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": time, "level": level, "event": event, **facts}
        self._log.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
