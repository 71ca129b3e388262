"""Whether the files of tables have changed, and have come to rest: half a file is not read."""

from collections.abc import Sequence
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

    def __init__(self, tables: Sequence[SourceTable], root: Path) -> None:
        """Know nothing of them yet."""
        self._tables = tuple(tables)
        self._root = root
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
        """Return what the files look like where that is new, and has been so for two looks; raises as `stamp` does."""
        now = self.stamp()
        before, self._seen = self._seen, now
        return now if now == before and now != self._done else None

    def is_still(self, stamp: Stamp) -> bool:
        """Say whether the files look as they did."""
        return self.stamp() == stamp

    def done(self, stamp: Stamp) -> None:
        """Note that what the files hold, as they look, has been dealt with."""
        self._done = stamp
