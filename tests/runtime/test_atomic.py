"""Atomic writes: the old file or the new one, whatever happens between."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlsd_framework.runtime import atomic


def test_a_write_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """After a write there is one file, with the new content, readable by others."""
    target = tmp_path / "a" / "state.json"
    atomic.write_text(target, "one")
    atomic.write_text(target, "two")
    assert [path.name for path in target.parent.iterdir()] == ["state.json"]
    assert target.read_text() == "two"
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_failure_leaves_the_former_file(tmp_path: Path) -> None:
    """An exception inside `replacing` keeps the old content and removes the temporary file."""
    target = tmp_path / "state.json"
    atomic.write_text(target, "one")

    def write_half() -> None:
        with atomic.replacing(target) as part:
            part.write_text("half")
            message = "disk full"
            raise OSError(message)

    with pytest.raises(OSError, match="full"):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert target.read_text() == "one"


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    """A process that rewrites a file for ever is killed: the file is one of the contents it wrote, whole."""
    target = tmp_path / "state.json"
    code = (
        "import sys, itertools\nfrom pathlib import Path\nfrom mlsd_framework.runtime import atomic\n"
        "for number in itertools.count():\n    atomic.write_text(Path(sys.argv[1]), str(number % 10) * 100_000)\n"
    )
    root = Path(__file__).resolve().parents[2]
    for wait in (0.35, 0.5):
        process = subprocess.Popen([sys.executable, "-c", code, str(target)], cwd=root)
        while not target.exists():
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        content = target.read_text()
        assert len(content) == 100_000
        assert len(set(content)) == 1
