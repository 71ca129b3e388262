"""Files are read when they have come to rest, and once."""

from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.indexer.watching import FileWatch, Stamp

TABLE = SourceTable(name="t", paths=("t.csv",), columns=())


def test_a_file_is_dealt_with_once_it_has_looked_the_same_twice(tmp_path: Path) -> None:
    """One look does not do; what is done is not told again; a change is, and one that goes on is waited for."""
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    watch = FileWatch([TABLE], tmp_path)
    assert watch.changed() is None
    first = watch.changed()
    assert first is not None
    assert watch.changed() == first  # until it is dealt with
    watch.done(first)
    assert watch.changed() is None
    path.write_text("a\n1\n2\n")
    assert watch.changed() is None
    path.write_text("a\n1\n2\n3\n")
    assert watch.changed() is None
    second = watch.changed()
    assert second is not None
    assert second.at > first.at
    assert watch.is_still(second)
    part = tmp_path / "part"
    part.write_text("a\n1\n2\n4\n")  # as long as before: another file it is
    part.rename(path)
    assert not watch.is_still(second)


def test_a_file_that_never_rests_is_read_in_the_end(tmp_path: Path) -> None:
    """After some patience it is dealt with as it looks, and then waited for anew."""
    path, now = tmp_path / "t.csv", [0.0]
    watch = FileWatch([TABLE], tmp_path, patience=10, clock=lambda: now[0])

    def look(seconds: float) -> Stamp | None:
        now[0] = seconds
        path.write_text(f"a\n{'1' * int(seconds + 1)}\n")
        return watch.changed()

    assert [look(one) for one in (0, 5, 10)] == [None] * 3
    found = look(11)
    assert found is not None
    path.write_text("other")
    assert watch.is_still(found)
    watch.done(found)
    assert [look(one) for one in (12, 20, 22)] == [None] * 3
    assert look(23) is not None


def test_a_table_without_a_file_is_told(tmp_path: Path) -> None:
    """The fault is the reader's, E6110."""
    with pytest.raises(RunError, match="E6110"):
        FileWatch([TABLE], tmp_path).changed()
