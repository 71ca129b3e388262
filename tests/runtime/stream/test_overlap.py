"""States filled from a log go on from the stream without a gap or a double count, however much both have."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream import bootstrap as bootstrapping
from mlsd_framework.runtime.stream import handover
from mlsd_framework.runtime.stream.bootstrap import SourceLog, bootstrap
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream
from tests.runtime.stream.overlapping import LIVE, filled, finished, log_of, oracle, sent
from tests.runtime.stream.payments import BEGIN
from tests.runtime.stream.pumping import NAMES, stepped, valkey_source
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.watching import add, keys

END = BEGIN + timedelta(seconds=8000)


def letters(store: StoreProcess) -> list[bytes]:
    """The payloads among the dead letters, in order."""
    found = store.ask(b"XRANGE", b"payments.dead", b"-", b"+")
    assert isinstance(found, list)
    return [fields[fields.index(b"payload") + 1] for _, fields in found]


def retained(store: StoreProcess, events: list[bytes]) -> SourceLog:
    """A log, and the stream that is read after it."""
    settings = ValkeySettings(address=Address.parse(store.url), stream="payments")
    return SourceLog(live=LIVE, events=log_of(events), stream=ValkeyStream(settings, NAMES, None))


def test_a_long_overlap_counts_once(store: StoreProcess) -> None:
    """Thousands of events of one key that log and stream both have, summed up long ago, are counted once."""
    events = [sent(number) for number in range(8000)]
    add(store, events[:7000])
    filled(store, events[:6000])
    assert finished(store, END) == oracle(events[:7000], END)
    add(store, events[7000:])
    pumped = stepped(store, fed=LIVE)
    assert pumped.run(1000) == 1000
    pumped.pump.step()
    pumped.pump._upkeep()
    assert finished(store, END) == oracle(events, END)
    assert pumped.total("lag_payloads", partition="payments") == 0
    assert pumped.total("payloads_lost_total") <= 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=200, unique=True),
    st.sets(st.integers(0, 300), max_size=10),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    st.integers(1, 3),
    st.integers(1, 50),
)
def test_any_overlap(
    store: StoreProcess,
    numbers: list[int],
    late: set[int],
    cuts: tuple[float, float, float],
    partitions: int,
    most: int,
) -> None:
    """Wherever the log ends, the stream begins and the states are filled, they equal the offline home.

    Events come in any order and by several partitions, some twice, some too late; states remember one key.
    """
    store.ask(b"FLUSHALL")
    events = [sent(number, late=number in late, cards=3) for number in numbers]
    cut, then = (round(share * len(events)) for share in sorted(cuts[:2]))
    begin = round(cuts[2] * cut)
    names = ["payments"] if partitions == 1 else [f"payments.{at}" for at in range(partitions)]
    for at, event in enumerate(events[begin:then] + events[begin : (begin + then) // 2]):
        add(store, [event], names[at % partitions])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(handover, "_PAYLOADS", most)
        patched.setattr("mlsd_framework.runtime.state.compaction.KEPT_KEYS", 1)
        filled(store, events[:cut], partitions)
        for seconds in (301, 700, 7300):
            moment = BEGIN + timedelta(seconds=seconds)
            assert finished(store, moment, 3) == oracle(events[:then], moment, 3)
    for at, event in enumerate(events[then:]):
        add(store, [event], names[at % partitions])
    pumped = stepped(store, valkey_source(store, partitions=partitions), fed=LIVE, most=most, compacted_from=200)
    if then < len(events):
        pumped.run(len(events) - then)
    pumped.pump.step()
    for seconds in (301, 700, 7300):
        moment = BEGIN + timedelta(seconds=seconds)
        assert finished(store, moment, 3) == oracle(events, moment, 3)


def test_dead_letters_are_written_once(store: StoreProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an updater has rejected is not rejected again, by the filling or after it; what it has not, once."""
    events = [sent(number) for number in range(20)]
    add(store, [*events[:10], b"{1", b"{2"])
    old = stepped(store, fed=LIVE)
    old.run(12)
    add(store, [b"{3", *events[10:]])
    switch = bootstrapping._switch

    def overtaken(*arguments: object) -> bool:
        add(store, [b"{4"])
        old.run(12)
        return switch(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(bootstrapping, "_switch", overtaken)
        bootstrap(LiveStore(Address.parse(store.url), NAMES), [retained(store, events[:15])])
    assert letters(store) == [b"{1", b"{2", b"{3", b"{4"]
    add(store, [b"{5"])
    old.run(2)
    assert letters(store) == [b"{1", b"{2", b"{3", b"{4", b"{5"]
    filled(store, events[:15])
    add(store, [b"{6"])
    store.ask(b"DEL", *keys(store, b"shop:f1:position:*"))
    filled(store, events)
    assert letters(store) == [b"{1", b"{2", b"{3", b"{4", b"{5", b"{6"]
    assert finished(store, END) == oracle(events, END)


def test_an_updater_that_moves_on_while_states_are_switched(
    store: StoreProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An updater of the former generation is never held up: where it commits meanwhile, the switch is tried again."""
    events = [sent(number) for number in range(40)]
    add(store, events[:20])
    old = stepped(store, fed=LIVE)
    old.run(20)
    transact, left = LiveStore.transact, iter(events[20:23])

    def disturbed(self: LiveStore, encoded: list[bytes], commands: int) -> object:
        if self is states and (event := next(left, None)) is not None:
            add(store, [event])
            old.run(1)
        return transact(self, encoded, commands)

    states = LiveStore(Address.parse(store.url), NAMES)
    with monkeypatch.context() as patched:
        patched.setattr(LiveStore, "transact", disturbed)
        bootstrap(states, [retained(store, events[:10])])
    add(store, events[23:])
    while old.pump.step() or old.pump.step():
        pass
    assert finished(store, END) == oracle(events, END)


def test_a_stream_that_is_trimmed_meanwhile(store: StoreProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Payloads that are removed before they are read are counted; what is left is read to its end."""
    events = [sent(number) for number in range(100)]
    add(store, events)
    monkeypatch.setattr(handover, "_PAYLOADS", 10)
    log = retained(store, events[:5])
    decode, rounds = handover.Decoder.decode, iter(range(100))

    def trimmed(self: handover.Decoder, chunks: list[object]) -> object:
        if next(rounds) == 2:
            store.ask(b"XTRIM", b"payments", b"MAXLEN", b"20")
        return decode(self, chunks)

    monkeypatch.setattr(handover.Decoder, "decode", trimmed)
    done = bootstrap(LiveStore(Address.parse(store.url), NAMES), [log])
    assert done.lost == {"payments": 50}
    assert done.added == {"payments": 45}
    assert finished(store, END) == oracle(events[:30] + events[80:], END)


def test_a_stream_whose_last_entries_are_gone(store: StoreProcess) -> None:
    """A stream without entries, or without the last of them, has been read to its end."""
    filled(store, [sent(1)])
    add(store, [sent(number) for number in range(3)])
    ids = store.ask(b"XRANGE", b"payments", b"-", b"+")
    assert isinstance(ids, list)
    store.ask(b"XDEL", b"payments", ids[-1][0])
    filled(store, [sent(1)])
    assert finished(store, END) == oracle([sent(0), sent(1)], END)


def test_a_stream_that_gives_nothing(store: StoreProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is not read to its end within its time is refused, and states are as they were."""
    add(store, [sent(1)])
    monkeypatch.setattr(handover, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(ValkeyStream, "poll", lambda *_: [])
    with pytest.raises(RunError, match="E6612"):
        filled(store, [sent(2)])
    assert store.ask(b"GET", NAMES.live) is None


@pytest.mark.process
def test_a_kill_while_the_stream_is_read(store: StoreProcess) -> None:
    """After `kill -9` in the middle former states and positions are as they were; the next filling goes through."""
    events = [sent(number) for number in range(3000)]
    add(store, events[:2000])
    filled(store, events[:1000])
    add(store, events[2000:2500])
    pumped = stepped(store, fed=LIVE, most=100)
    pumped.run(200)
    place, generation = NAMES.position("payments", "payments"), store.ask(b"GET", NAMES.live)
    for batches in (0, 4, 17):
        before, position = finished(store, END), store.ask(b"GET", place)
        command = [sys.executable, "-m", "tests.runtime.stream.killed_filling", str(store.folder), "1000", str(batches)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        assert (store.ask(b"GET", NAMES.live), store.ask(b"GET", place)) == (generation, position)
        assert finished(store, END) == before
        pumped.run(100)
    assert finished(store, END) == oracle(events[:2500], END)
    filled(store, events[:1000])
    add(store, events[2500:])
    pumped.run(500)
    assert finished(store, END) == oracle(events, END)
    assert sum(store.ask(b"PTTL", name) == -1 for name in keys(store, b"shop:f1:live:*:lifetime:*")) == 1
