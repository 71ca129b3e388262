"""Times of whole processes, taken in turns, so that the machine's other work falls on all alike."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from measured.project import environment

MLSD = [sys.executable, "-c", "from mlsd_framework.cli.main import run; run()"]
PASS = [sys.executable, "-c", "pass"]


@dataclass
class Times:
    """What each run of a command took: wall and processor seconds, and the most memory in bytes."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    status: int = 0

    def line(self, name: str, *, beside: "Times | None" = None, bar: float | None = None) -> str:
        """Return one line: least and median, and the median's ratio to another command."""
        median = statistics.median(self.wall)
        text = f"{name:36} least {min(self.wall) * 1e3:7.0f} ms  median {median * 1e3:7.0f} ms"
        text += f"  processor {min(self.processor) * 1e3:6.0f} ms"
        text += f"  {median / statistics.median(beside.wall):6.1f} x python" if beside else ""
        text += f"  (bar {bar:.0f} ms)" if bar else ""
        return text + (f"  exit {self.status}" if self.status else "")


def in_turns(commands: Mapping[str, Sequence[str]], runs: int, *, cwd: Path, pyc: Path) -> dict[str, Times]:
    """Run every command `runs` times, one after another, after one run that leaves compiled bytecode in `pyc`."""
    env = environment() | {"PYTHONPYCACHEPREFIX": str(pyc)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    found = {name: Times() for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            wall, used, memory, status = _once(command, cwd, env)
            if turn:
                found[name].wall.append(wall)
                found[name].processor.append(used)
                found[name].memory.append(memory)
                found[name].status = status
    return found


def _once(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[float, float, int, int]:
    start = time.perf_counter()
    null = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=null, stdout=null, stderr=null)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = 1 if sys.platform == "darwin" else 1024
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * scale, process.returncode
