"""Whether the files of tables have changed, and have come to rest: half a file is not read."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.runtime.data.files import source_files
from mlsd_framework.runtime.data.schema import SourceTable


@dataclass(frozen=True, slots=True)
class Stamp:
    """What files look like from outside; `at` is when the last one was changed, in microseconds UTC."""

    files: tuple[tuple[str, int, int, int], ...]
    at: int


class FileWatch:
    """The files of some tables."""

    def __init__(
        self,
        tables: Sequence[SourceTable],
        root: Path,
        patience: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing of them yet; files that have not come to rest after `patience` seconds are read as they are."""
        self._tables = tuple(tables)
        self._root = root
        self._patience = patience
        self._clock = clock
        self._since: float | None = None
        self._seen: Stamp | None = None
        self._done: Stamp | None = None

    def stamp(self) -> Stamp:
        """Return what the files look like now; raises RunError where a table has none (E6110)."""
        files, at = [], 0
        for table in self._tables:
            for one in source_files(table, self._root):
                found = one.path.stat()
                files.append((str(one.path), found.st_size, found.st_mtime_ns, found.st_ino))
                at = max(at, found.st_mtime_ns, found.st_ctime_ns)
        return Stamp(tuple(files), at // 1000)

    def changed(self) -> Stamp | None:
        """Return what the files look like where that is new and has been so for two looks, or is so for too long.

        Raises as `stamp` does.
        """
        now = self.stamp()
        before, self._seen = self._seen, now
        if now == self._done:
            self._since = None
            return None
        if self._since is None:
            self._since = self._clock()
        return now if now == before or self._is_late() else None

    def is_still(self, stamp: Stamp) -> bool:
        """Say whether the files look as they did, or are not waited for any more."""
        return self._is_late() or self.stamp() == stamp

    def done(self, stamp: Stamp) -> None:
        """Note that what the files hold, as they look, has been dealt with."""
        self._done, self._since = stamp, None

    def _is_late(self) -> bool:
        return self._since is not None and self._clock() - self._since > self._patience
