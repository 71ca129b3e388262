"""The cache: a full disk, a kill in the middle, records that are damaged."""

import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlsd_framework
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.cache import Cache, Record, Stored

ROOT = Path(mlsd_framework.__file__).parents[1]
HOLD = """
import sys, time
from pathlib import Path
from mlsd_framework.runtime.data.cache import Cache
def slow():
    yield b"half"
    print("held", flush=True)
    time.sleep(60)
cache = Cache(Path(sys.argv[1]))
with cache.lock("x"):
    cache.store("a", slow())
"""


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """The error says what to do; no half content stays."""

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunError, match="E6106"):
        Cache(tmp_path).store("a", chunks())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.process
def test_a_killed_process_leaves_no_lock_and_no_content(tmp_path: Path) -> None:
    """The next one goes on at once."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == b"held\n"
        held.send_signal(signal.SIGKILL)
        held.wait()
    with Cache(tmp_path).lock("x"):
        stored = Cache(tmp_path).store("a", iter([b"whole"]))
    assert [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == [stored.sha256]


def test_damaged_records_count_as_none(tmp_path: Path) -> None:
    """Whatever a record holds, it is looked up without a failure."""
    cache = Cache(tmp_path)
    record = Record((cache.store("a", iter([b"1"])),), "here", "MIT")
    cache.note("u", record)
    assert cache.record("u") == record
    path = next((tmp_path / "records").iterdir())
    for content in ("", "[]", "{}", '{"files": 3}', '{"files": [{}], "origin": 1}', "\x00"):
        path.write_text(content)
        assert cache.record("u") is None


def test_an_edited_target_is_put_right_and_the_cache_is_read_only(tmp_path: Path) -> None:
    """A file that is placed again has the content of the cache."""
    cache = Cache(tmp_path / "c")
    stored: Stored = cache.store("a", iter([b"1"]))
    target = tmp_path / "in" / "a"
    cache.place(stored, target)
    assert target.stat().st_mode & 0o222 == 0
    target.unlink()
    target.write_bytes(b"2")
    cache.place(stored, target)
    assert target.read_bytes() == b"1"
    assert [path.name for path in target.parent.iterdir()] == ["a"]
