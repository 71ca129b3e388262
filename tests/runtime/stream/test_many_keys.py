"""More keys than the store has memory for: with eviction only idle states go, without it nothing is lost."""

from datetime import timedelta
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.resp import Address, Pool, StoreError
from mlsd_framework.runtime.operations.deployment import EmbeddedStore, Evict
from mlsd_framework.runtime.operations.store import server_binary, server_command
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.metrics import SourceMetrics
from mlsd_framework.runtime.stream.producing import StreamWriter
from mlsd_framework.runtime.stream.store_health import StoreHealth
from mlsd_framework.runtime.workspace import Workspace
from tests.runtime.stream.payments import TABLE, CountingLayout, encoded, payment
from tests.runtime.stream.pumping import NAMES, Stepped, stepped
from tests.runtime.stream.store_process import StoreProcess

pytestmark = pytest.mark.process

KEYS = 120_000
PART = 10_000
WEEK_US = 7 * 86_400 * 10**6


def policy(evict: Evict) -> str:
    """The policy that a deployment gives its store."""
    command = server_command(server_binary(), Workspace(Path("/tmp/w")), EmbeddedStore(memory_mb=24, evict=evict))  # noqa: S108 - a name
    return command[command.index("--maxmemory-policy") + 1]


def fed(store: StoreProcess) -> Stepped:
    """A pump whose states may go a week after their last event."""
    live = LiveSource(table=TABLE, groups=(LiveGroup(CountingLayout(horizon_us=WEEK_US)),))
    return stepped(store, fed=live)


def send(store: StoreProcess, first: int) -> int:
    """Add a part of the events, each of a key of its own; return how many entries these are."""
    pool = Pool(Address.parse(store.url))
    events = [(b"", encoded(payment(n, card=f"c{n}"))) for n in range(first, first + PART)]
    StreamWriter("payments").add(pool, events, batch=200)
    pool.close()
    return PART // 200


def test_with_eviction_idle_states_go_and_the_updater_goes_on(own_folder: Path) -> None:
    """Far more keys than fit: all events are taken, the newest states are there, positions too, evictions counted."""
    with StoreProcess(own_folder, "--maxmemory", "12mb", "--maxmemory-policy", policy("idle_states")) as store:
        pumped = fed(store)
        for first in range(0, KEYS, PART):
            pumped.run(send(store, first))
            store.ask(b"XTRIM", b"payments", b"MAXLEN", b"0")
        assert pumped.total("events_total") == KEYS
        states = LiveStore(Address.parse(store.url), NAMES)
        metrics = SourceMetrics(pumped.metrics, "payments", ["card"])
        StoreHealth(metrics, Log()).look(states)
        evicted = pumped.metrics.registry.get_sample_value("mlsd_stream_store_evicted_keys")
        assert evicted
        held = store.ask(b"DBSIZE")
        assert isinstance(held, int)
        assert held + evicted >= KEYS
        prefix = NAMES.states(states.generation(), "card")
        newest = [prefix + (encode_key((f"c{n}",)) or b"") for n in range(KEYS - 2000, KEYS)]
        found = store.ask(b"MGET", *newest)
        assert isinstance(found, list)
        assert sum(one is not None for one in found) > 1900
        [position] = states.positions("payments", ["payments"], states.generation()).values()
        assert position.position
        assert position.position.events == KEYS
        states.close()


def test_without_eviction_nothing_is_lost_and_it_is_said(own_folder: Path) -> None:
    """The updater waits for a full store, names why, and goes on from where it was when there is room."""
    with StoreProcess(own_folder, "--maxmemory", "24mb", "--maxmemory-policy", policy("never")) as store:
        pumped = fed(store)
        taken: list[int] = []

        def fill() -> None:
            taken.extend(pumped.run(send(store, first)) for first in range(0, KEYS, PART))

        with pytest.raises((StoreError, RunError), match="OOM"):
            fill()
        store.ask(b"CONFIG", b"SET", b"maxmemory", b"0")
        held = store.ask(b"XLEN", b"payments")
        assert isinstance(held, int)
        pumped.pump._misplace(pumped.pump._placed)
        pumped.run(held - sum(taken))
        assert pumped.total("events_total") == held * 200
        assert store.ask(b"INFO", b"stats").decode().count("evicted_keys:0\r\n") == 1  # type: ignore[union-attr]


def test_states_are_the_only_names_that_can_be_evicted(own_folder: Path) -> None:
    """Positions, pointers and streams have no expiry; every state has one."""
    with StoreProcess(own_folder) as store:
        pumped = fed(store)
        pumped.run(send(store, 0))
        pumped.source.close()
        names = store.ask(b"KEYS", b"*")
        assert isinstance(names, list)
        kept = {name for name in names if store.ask(b"PTTL", name) == -1}  # type: ignore[arg-type]
        assert kept == {b"payments", NAMES.live, NAMES.position("payments", "payments")}
        assert len(names) - len(kept) >= PART
        assert timedelta(milliseconds=store.ask(b"PTTL", next(iter(set(names) - kept)))) > timedelta(days=7)  # type: ignore[arg-type, call-overload]
