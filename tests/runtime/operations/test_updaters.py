"""The supervisor keeps updaters beside the workers: order, crashes, replaces, faults."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.deployment import EmbeddedStore, StoreAddress
from tests.runtime.operations.supervised_system import System, eventually

pytestmark = pytest.mark.process

SCRIPT = Path(__file__).with_name("supervised_updater.py")
STORE = StoreAddress(url="redis://127.0.0.1:1")


def _live(system: System, name: str = "a", updaters: int = 1, **options: Any) -> dict[str, Any]:
    """Return options of a deployment with the test's updater, kept in a folder of its own as services are."""
    folder = system.place.root / name
    folder.mkdir(exist_ok=True)
    shutil.copyfile(SCRIPT, folder / "updater.py")
    return {"updater": folder / "updater.py", "updaters": updaters, "store": STORE, **options}


def _told(system: System) -> list[dict[str, Any]]:
    """Return what the updaters said of themselves."""
    lines = (system.place.logs / "updater.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"event": "updating"')]


def _journal(system: System) -> list[tuple[str, str]]:
    lines = (json.loads(line) for line in (system.place.logs / "supervisor.log").read_text().splitlines())
    return [(one["event"], one["process"]) for one in lines if "process" in one]


def test_updaters_run_beside_the_workers_and_say_where_their_metrics_are(system: System) -> None:
    """Two updaters under two names, each with the store's address and without the service's token."""
    deployment = system.deployment(**_live(system, updaters=2))
    token = "a-token-of-16-characters"  # noqa: S105 - a made-up one
    found = system.note(client.start(deployment, system.environment(MLSD_TOKEN=token)))
    assert found.state == "ready"
    assert [(one.updater, one.state) for one in found.updaters] == [(0, "ready"), (1, "ready")]
    assert {one.metrics for one in found.updaters} == {"http://127.0.0.1:4711/metrics"}
    eventually(lambda: len(_told(system)) == 2)
    told = _told(system)
    assert len({one["replica"] for one in told}) == 2
    assert {(one["store"], one["token"]) for one in told} == {(STORE.url, "")}


def test_the_store_starts_first_and_ends_last(system: System) -> None:
    """Store, updater, worker; a stop goes the other way."""
    system.start(**_live(system, store=EmbeddedStore(memory_mb=32)))
    ready = [process for event, process in _journal(system) if event == "ready"]
    assert ready == ["store", "updater 0", "worker 0"]
    client.stop(system.place)
    eventually(lambda: not system.living())


def test_a_killed_updater_comes_back_under_its_name(system: System) -> None:
    """`kill -9`: degraded, then a new process with the same replica name, and no worker is touched."""
    found = system.start(**_live(system))
    victim = found.updaters[0].process
    assert victim
    os.kill(victim.pid, signal.SIGKILL)
    eventually(lambda: system.status().restarts == 1 and system.status().state == "ready")
    back = system.status()
    assert back.updaters[0].process != victim
    assert (back.updaters[0].last_exit, back.updaters[0].restarts) == ("SIGKILL", 1)
    assert back.workers[0].process == found.workers[0].process
    eventually(lambda: len(_told(system)) == 2)
    first, second = _told(system)
    assert first["replica"] == second["replica"]


def test_an_updater_that_crashes_again_and_again_degrades_a_service_that_answers(system: System) -> None:
    """The state says so, and the workers go on."""
    found = system.start(**_live(system))
    (system.place.root / "a" / "refuse").touch()
    assert found.updaters[0].process
    os.kill(found.updaters[0].process.pid, signal.SIGKILL)
    eventually(lambda: system.status().updaters[0].state == "failed")
    assert (system.status().state, system.status().workers[0].state) == ("degraded", "ready")


def test_a_replace_runs_both_updaters_until_the_old_workers_are_drained(system: System) -> None:
    """The new one is ready before the new workers, the old one ends after the old workers."""
    first = system.start("v1", **_live(system, "a"))
    second = system.start("v2", **_live(system, "b"))
    assert second.change == "replaced"
    assert [(one.updater, one.version) for one in second.updaters] == [(1, "v2")]
    events = [process for event, process in _journal(system) if event == "ready"]
    assert events == ["updater 0", "worker 0", "updater 1", "worker 1"]
    gone = {one.process for one in (*first.workers, *first.updaters)}
    assert not gone & set(system.living())


def test_a_version_whose_updater_does_not_start_leaves_the_old_one_serving(system: System) -> None:
    """The error names the updater, its last lines and its log; old workers and updaters run on."""
    first = system.start("v1", **_live(system, "a"))
    options = _live(system, "b")
    (system.place.root / "b" / "refuse").touch()
    with pytest.raises(RunError) as raised:
        system.start("v2", **options)
    found = raised.value.diagnostics[0]
    assert found.code == "E6503"
    assert "updater 1" in found.what
    assert found.help
    assert "updater.log" in found.help
    assert "error[E6601]: no stream" in found.notes
    now = system.status()
    assert (now.version, now.state) == ("v1", "ready")
    assert now.updaters[0].process == first.updaters[0].process


def test_updaters_end_with_a_killed_supervisor(system: System) -> None:
    """`kill -9` of the supervisor takes them along; one that is deaf to it is ended by the next start."""
    found = system.start(**_live(system))
    (system.place.root / "a" / "deaf").touch()
    deaf = system.start("v2", **_live(system))
    assert found.supervisor
    os.kill(found.supervisor.pid, signal.SIGKILL)
    eventually(lambda: system.status().state == "dead")
    again = system.start("v2", drain_s=0.2, **_live(system, "c"))
    assert again.state == "ready"
    assert deaf.updaters[0].process not in system.living()


def test_another_number_of_updaters_is_another_deployment(system: System) -> None:
    """From one to three to none; the same again changes nothing."""
    system.start(**_live(system))
    assert len(system.start(**_live(system, updaters=3)).updaters) == 3
    assert system.start(**_live(system, updaters=3)).change == "unchanged"
    assert system.start(**_live(system, updaters=0)).updaters == ()
