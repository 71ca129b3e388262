"""Starts, stops and repairs: idempotent, serialised, over the ends of shells and of supervisors."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.processes import ProcessIdentity, identify, is_alive
from mlsd_framework.runtime.operations.status import Status, WorkerStatus, read_status, write_status
from mlsd_framework.runtime.workspace import Workspace
from tests.runtime.operations.supervised_system import System, ask, eventually

pytestmark = pytest.mark.process


def test_start_status_stop(system: System) -> None:
    """Each does what it says, twice as once."""
    assert system.status().state == "stopped"
    found = system.start(workers=2)
    assert (found.change, found.state, found.version) == ("started", "ready", "v1")
    assert found.url == f"http://127.0.0.1:{found.port}"
    assert ask(found.port)["version"] == "v1"
    again = system.start(workers=2)
    assert again.change == "unchanged"
    assert again.processes == found.processes
    assert client.stop(system.place).change == "stopped"
    assert system.living() == []
    with pytest.raises(ConnectionRefusedError):
        ask(found.port)
    assert client.stop(system.place).change == "none"
    assert sorted(path.name for path in system.place.run.iterdir()) == ["metrics", "start.lock", "supervisor.lock"]


def test_stop_where_nothing_ever_was(tmp_path: Path) -> None:
    """It is harmless, and makes no folder."""
    assert client.stop(Workspace(tmp_path / "none")).state == "stopped"
    assert not (tmp_path / "none").exists()


def test_the_service_outlives_the_shell_that_started_it(system: System) -> None:
    """The starting process and its whole session end, by hang-up; the service answers on."""
    deployment = msgspec.json.encode(system.deployment()).decode()
    code = (
        "import sys, os, msgspec, signal; from mlsd_framework.runtime.operations import client, deployment as d;"
        "print(client.start(msgspec.json.decode(sys.argv[1], type=d.Deployment)).port, flush=True);"
        "os.killpg(0, signal.SIGHUP)"
    )
    environment = system.environment()
    environment["PYTHONPATH"] += os.pathsep + str(Path.cwd())
    shell = subprocess.run(
        [sys.executable, "-c", code, deployment],
        env=environment, capture_output=True, text=True, start_new_session=True, check=False,
    )  # fmt: skip
    assert shell.returncode == -signal.SIGHUP, shell.stderr
    assert ask(int(shell.stdout))["version"] == "v1"
    supervisor = system.status().supervisor
    assert supervisor
    assert os.getsid(supervisor.pid) not in (os.getsid(0), 0)


def test_starts_at_once_follow_one_another(system: System) -> None:
    """Three starts of one version in three threads: one starts, two find it running."""
    found: list[Status] = []
    threads = [threading.Thread(target=lambda: found.append(system.start())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status.change for status in found) == ["started", "unchanged", "unchanged"]
    assert len({status.port for status in found}) == 1
    assert len(system.living()) == 2


def test_after_kill_9_of_the_supervisor_workers_end_and_a_start_repairs(system: System) -> None:
    """Workers notice the death and drain; `status` says `dead`; the next start serves again, on the same port."""
    found = system.start(workers=2)
    assert found.supervisor
    os.kill(found.supervisor.pid, signal.SIGKILL)
    eventually(lambda: not system.living())
    assert system.status().state == "dead"
    again = system.start(workers=2, port=found.port)
    assert (again.change, again.state) == ("started", "ready")
    assert ask(found.port)["version"] == "v1"


def test_a_start_right_after_kill_9_waits_for_the_old_workers(system: System) -> None:
    """The port is free again when the new supervisor binds it, though a request was in flight."""
    found = system.start(settings={"delay_s": 0.8})
    assert found.supervisor
    asked = threading.Thread(target=ask, args=(found.port,))
    asked.start()
    time.sleep(0.2)
    os.kill(found.supervisor.pid, signal.SIGKILL)
    again = system.start("v2", port=found.port)
    asked.join()
    assert again.change == "started"
    assert len(system.living()) == 2


def test_a_supervisor_that_hangs_is_ended_and_replaced(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is stopped by a signal answers nothing: `stop` kills it by pid and moment of start, and its workers."""
    found = system.start()
    assert found.supervisor
    os.kill(found.supervisor.pid, signal.SIGSTOP)
    monkeypatch.setattr(client, "_ANSWER_S", 0.3)
    assert client.stop(system.place).state == "stopped"
    assert system.living() == []


def test_a_reused_pid_is_never_signalled(system: System) -> None:
    """A state file that names this test's own child with another moment of start: the child survives the repair."""
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        system.place.run.mkdir(parents=True)
        stale = ProcessIdentity(bystander.pid, "another-boot:1")
        worker = WorkerStatus(worker=0, version="v0", state="ready", since=0, process=stale)
        write_status(system.place, Status(system="test", state="ready", port=1, supervisor=stale, workers=(worker,)))
        assert system.status().state == "dead"
        assert system.start().state == "ready"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_orphan_is_found_and_ended(system: System) -> None:
    """A process that the state names rightly is ended by the next start, even one that ignores SIGTERM."""
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    orphan = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert orphan.stdout
    orphan.stdout.readline()
    found = identify(orphan.pid)
    system.place.run.mkdir(parents=True)
    worker = WorkerStatus(worker=0, version="v0", state="ready", since=0, process=found)
    deployment = system.deployment("v0", drain_s=0.1)
    write_status(system.place, Status(system="test", state="ready", workers=(worker,), deployment=deployment))
    assert system.start().state == "ready"
    assert found
    assert not is_alive(found)
    orphan.stdout.close()
    assert orphan.wait() == -signal.SIGKILL


@pytest.mark.parametrize("content", [b"", b"{", b'{"system": 1}', b"\xff" * 100])
def test_a_damaged_state_file_does_not_hinder(system: System, content: bytes) -> None:
    """It reads as none, and a stop removes it."""
    system.place.run.mkdir(parents=True)
    (system.place.run / "supervisor.json").write_bytes(content)
    assert read_status(system.place) is None
    assert system.status().state == "stopped"
    client.stop(system.place)
    assert not (system.place.run / "supervisor.json").exists()


def test_a_stop_during_a_start_ends_it(system: System) -> None:
    """A start that waits for a slow worker is refused with `stopping`, and nothing stays."""
    raised: list[BaseException] = []

    def begin() -> None:
        try:
            system.start(settings={"fault": "hang"}, ready_s=30.0)
        except Exception as fault:  # noqa: BLE001 - looked at below
            raised.append(fault)

    starting = threading.Thread(target=begin)
    starting.start()
    eventually(lambda: system.status().workers)
    client.stop(system.place)
    starting.join()
    assert "E6510" in str(raised[0])
    assert system.living() == []
