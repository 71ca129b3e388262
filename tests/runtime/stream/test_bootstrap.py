"""States made from the log, and the stream that goes on from there: together they are what all events make."""

import polars as pl
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream import bootstrap as bootstrapping
from mlsd_framework.runtime.stream.bootstrap import SourceLog, bootstrap
from mlsd_framework.runtime.stream.live_store import LiveStore
from tests.runtime.stream.payments import encoded, live, payment
from tests.runtime.stream.pumping import NAMES, stepped
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.test_decoding import decoded
from tests.runtime.stream.watching import add, all_counted, keys, read_up_to


def log_of(numbers: range, after: str | None) -> SourceLog:
    """The log of some payments, and after which entry the stream goes on."""
    frame = decoded(*(encoded(payment(n)) for n in numbers)).frame
    return SourceLog(live=live(), events=frame, positions={"payments": after})


def entry(store: StoreProcess, number: int) -> str:
    """The id of the entry at an index of the stream."""
    found = store.ask(b"XRANGE", b"payments", b"-", b"+", b"COUNT", b"%d" % (number + 1))
    assert isinstance(found, list)
    return found[-1][0].decode()


def test_a_running_updater_goes_on_from_the_bootstrap(store: StoreProcess) -> None:
    """States from the log take the place of those there were, under an updater that is never told."""
    add(store, [payment(n) for n in range(20)])
    pumped = stepped(store)
    pumped.run(20)
    before = keys(store, b"shop:f1:live:*")
    done = bootstrap(LiveStore(Address.parse(store.url), NAMES), [log_of(range(15), entry(store, 14))])
    assert sum(done.states.values()) == len({payment(n)["card"] for n in range(15)})
    add(store, [payment(20)])
    pumped.run(6)
    assert all_counted(store) == {f"p{n}": 1 for n in range(21)}
    assert all(0 < store.ask(b"PTTL", name) <= 60_000 for name in before)
    assert store.ask(b"PTTL", keys(store, b"shop:f1:live:%b:*" % done.generation.encode())[0]) == -1


def test_a_bootstrap_that_ends_early_changes_nothing(store: StoreProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bootstrap that fails before its end leaves states and positions; the next one sweeps what it wrote."""
    add(store, [payment(n) for n in range(20)])
    stepped(store).run(20)
    states = LiveStore(Address.parse(store.url), NAMES)
    with monkeypatch.context() as patched:
        patched.setattr(bootstrapping, "_switch", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bootstrap(states, [log_of(range(5), None)])
    assert all_counted(store) == {f"p{n}": 1 for n in range(20)}
    bootstrap(states, [log_of(range(20), entry(store, 19))])
    assert all_counted(store) == {f"p{n}": 1 for n in range(20)}
    assert sum(store.ask(b"PTTL", name) == -1 for name in keys(store, b"shop:f1:live:*")) == 7


def test_a_log_in_parts(store: StoreProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is made in parts gives the same states."""
    monkeypatch.setattr(bootstrapping, "_SLICE", 7)
    monkeypatch.setattr(bootstrapping, "_ROUND", 50)
    bootstrap(LiveStore(Address.parse(store.url), NAMES), [log_of(range(100), None)])
    assert all_counted(store) == {f"p{n}": 1 for n in range(100)}


def test_positions_are_asked_for(store: StoreProcess) -> None:
    """A log without the positions from which its stream goes on is refused."""
    log = SourceLog(live=live(), events=pl.DataFrame(), positions={})
    with pytest.raises(RunError, match="E6609"):
        bootstrap(LiveStore(Address.parse(store.url), NAMES), [log])
    assert read_up_to(store) == 0
