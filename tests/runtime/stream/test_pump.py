"""The loop of one source: what it writes, what it leaves out, and what it does when positions move under it."""

import dataclasses
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import Address, Reply
from mlsd_framework.runtime.stream.live import LiveGroup
from mlsd_framework.runtime.stream.live_store import LiveStore
from tests.runtime.stream.payments import GROUP, CountingLayout, encoded, live, payment
from tests.runtime.stream.pumping import NAMES, FailingStore, run_through_failures, stepped, valkey_source
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.watching import add, all_counted, keys, read_up_to


def once(numbers: range) -> dict[str, int]:
    """What the states hold when each payment is in them once."""
    return {f"p{n}": 1 for n in numbers}


def test_events_reach_their_states(store: StoreProcess) -> None:
    """Every event is in the state of its key once, and the position says so."""
    add(store, [payment(n) for n in range(500)])
    pumped = stepped(store, most=64)
    assert pumped.run(500) == 500
    assert all_counted(store) == once(range(500))
    assert read_up_to(store) == 500
    assert pumped.total("events_total") == 500


def test_arrays_of_events(store: StoreProcess) -> None:
    """An entry may hold an array of events, and entries of both kinds may follow each other."""
    add(store, [[payment(n) for n in range(10)], payment(10), [], [payment(11)]])
    pumped = stepped(store)
    pumped.run(4)
    assert all_counted(store) == once(range(12))


def test_duplicates(store: StoreProcess) -> None:
    """An event that came a moment ago is counted as a duplicate and not written again."""
    add(store, [payment(1), payment(2), payment(1)])
    pumped = stepped(store)
    pumped.run(3)
    add(store, [payment(2), payment(3)])
    pumped.run(2)
    assert all_counted(store) == once(range(1, 4))
    assert pumped.total("duplicates_total") == 2


def test_late_events(store: StoreProcess) -> None:
    """An event written later than the group allows is left out and counted; without a limit none is late."""
    group = dataclasses.replace(GROUP, allowed_lateness=timedelta(hours=1), ingest_time="written")
    fed = dataclasses.replace(live(late=timedelta(hours=1)), groups=(LiveGroup(CountingLayout(group)),))
    add(store, [payment(1), payment(2, written="2024-01-02T00:00:00Z"), payment(3, written="2024-01-01T01:00:03Z")])
    pumped = stepped(store, fed=fed)
    pumped.run(3)
    assert all_counted(store) == {"p1": 1, "p3": 1}
    assert pumped.total("late_total", group="card") == 1


def test_a_position_that_someone_moved(store: StoreProcess) -> None:
    """A replica whose partition another has read goes on from where the other is, and repeats nothing."""
    first = stepped(store, valkey_source(store, "a"))
    add(store, [payment(n) for n in range(10)])
    first.run(10)
    store.ask(b"DEL", b"shop:f1:lease:payments:payments", b"shop:f1:replicas:payments")
    second = stepped(store, valkey_source(store, "b"))
    add(store, [payment(n) for n in range(10, 20)])
    second.run(10)
    add(store, [payment(n) for n in range(20, 30)])
    first.run(10)
    assert first.total("conflicts_total") == 1
    assert all_counted(store) == once(range(30))


def test_idle_states_expire(store: StoreProcess) -> None:
    """A state expires after its horizon and the time that an event may lie ahead, and so does one that begins anew."""
    add(store, [payment(1)])
    fed = dataclasses.replace(live(), groups=(LiveGroup(CountingLayout(horizon_us=3_600_000_000)),))
    pumped = stepped(store, fed=fed)
    pumped.run(1)
    (name,) = keys(store, b"shop:f1:live:*")
    left = store.ask(b"PTTL", name)
    assert isinstance(left, int)
    assert 0 <= (3_600_000 + 300_000 + 60_000) * 5 // 4 - left < 10_000
    store.ask(b"PERSIST", name)
    add(store, [payment(1, payment_id="again")])
    pumped.run(1)
    assert store.ask(b"PTTL", name) == -1  # its expiry was set a moment ago
    store.ask(b"DEL", name)  # as an eviction does
    add(store, [payment(1, payment_id="once more")])
    pumped.run(1)
    left = store.ask(b"PTTL", name)
    assert isinstance(left, int)
    assert left > 0


def test_a_state_that_is_none(store: StoreProcess) -> None:
    """A name at which something else stands costs that key its events, is counted, and stops nothing."""
    pumped = stepped(store)
    add(store, [payment(1)])
    pumped.run(1)
    (name,) = keys(store, b"shop:f1:live:*")
    store.ask(b"DEL", name)
    store.ask(b"SADD", name, b"x")
    add(store, [payment(1, payment_id="again"), payment(2), payment(3)])
    pumped.run(3)
    assert pumped.total("states_refused_total") == 1
    assert read_up_to(store) == 4


def test_an_unreadable_position(store: StoreProcess) -> None:
    """A position that nobody wrote ends the updater: going on from anywhere could count events twice."""
    store.ask(b"SET", b"shop:f1:position:payments:payments", b"what")
    add(store, [payment(1)])
    with pytest.raises(RunError, match="E6606"):
        stepped(store).run(1)


