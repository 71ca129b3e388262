"""The supervisor keeps an indexer beside the workers: what it is told, order, crashes, replaces."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.deployment import StoreAddress
from mlsd_framework.runtime.operations.processes import ProcessIdentity
from tests.runtime.operations.supervised_system import System, eventually

pytestmark = pytest.mark.process

SCRIPT = Path(__file__).with_name("supervised_updater.py")
STORE = StoreAddress(url="redis://127.0.0.1:1")


def _indexed(system: System, name: str = "a") -> dict[str, Any]:
    """Return options of a deployment with the test's indexer, kept in a folder of its own as services are."""
    folder = system.place.root / name
    folder.mkdir(exist_ok=True)
    shutil.copyfile(SCRIPT, folder / "indexer.py")
    return {"indexer": folder / "indexer.py", "store": STORE}


def _told(system: System) -> list[dict[str, Any]]:
    """Return what the indexers said of themselves."""
    lines = (system.place.logs / "indexer.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def _ready(system: System) -> list[str]:
    lines = (json.loads(line) for line in (system.place.logs / "supervisor.log").read_text().splitlines())
    return [one["process"] for one in lines if one["event"] == "ready"]


def _process(system: System) -> ProcessIdentity:
    process = system.status().indexers[0].process
    assert process is not None
    return process


def test_an_indexer_runs_beside_the_workers_and_knows_the_version(system: System) -> None:
    """It has bundle, folder of changes, project and store, and not the service's token; it is ready before workers."""
    token = "a-token-of-16-characters"  # noqa: S105 - a made-up one
    found = system.note(client.start(system.deployment(**_indexed(system)), system.environment(MLSD_TOKEN=token)))
    assert found.state == "ready"
    assert [(one.state, one.metrics) for one in found.indexers] == [("ready", "http://127.0.0.1:4711/metrics")]
    assert _ready(system) == ["indexer", "worker 0"]
    eventually(lambda: len(_told(system)) == 1)
    told = _told(system)[0]
    assert (told["store"], told["token"]) == (STORE.url, "")
    assert found.deployment is not None
    assert told["bundle"] == found.deployment.bundle
    root = system.place.root.resolve()
    assert told["changes"] == str(root / "items" / found.version)
    assert told["project"] == str(root.parents[1])
    client.stop(system.place)
    eventually(lambda: not system.living())


def test_a_killed_indexer_comes_back(system: System) -> None:
    """`kill -9`: degraded, then a new process; no worker is touched."""
    found = system.start(**_indexed(system))
    victim = _process(system)
    os.kill(victim.pid, signal.SIGKILL)
    eventually(lambda: system.status().restarts == 1 and system.status().state == "ready")
    back = system.status()
    assert (back.indexers[0].last_exit, back.indexers[0].restarts) == ("SIGKILL", 1)
    assert back.indexers[0].process != victim
    assert back.workers[0].process == found.workers[0].process


def test_a_replace_ends_the_old_indexer_after_the_old_workers(system: System) -> None:
    """Each version has its own, and what it writes goes to a folder of its own."""
    first = system.start("v1", **_indexed(system, "a"))
    second = system.start("v2", **_indexed(system, "b"))
    assert second.change == "replaced"
    assert [one.version for one in second.indexers] == ["v2"]
    eventually(lambda: len(_told(system)) == 2)
    assert [Path(one["changes"]).name for one in _told(system)] == ["v1", "v2"]
    gone = {one.process for one in (*first.workers, *first.indexers)}
    assert not gone & set(system.living())


def test_a_version_whose_indexer_does_not_start_leaves_the_old_one_serving(system: System) -> None:
    """The error names the indexer and its log; what served goes on."""
    first = system.start("v1", **_indexed(system, "a"))
    options = _indexed(system, "b")
    (system.place.root / "b" / "refuse").touch()
    with pytest.raises(RunError) as raised:
        system.start("v2", **options)
    fault = raised.value.diagnostics[0]
    assert fault.code == "E6503"
    assert fault.what.startswith("indexer of version")
    assert "indexer.log" in str(fault.help)
    now = system.status()
    assert (now.version, now.state) == (first.version, "ready")
    assert [one.process for one in now.indexers] == [one.process for one in first.indexers]
