"""Running a generated script as a stage: its output in a log, its last line for people, its faults as diagnostics."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.plan.progress import Step
from mlsd_framework.plan.state import not_written
from mlsd_framework.runtime.operations.import_path import import_path
from mlsd_framework.runtime.script import DIAGNOSTICS, PARENT
from mlsd_framework.runtime.workspace import PROJECT

STORE = "MLSD_STORE_URL"
_TAIL = 12


@dataclass
class _Output:
    """What a script has printed so far."""

    log: TextIO
    step: Step
    last: str = ""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, stream: TextIO, *, result: bool) -> None:
        """Read a stream to its end; of results the last line is kept, of the rest it is shown while it is new."""
        for line in stream:
            text = line.rstrip()
            with self.lock:
                self.log.write(f"{text}\n")
                self.log.flush()
                if text and result:
                    self.last = text
                elif text:
                    self.tail.append(text)
                if text:
                    self.step.note = "".join(char for char in text if char.isprintable())


def run_script(
    root: Path, name: str, script: str, *, log: Path, step: Step, lock: int,
    arguments: Sequence[str] = (), variables: Mapping[str, str] = MappingProxyType({}),
) -> str:  # fmt: skip
    """Run a generated script in the project's folder and return the last line of its standard output.

    `variables` are set in its environment. With STORE among them it gets `--store`, and the URL by way of the variable:
    the URL may hold a password.

    Raises `RunError` with the script's own diagnostics and E5015, which names the log. The script inherits `lock`, so
    that one that outlives this process keeps others away.
    """
    if not (root / script).is_file():
        raise RunError.of("E5015", f"stage `{name}` has no script `{script}`", help="build the system")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("w", encoding="utf-8")
    except OSError as fault:
        raise not_written(log, fault) from fault
    with file, tempfile.TemporaryDirectory(prefix="mlsd-") as folder:
        told = Path(folder) / "diagnostics.json"
        output = _Output(file, step)
        command = [script, *arguments, *(["--store", f"@{STORE}"] if STORE in variables else [])]
        status = _wait(root, command, variables, output, told, lock)
        if status == 0:
            return output.last
        raise _failure(name, status, log, told, output)


def _wait(root: Path, command: list[str], variables: Mapping[str, str], output: _Output, told: Path, lock: int) -> int:
    ours = {PROJECT: str(root), DIAGNOSTICS: str(told), PARENT: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603 - this interpreter, a script of ours
        [sys.executable, "-P", "-m", "mlsd_framework.runtime.script", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=root,
        env={**os.environ, **import_path(os.environ), **variables, **ours},
        text=True,
        errors="replace",
        pass_fds=[lock],
    ) as process:
        readers = [
            threading.Thread(target=output.take, args=(process.stdout,), kwargs={"result": True}),
            threading.Thread(target=output.take, args=(process.stderr,), kwargs={"result": False}),
        ]
        try:
            for reader in readers:
                reader.start()
            status = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            for reader in readers:
                reader.join()
    return status


def _failure(name: str, status: int, log: Path, told: Path, output: _Output) -> RunError:
    found = _diagnostics(told)
    how = f"exit status {status}" if status >= 0 else f"signal {-status}"
    notes = () if found else tuple(output.tail)
    ours = Diagnostic(code="E5015", what=f"stage `{name}` fails ({how})", help=f"its whole log is `{log}`", notes=notes)
    return RunError([*found, ours])


def _diagnostics(told: Path) -> list[Diagnostic]:
    try:
        return [
            Diagnostic(**{**one, "span": None, "notes": tuple(one["notes"])}) for one in json.loads(told.read_bytes())
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def version_in(line: str) -> str:
    """Return the id in the line `version <id>`; raise `RunError` E5015 where it says something else."""
    found = re.fullmatch(r"version ([A-Za-z0-9][A-Za-z0-9._-]{0,63})", line)
    if found is None:
        raise RunError.of(
            "E5015", f"evaluation ends with `{line[:80]}`", expected="`version <id>`, the version that it made"
        )
    return found[1]
