"""Files are read when they have come to rest, and once."""

from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.indexer.watching import FileWatch

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


def test_a_table_without_a_file_is_told(tmp_path: Path) -> None:
    """The fault is the reader's, E6110."""
    with pytest.raises(RunError, match="E6110"):
        FileWatch([TABLE], tmp_path).changed()
