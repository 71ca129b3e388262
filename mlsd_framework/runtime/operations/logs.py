"""Reading the logs of a deployment: the last lines of a part, and what it prints from now on."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from mlsd_framework.runtime.operations.journal import KEPT_FILES, turned
from mlsd_framework.runtime.workspace import Workspace

Part = Literal["service", "supervisor", "store"]
_CHUNK_BYTES = 1 << 16
_POLL_S = 0.2


def log_file(place: Workspace, part: Part) -> Path:
    """Return the log of a part: the workers, the supervisor or the embedded store."""
    return place.logs / f"{part}.log"


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of the log `path`, those of its turned files where it is short."""
    found: list[str] = []
    for file in (path, *(turned(path, age) for age in range(1, KEPT_FILES + 1))):
        if len(found) < count and file.exists():
            found = _last_lines_of(file, count - len(found)) + found
    return found


def follow(path: Path, lines: int) -> Iterator[str]:
    """Yield the last `lines` of the log `path`, then each line as it is written, over the file's turns; never ends."""
    yield from last_lines(path, lines)
    file = path.open("rb") if path.exists() else None
    if file:
        file.seek(0, os.SEEK_END)
    rest = b""
    try:
        while True:
            chunk = file.read(_CHUNK_BYTES) if file else b""
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
            if chunk:
                continue
            if path.exists() and (file is None or not os.path.samestat(os.fstat(file.fileno()), path.stat())):
                if file:
                    file.close()
                file = path.open("rb")
            else:
                time.sleep(_POLL_S)
    finally:
        if file:
            file.close()


def _last_lines_of(path: Path, count: int) -> list[str]:
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        found = b""
        while place and found.count(b"\n") <= count:
            step = min(_CHUNK_BYTES, place)
            place -= step
            file.seek(place)
            found = file.read(step) + found
    lines = found.decode(errors="replace").split("\n")
    return (lines[:-1] if lines[-1] == "" else lines)[-count:] if count > 0 else []
