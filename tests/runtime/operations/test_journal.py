"""Logs turn over by size, lose nothing while doing so, and survive a full disk."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.operations.children import Children
from mlsd_framework.runtime.operations.journal import Journal, RotatingLog, turned
from mlsd_framework.runtime.operations.logs import follow, last_lines


def test_a_full_log_turns_over_and_the_oldest_goes(tmp_path: Path) -> None:
    """Three kept files and the current one hold the newest lines in order."""
    path = tmp_path / "a.log"
    log = RotatingLog(path, file_bytes=40, kept=3)
    for number in range(40):
        log.write(f"line {number:03}\n".encode())
    log.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2", "a.log.3"]
    assert all(file.stat().st_size <= 40 for file in tmp_path.iterdir())
    assert last_lines(path, 100) == [f"line {number:03}" for number in range(24, 40)]
    assert path.stat().st_mode & 0o777 == 0o600


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), max_size=60), st.integers(0, 70))
def test_last_lines_are_those_last_written(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], count: int
) -> None:
    """Over however many turns, as long as the files are kept."""
    path = tmp_path_factory.mktemp("log") / "x.log"
    size = sum(len(line.encode()) + 1 for line in lines)
    log = RotatingLog(path, file_bytes=size // 2 + 1, kept=3)
    for line in lines:
        log.write(line.encode() + b"\n")
    log.close()
    assert last_lines(path, count) == (lines[-count:] if count else [])


def test_a_full_disk_loses_lines_and_says_so_later(tmp_path: Path) -> None:
    """Writing raises nothing; once there is room the loss is reported."""
    path = tmp_path / "full.log"
    path.symlink_to("/dev/full")
    log = RotatingLog(path)
    log.write(b"one\ntwo\n")
    log.write(b"three\n")
    with (tmp_path / "room.log").open("ab") as room:
        os.dup2(room.fileno(), log._handle)
    log.write(b"four\n")
    log.close()
    assert (tmp_path / "room.log").read_text() == "(3 lines lost: the disk was full)\nfour\n"


def test_follow_goes_over_a_turn(tmp_path: Path) -> None:
    """Each line comes once, those before and after the file turned."""
    path = tmp_path / "f.log"
    log = RotatingLog(path, file_bytes=20)
    log.write(b"old\n")
    followed = follow(path, 1)
    assert next(followed) == "old"
    for number in range(6):
        log.write(f"new {number} 0123456\n".encode())
        assert next(followed) == f"new {number} 0123456"
    assert turned(path, 1).exists()
    followed.close()
    log.close()


def test_the_output_of_a_child_is_logged_whole_over_turns(tmp_path: Path) -> None:
    """20,000 quick lines of a child, its last without an end, are all there and in order, its tail too."""

    async def scene() -> tuple[int, list[str]]:
        log = RotatingLog(tmp_path / "c.log", file_bytes=100_000, kept=9)
        code = "import sys\nfor n in range(20000): print(n)\nsys.stderr.write('the end')"
        child = Children().spawn([sys.executable, "-c", code], environment={}, folder=tmp_path, log=log)
        status = await child.exited
        log.close()
        return status, list(child.tail)

    status, tail = asyncio.run(scene())
    assert status == 0
    assert tail[-2:] == ["19999", "the end"]
    files = sorted(tmp_path.glob("c.log.*"), reverse=True)
    assert files
    text = "".join(file.read_text() for file in (*files, tmp_path / "c.log"))
    assert text.splitlines() == [*map(str, range(20000)), "the end"]


def test_what_a_child_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """A grandchild in the child's group is ended when the child ends, however it ends."""

    async def scene() -> None:
        log = RotatingLog(tmp_path / "g.log")
        code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
        child = Children().spawn([sys.executable, "-c", code], environment={}, folder=tmp_path, log=log)
        await child.exited
        log.close()
        grandchild = Path(f"/proc/{child.tail[-1]}/stat")
        for _ in range(100):
            if not grandchild.exists() or grandchild.read_text().rpartition(")")[2].split()[0] == "Z":
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the grandchild lives")

    asyncio.run(scene())


def test_the_journal_writes_one_object_a_line(tmp_path: Path) -> None:
    """Line ends in a fact stay inside its string."""
    log = RotatingLog(tmp_path / "j.log")
    Journal(log).say("ended", level="error", how="a\nb", pid=3)
    log.close()
    (line,) = (tmp_path / "j.log").read_text().splitlines()
    assert '"event": "ended", "how": "a\\nb", "pid": 3}' in line
