"""Real stores for the tests of the stream: one that a module shares, and ones that a test may kill."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import values

from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address, Connection
from tests.runtime.stream.store_process import StoreProcess


@pytest.fixture(autouse=True)
def _counters_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let metrics count in this process alone: what another test imports may make prometheus-client share them."""
    monkeypatch.setattr(values, "ValueClass", values.MutexValue)


@pytest.fixture(scope="module")
def shared_store() -> Iterator[StoreProcess]:
    """A store without persistence for the tests of one module."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, StoreProcess(Path(folder)) as store:
        yield store


@pytest.fixture
def store(shared_store: StoreProcess) -> StoreProcess:
    """The module's store, emptied."""
    shared_store.ask(b"FLUSHALL")
    return shared_store


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def names() -> LiveNames:
    """The names of a system's states."""
    return LiveNames("shop", "f1")


@pytest.fixture
def connection(store: StoreProcess) -> Iterator[Connection]:
    """A connection to the module's store."""
    opened = Connection(Address.parse(store.url), 5.0)
    yield opened
    opened.close()
