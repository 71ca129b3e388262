"""Reading the logs of a deployment: the last lines of a part, and what it prints from now on."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from mlsd_framework.runtime.operations.journal import KEPT_FILES, turned
from mlsd_framework.runtime.workspace import Workspace

Part = Literal["service", "supervisor", "store", "updater"]
_CHUNK_BYTES = 1 << 16
_POLL_S = 0.2


def log_file(place: Workspace, part: Part) -> Path:
    """Return the log of a part: the workers, the supervisor, the embedded store or the updaters."""
    return place.logs / f"{part}.log"


def last_lines(path: Path, count: int, end: int | None = None) -> list[str]:
    """Return the last `count` lines of the log `path` (before byte `end`), of turned files too where it is short."""
    found: list[str] = []
    for file in (path, *(turned(path, age) for age in range(1, KEPT_FILES + 1))):
        if len(found) < count and file.exists():
            found = _last_lines_of(file, count - len(found), end if file == path else None) + found
    return found


def follow(path: Path, lines: int) -> Iterator[str]:
    """Yield the last `lines` of the log `path`, then each line as it is written, over the file's turns; never ends."""
    path.touch()
    file: BinaryIO = path.open("rb")
    try:
        # What is written while the last lines are read is read after them: not twice, not never.
        file.seek(_end_of_last_line(file))
        rest = b""
        yield from last_lines(path, lines, file.tell())
        turned_over = False
        while True:
            chunk = file.read(_CHUNK_BYTES)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
            if chunk:
                continue
            if turned_over:  # and since then read to its end
                later = _next_file(path, file)
                file.close()
                file, turned_over = later, False
            elif path.exists() and not _is_at(file, path):
                turned_over = True
            else:
                time.sleep(_POLL_S)
    finally:
        file.close()


def _next_file(path: Path, file: BinaryIO) -> BinaryIO:
    """Open the file that was begun when `file` was turned over; the current one where `file` is gone already."""
    for age in range(1, KEPT_FILES + 1):
        if turned(path, age).exists() and _is_at(file, turned(path, age)):
            return (turned(path, age - 1) if age > 1 else path).open("rb")
    return path.open("rb")


def _is_at(file: BinaryIO, path: Path) -> bool:
    return os.path.samestat(os.fstat(file.fileno()), path.stat())


def _end_of_last_line(file: BinaryIO) -> int:
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - _CHUNK_BYTES)
    file.seek(start)
    return start + file.read(end - start).rfind(b"\n") + 1


def _last_lines_of(path: Path, count: int, end: int | None) -> list[str]:
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END) if end is None else end
        found = b""
        while place and found.count(b"\n") <= count:
            step = min(_CHUNK_BYTES, place)
            place -= step
            file.seek(place)
            found = file.read(step) + found
    lines = found.decode(errors="replace").split("\n")
    return (lines[:-1] if lines[-1] == "" else lines)[-count:] if count > 0 else []