def test_a_store_that_evicts_positions(store: StoreProcess) -> None:
    """A store that may evict any key is refused, one that evicts only what expires is not."""
    store.ask(b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-lru")
    try:
        with pytest.raises(RunError, match="E6607"):
            stepped(store).pump.step()
        store.ask(b"CONFIG", b"SET", b"maxmemory-policy", b"volatile-ttl")
        stepped(store).pump.step()
    finally:
        store.ask(b"CONFIG", b"SET", b"maxmemory-policy", b"noeviction")


def test_lost_payloads_are_counted(store: StoreProcess) -> None:
    """Entries that were trimmed before they were read are counted as lost."""
    pumped = stepped(store)
    add(store, [payment(n) for n in range(10)])
    pumped.run(10)
    add(store, [payment(n) for n in range(10, 30)])
    store.ask(b"XTRIM", b"payments", b"MAXLEN", b"5")
    pumped.run(5)
    pumped.pump._upkeep()
    assert pumped.total("payloads_lost_total") == 15
    assert pumped.total("lag_payloads", partition="payments") == 0


def test_the_lag(store: StoreProcess) -> None:
    """The lag is what a partition has beyond what was read."""
    pumped = stepped(store, most=4)
    add(store, [payment(n) for n in range(10)])
    pumped.run(4)
    pumped.pump._upkeep()
    assert pumped.total("lag_payloads", partition="payments") == 6
    assert pumped.total("lag_seconds", partition="payments") >= 0
    pumped.run(6)
    pumped.pump._upkeep()
    assert pumped.total("lag_payloads", partition="payments") == 0
    assert pumped.total("lag_seconds", partition="payments") == 0


def test_entries_that_were_read_are_trimmed(store: StoreProcess) -> None:
    """Entries go when they are both read and old, and no others."""
    old = [b"XADD", b"payments", b"1000-1", b"e", encoded(payment(1))]
    store.ask(*old)
    add(store, [payment(2)])
    pumped = stepped(store, valkey_source(store, retention=timedelta(hours=1)))
    pumped.run(2)
    store.ask(b"CONFIG", b"SET", b"stream-node-max-entries", b"1")
    pumped.source.committed({"payments": "0-0"})
    assert store.ask(b"XLEN", b"payments") == 2
    pumped.source._trim_at.clear()
    add(store, [payment(3)])
    pumped.run(1)
    assert store.ask(b"XLEN", b"payments") in (2, 3)  # whole nodes are trimmed


class RacingStore(LiveStore):
    """A store in which another replica moves the position between our look at it and our change."""

    other: Callable[[], object] | None = None

    def transact(self, encoded: Iterable[bytes], commands: int) -> list[Reply] | None:
        """Let the other replica come first, once."""
        other, self.other = self.other, None
        if other is not None:
            other()
        return super().transact(encoded, commands)


def test_a_position_that_moves_meanwhile(store: StoreProcess) -> None:
    """A change is not made where the position moves after it was looked at."""
    add(store, [payment(n) for n in range(20)])
    states = RacingStore(Address.parse(store.url), NAMES)
    ours = stepped(store, valkey_source(store, "a"), states=states, most=10)
    theirs = stepped(store, valkey_source(store, "b"), most=10)
    ours.run(10)

    def come_first() -> None:
        store.ask(b"DEL", b"shop:f1:lease:payments:payments", b"shop:f1:replicas:payments")
        theirs.run(10)

    states.other = come_first
    assert ours.pump.step() == 0
    assert ours.total("conflicts_total") == 1
    assert all_counted(store) == once(range(20))


def test_evicted_states_are_counted(own_folder: Path) -> None:
    """Under a memory limit with a `volatile-` policy idle states go, and how many is a metric; positions stay."""
    fed = dataclasses.replace(live(), groups=(LiveGroup(CountingLayout(horizon_us=3_600_000_000)),))
    options = ("--maxmemory", "4mb", "--maxmemory-policy", "volatile-lru")
    with StoreProcess(own_folder, *options) as full:
        pumped = stepped(full, fed=fed)
        for begin in range(0, 20_000, 2000):
            add(full, [payment(n, card=f"card {n}") for n in range(begin, begin + 2000)])
            pumped.run(2000)
            full.ask(b"XTRIM", b"payments", b"MAXLEN", b"0")
        pumped.pump._health._next = 0.0
        pumped.pump._upkeep()
        assert (pumped.metrics.registry.get_sample_value("mlsd_stream_store_evicted_keys") or 0) > 0
        assert read_up_to(full) == 20_000


@pytest.mark.parametrize("done", [False, True])
def test_every_exchange_may_fail(store: StoreProcess, done: bool) -> None:
    """Whichever exchange fails, and whether the store had done it or not, events are in the states once."""
    for at in range(1, 14):
        store.ask(b"FLUSHALL")
        states = FailingStore(store.url, at, done=done)
        pumped = stepped(store, states=states, most=8)
        add(store, [payment(n) for n in range(40)])
        run_through_failures(pumped, store, 40)
        assert states.left <= 0
        assert all_counted(store) == once(range(40)), at
