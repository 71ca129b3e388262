"""The embedded store lives and dies with the deployment, and its data outlives both."""

import os
import signal
import time
from pathlib import Path

import pytest
import valkey

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.deployment import EmbeddedStore, StoreAddress
from tests.runtime.operations.supervised_system import System, ask, eventually

pytestmark = pytest.mark.process


def test_the_store_keeps_its_data_over_crash_stop_and_kill(system: System) -> None:
    """Kill -9 of the store, a stop, and kill -9 of the supervisor: what was synced is there each time."""
    embedded = EmbeddedStore(memory_mb=64)
    found = system.start(store=embedded)
    assert found.store
    assert ask(found.port)["store"] == found.store.url
    connection = valkey.Valkey.from_url(found.store.url)
    try:
        assert connection.config_get("port")["port"] == "0"
        assert connection.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        connection.set("card:1", "42")
        connection.execute_command("WAITAOF", 1, 0, 2000)
        victim = found.store.process
        assert victim
        os.kill(victim.pid, signal.SIGKILL)
        eventually(lambda: (system.status().store or found.store).restarts == 1 and system.status().state == "ready")
        assert connection.get("card:1") == b"42"

        connection.set("card:2", "43")
        client.stop(system.place)
        assert system.living() == []
        again = system.start(store=embedded)
        assert connection.get("card:2") == b"43"

        connection.set("card:3", "44")
        assert again.supervisor
        os.kill(again.supervisor.pid, signal.SIGKILL)
        system.start(store=embedded)
        assert connection.get("card:3") == b"44"
    finally:
        connection.close()


def test_a_full_store_refuses_writes_and_evicts_nothing(system: System) -> None:
    """Beyond the memory limit a write is an error that the writer sees."""
    found = system.start(store=EmbeddedStore(memory_mb=3))
    assert found.store
    connection = valkey.Valkey.from_url(found.store.url)
    try:
        connection.set("first", "1")
        refused = 0
        for number in range(100):
            try:
                connection.set(f"key:{number}", b"x" * 100_000)
            except valkey.exceptions.OutOfMemoryError:
                refused += 1
        assert 0 < refused < 100
        assert connection.get("first") == b"1"
        assert connection.info("stats")["evicted_keys"] == 0
    finally:
        connection.close()


def test_the_store_socket_is_private_and_a_replace_leaves_the_store_alone(system: System) -> None:
    """Mode 0600; the next version reads the same server process."""
    found = system.start(store=EmbeddedStore(memory_mb=64))
    assert found.store
    path = found.store.url.removeprefix("unix://")
    assert Path(path).stat().st_mode & 0o777 == 0o600
    again = system.start("v2", store=EmbeddedStore(memory_mb=64))
    assert again.store
    assert again.store.process == found.store.process
    with pytest.raises(RunError, match="E6505"):
        system.start("v3", store=EmbeddedStore(memory_mb=128))
    assert system.start("v3").store is None
    assert len(system.living()) == 2


def test_an_address_starts_nothing_and_shows_no_password(system: System) -> None:
    """The workers get the whole url, the status one without its secret."""
    found = system.start(store=StoreAddress(url="redis://u:pw@127.0.0.1:1/0"))
    assert found.store
    assert (found.store.url, found.store.process) == ("redis://127.0.0.1:1/0", None)
    assert ask(found.port)["store"] == "redis://u:pw@127.0.0.1:1/0"
    assert b"pw@" not in (system.place.run / "supervisor.json").read_bytes()


def test_a_damaged_store_is_an_error_with_its_last_lines(system: System) -> None:
    """The start fails with what the server said, and leaves nothing running."""
    folder = system.place.root / "store" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("nonsense\n")
    began = time.monotonic()
    with pytest.raises(RunError) as raised:
        system.start(store=EmbeddedStore())
    assert raised.value.diagnostics[0].code == "E6504"
    assert raised.value.diagnostics[0].notes
    assert time.monotonic() - began < 10
    assert system.status().state == "stopped"


def test_a_store_runs_before_the_workers(system: System) -> None:
    """What is published to a store that was opened alone is there for the first worker; the store goes on."""
    wanted = system.deployment(store=EmbeddedStore(memory_mb=64))
    opened = system.note(client.open_store(wanted, system.environment()))
    assert opened.store
    assert (opened.workers, opened.store.state, opened.change) == ((), "ready", "started")
    valkey.Valkey.from_url(opened.store.url).set("key", "value")
    assert client.open_store(wanted, system.environment()).change == "unchanged"
    found = system.start(store=EmbeddedStore(memory_mb=64))
    assert found.store
    assert (found.change, found.state, found.store.process) == ("started", "ready", opened.store.process)
    assert valkey.Valkey.from_url(found.store.url).get("key") == b"value"
