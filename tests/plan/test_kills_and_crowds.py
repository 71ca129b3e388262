"""What a kill, a full disk, a failure or a second command at the same time leaves behind."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlsd_framework.diagnostics.errors import PlanError
from mlsd_framework.plan.state import State, read_state, write_state
from mlsd_framework.runtime.operations import client
from tests.plan.small_project import Small

pytestmark = pytest.mark.process
HERE = Path(__file__).resolve().parent
ALL = ["build", "dataset", "train fraud", "train second", "evaluate", "materialise", "verify", "serve"]


class Commands:
    """Runs commands on the stubbed project, each in a process of its own."""

    def __init__(self, small: Small) -> None:
        """Take the project."""
        self.small = small

    def begin(self, command: str, **more: str) -> subprocess.Popen[str]:
        """Start a command."""
        paths = [str(HERE.parents[1]), str(HERE.parent / "runtime" / "operations")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}
        return subprocess.Popen(
            [sys.executable, str(HERE / "stubbed.py"), str(self.small.root), command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def run(self, command: str, **more: str) -> dict[str, Any]:
        """Run a command to its end and return what it printed."""
        process = self.begin(command, **more)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return json.loads(output)

    def fail(self, command: str, **more: str) -> str:
        """Run a command that fails and return its complaint."""
        process = self.begin(command, **more)
        _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
        return errors

    def kill_in(self, stage: str, command: str = "train") -> int:
        """Kill a command while the script of `stage` runs; return the script's pid."""
        waiting = self.small.root / "waiting"
        process = self.begin(command, STUB_WAIT=stage)
        limit = time.monotonic() + 30
        while not (waiting.exists() and waiting.read_text()):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.02)
        pid = int(waiting.read_text())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        waiting.unlink()
        return pid


@pytest.fixture
def commands(small: Small) -> Iterator[Commands]:
    """Return the commands; whatever they start is stopped."""
    yield Commands(small)
    client.stop(small.project().workspace)


def ends(pid: int) -> bool:
    """Wait until a process has ended."""
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_deploying_twice_is_harmless(commands: Commands) -> None:
    """The second deployment has nothing to do; a changed cost leads to a new version and to no training."""
    first = commands.run("deploy")
    assert (first["stages"], first["state"]) == (ALL, "ready")
    again = commands.run("deploy")
    assert (again["stages"], again["version"]) == ([], first["version"])
    commands.small.write(("false_positive: 5", "false_positive: 6"))
    after = commands.run("deploy")
    assert after["stages"] == ["build", "evaluate", "serve"]
    assert after["version"] != first["version"]


@pytest.mark.parametrize("stage", ["dataset", "train fraud", "evaluate"])
def test_a_kill_in_a_stage_is_repaired_by_the_next_run(commands: Commands, stage: str) -> None:
    """What was done stays done, the script ends with the command, and the next run starts at the stage cut off."""
    commands.run("train")
    before = read_state(commands.small.project().workspace)
    commands.small.write(("column: is_fraud}", "column: is_fraud, matures_after: 1h}"))
    assert ends(commands.kill_in(stage))
    left = read_state(commands.small.project().workspace)
    assert left.stages[stage] == before.stages[stage]
    found = commands.run("train")["stages"]
    assert found[0] == stage
    assert commands.run("train")["stages"] == []


def test_a_kill_leaves_the_former_version_serving(commands: Commands) -> None:
    """A deployment that is killed in a training takes nothing from the service that runs."""
    version = commands.run("deploy")["version"]
    commands.small.write(("iterations: 5", "iterations: 6"))
    commands.kill_in("train fraud", "deploy")
    found = client.status(commands.small.project().workspace)
    assert (found.state, found.version) == ("ready", version)
    assert commands.run("deploy")["version"] != version


@pytest.mark.parametrize("number", [1, 3, 7, 9, 10])
def test_a_kill_at_any_rename_is_repaired(commands: Commands, number: int) -> None:
    """Generated files and the state are the old ones or the new ones, and the next run finishes."""
    process = commands.begin("train", STUB_KILL=str(number))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    commands.run("train")
    assert commands.run("train")["stages"] == []


def test_a_kill_while_the_service_starts_is_repaired(commands: Commands) -> None:
    """The supervisor outlives the command, and the next deployment finds it or repairs it."""
    process = commands.begin("deploy")
    services = commands.small.root / ".mlsd" / "small" / "services"
    while not services.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert commands.run("deploy")["state"] == "ready"
    assert commands.run("plan")["stages"] == []


def test_two_deployments_at_once_follow_one_another(commands: Commands) -> None:
    """The second waits, and then has nothing left to do."""
    both = [commands.begin("deploy") for _ in range(2)]
    answers = [json.loads(one.communicate(timeout=60)[0]) for one in both]
    assert sorted(len(one["stages"]) for one in answers) == [0, len(ALL)]
    assert {one["state"] for one in answers} == {"ready"}


def test_a_stage_that_fails_stops_there(commands: Commands) -> None:
    """What was done before stays done, the log is named, and the next run goes on."""
    errors = commands.fail("train", STUB_FAIL="evaluate")
    assert "E5015" in errors
    assert commands.run("train")["stages"] == ["evaluate"]


def test_a_full_disk_leaves_the_former_state(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that cannot be written is told as such, and the one that was there is whole."""
    place = small.project().workspace
    write_state(place, State(contract={"/decide": {"amount": "float64"}}))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mlsd_framework.runtime.atomic.os.fsync", full)
    with pytest.raises(PlanError, match="E5014"):
        write_state(place, State())
    assert read_state(place).contract == {"/decide": {"amount": "float64"}}
    assert [path.name for path in place.root.iterdir()] == ["state.json"]
