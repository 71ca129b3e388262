"""States are kept short, beside the events that go on coming."""

import dataclasses

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream.compaction import Compaction, CompactionBounds
from mlsd_framework.runtime.stream.live import LiveGroup
from mlsd_framework.runtime.stream.live_store import LiveStore
from tests.runtime.stream.payments import GROUP, CountingLayout, live, payment
from tests.runtime.stream.pumping import NAMES, stepped
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.watching import add, keys


class SummingLayout(CountingLayout):
    """A state whose blocks are numbers in text, and whose compaction adds them up."""

    def blocks(self, frame: pl.DataFrame) -> tuple[list[bytes], list[bytes]]:
        """One number an event."""
        keys, blocks = super().blocks(frame)
        return keys, [b"1 " * block.count(b"\n") for block in blocks]

    def compact(self, state: bytes) -> bytes:
        """Add up."""
        if b"x" in state:
            raise RunError.of("E6211", "the state cannot be read")
        return b"%d " % sum(map(int, state.split()))


def _compaction(least: int = 100, states: int = 64) -> Compaction:
    return Compaction(CompactionBounds(least=least, states=states))


def _states(store: StoreProcess) -> LiveStore:
    return LiveStore(Address.parse(store.url), NAMES)


def test_states_that_grew_are_compacted(store: StoreProcess) -> None:
    """A pump compacts a state when it has doubled; it keeps its meaning and its expiry."""
    fed = dataclasses.replace(live(), groups=(LiveGroup(SummingLayout(GROUP, 3_600_000_000)),))
    pumped = stepped(store, fed=fed)
    for at in range(4):
        add(store, [payment(n, card="c") for n in range(at * 1000, at * 1000 + 1000)])
        pumped.run(1000)
    pumped.pump.step()
    (name,) = keys(store, b"shop:f1:live:*")
    assert store.ask(b"GET", name) == b"4000 "
    assert 0 < store.ask(b"PTTL", name) <= 3_960_000 * 5 // 4
    assert pumped.total("compactions_total", outcome="done") == 4


def test_an_append_in_between_wins(store: StoreProcess) -> None:
    """A state that changes while it is compacted is left as it is, and nothing of it is lost."""
    store.ask(b"SET", b"k", b"1 " * 100)
    layout = SummingLayout()
    compact = layout.compact

    def slowly(state: bytes) -> bytes:
        store.ask(b"APPEND", b"k", b"1 ")
        return compact(state)

    layout.compact = slowly  # type: ignore[method-assign] # a moment that cannot be hit from outside
    compaction = _compaction()
    compaction.grew(layout, b"", [b"k"], [200])
    assert compaction.run(_states(store)).changed == 1
    assert store.ask(b"GET", b"k") == b"1 " * 101


def test_a_corrupt_state_is_left_to_its_reader(store: StoreProcess) -> None:
    """A state that cannot be read is counted and stays as it is; others of the round are compacted."""
    store.ask(b"SET", b"bad", b"x" * 200)
    store.ask(b"SET", b"good", b"1 " * 100)
    compaction = _compaction()
    compaction.grew(SummingLayout(), b"", [b"bad", b"good", b"gone"], [200, 200, 200])
    done = compaction.run(_states(store))
    assert (done.done, done.unreadable) == (1, 1)
    assert store.ask(b"GET", b"bad") == b"x" * 200
    assert store.ask(b"GET", b"good") == b"100 "
    compaction.grew(SummingLayout(), b"", [b"bad"], [300])
    assert compaction.run(_states(store)).unreadable == 0


def test_a_round_is_bounded(store: StoreProcess) -> None:
    """A round takes as many states as it may, the next one goes on."""
    for at in range(5):
        store.ask(b"SET", b"%d" % at, b"1 " * 100)
    compaction = _compaction(states=2)
    compaction.grew(SummingLayout(), b"", [b"%d" % at for at in range(5)], [200] * 5)
    assert [compaction.run(_states(store)).done for _ in range(4)] == [2, 2, 1, 0]


def test_a_state_is_not_compacted_again_before_it_doubles(store: StoreProcess) -> None:
    """A state that compaction does not shorten is not tried with every append."""
    store.ask(b"SET", b"k", b"9" * 150)
    layout = CountingLayout()
    compaction = _compaction()
    compaction.grew(layout, b"", [b"k"], [150])
    compaction.run(_states(store))
    compaction.grew(layout, b"", [b"k"], [299])
    assert compaction._grown == {}
    compaction.grew(layout, b"", [b"k"], [301])
    assert compaction._grown
