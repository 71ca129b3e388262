"""Lists that are answered again: against a plain oracle, and in two workers with a live store."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.features.resp import Address, Connection
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.serving.recommendations import Recommendations, RecommendedItem, Trace
from mlsd_framework.runtime.serving.result_cache import ENTRY_BYTES, ResultCache, entry_key
from tests.runtime.serving.conftest import Worker
from tests.runtime.serving.live_shop_processes import (
    SERVICE,
    fill,
    purchase,
    updating,
    wait_until_known,
    write_live_shop_bundle,
)
from tests.runtime.serving.valkey_process import Valkey

TTL = 10.0


def called(*, traced: bool = False) -> Call:
    """Return a call of its own."""
    return Call("now", time.perf_counter(), 60.0, traced=traced)


def made_of(user: int, history: int, items: int = 1) -> Recommendations:
    """Return a list that says from what it was made."""
    found = [RecommendedItem(item=f"{user}/{history}/{n}", score=0.5, sources=["s"]) for n in range(items)]
    return Recommendations(request_id="then", items=found, cold_start=False, degraded=[], version="v1")


@dataclass
class Kept:
    """What the oracle knows of an entry."""

    user: int
    context: int
    history: int
    at: float
    items: int
    size: int


class Oracle:
    """A list of entries, the least recently used first, looked through from one end to the other."""

    def __init__(self, limit: int) -> None:
        """Hold at most `limit` bytes."""
        self.limit = limit
        self.kept: list[Kept] = []

    def get(self, user: int, context: int, history: int | None, now: float) -> tuple[str, Kept | None]:
        """Return what comes of a look-up, and the entry."""
        for one in self.kept:
            if (one.user, one.context) == (user, context):
                self.kept.remove(one)
                if now >= one.at + TTL:
                    return "expired", None
                if history not in (None, one.history):
                    return "invalidated", None
                self.kept.append(one)
                return ("unverified" if history is None else "hit"), one
        return "miss", None

    def put(self, one: Kept) -> None:
        """Keep an entry in the place of a former one, and let go what is too much."""
        self.kept = [other for other in self.kept if (other.user, other.context) != (one.user, one.context)]
        if one.size <= self.limit:
            self.kept.append(one)
        while sum(other.size for other in self.kept) > self.limit:
            del self.kept[0]


ASK = st.tuples(st.just("ask"), st.integers(0, 1), st.integers(0, 1), st.sampled_from([1, 1, 1, 40]))
EVENT = st.tuples(st.just("event"), st.integers(0, 1))
WAIT = st.tuples(st.just("wait"), st.sampled_from([0.5, 5.0, 10.0]))
TURN = st.tuples(st.just("store"), st.booleans())


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(st.one_of(ASK, ASK, EVENT, WAIT, TURN), max_size=60),
    limit=st.sampled_from([0, 900, 1500, 2000, 9000]),
)
def test_it_answers_what_a_plain_list_of_entries_would(steps: list[tuple[object, ...]], limit: int) -> None:
    """Whatever comes: the same entry or none, no event unheard, nothing beyond its time or the memory."""
    now = [0.0]
    cache, oracle = ResultCache(TTL, limit, clock=lambda: now[0]), Oracle(limit)
    histories = dict.fromkeys(range(2), 0)
    alive = True
    for step in steps:
        if step[0] == "event":
            histories[step[1]] += 1  # type: ignore[index] # as drawn
        elif step[0] == "wait":
            now[0] += step[1]  # type: ignore[operator] # as drawn
        elif step[0] == "store":
            alive = bool(step[1])
        else:
            _, user, context, items = step
            assert isinstance(user, int)
            assert isinstance(context, int)
            assert isinstance(items, int)
            history = histories[user] if alive else None
            stamp = None if history is None else b"%d" % history
            key, call = entry_key("v1", user, context), called()
            outcome, expected = oracle.get(user, context, history, now[0])
            found = cache.get(key, stamp, call)
            assert call.counted == [("result_cache", outcome)]
            if expected is None:
                assert found is None
                fresh = made_of(user, histories[user], items)
                cache.put(key, stamp, fresh, call)
                if stamp is not None:
                    size = len(key) + len(stamp) + len(msgspec.msgpack.encode(fresh)) + ENTRY_BYTES
                    oracle.put(Kept(user, context, histories[user], now[0], items, size))
            else:
                want = made_of(user, expected.history, expected.items)
                want.request_id, want.cached = "now", True
                assert found == want
        assert len(cache) == len(oracle.kept)
        assert cache.size == sum(one.size for one in oracle.kept) <= max(limit, 0)


def test_the_least_recently_asked_gives_way() -> None:
    """What was asked for stays when memory is short; who gave way is counted."""
    encoded = len(msgspec.msgpack.encode(made_of(1, 1)))
    cache, call = ResultCache(TTL, 2 * (encoded + 2 + ENTRY_BYTES)), called()
    for key in (b"a", b"b"):
        cache.put(key, b"1", made_of(1, 1), call)
    assert cache.get(b"a", b"1", called()) is not None
    assert call.counted == []
    cache.put(b"c", b"1", made_of(1, 1), call)
    assert call.counted == [("result_cache_evictions",)]
    assert [cache.get(key, b"1", called()) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_lists_without_a_part_are_not_kept() -> None:
    """Made without a stage, without a stamp or for a trace: the next request makes its own."""
    cache = ResultCache(TTL, 10_000)
    degraded = called()
    degraded.degraded.append("retrieve.like")
    traced = made_of(1, 1)
    traced.trace = Trace([], {}, [])
    for stamp, made, call in (
        (b"1", made_of(1, 1), degraded),
        (None, made_of(1, 1), called()),
        (b"1", traced, called(traced=True)),
    ):
        cache.put(b"k", stamp, made, call)
        assert cache.get(b"k", b"1", called()) is None


def test_a_trace_is_of_this_request_and_never_of_another() -> None:
    """A traced call finds nothing and counts nothing; what is kept stays for the others."""
    cache, call = ResultCache(TTL, 10_000), called(traced=True)
    cache.put(b"k", b"1", made_of(1, 1), called())
    assert cache.get(b"k", b"1", call) is None
    assert call.counted == []
    assert cache.get(b"k", b"1", called()) is not None


def test_an_answer_says_what_this_request_had_to_do_without() -> None:
    """A list that was whole is answered as degraded while the store does not answer."""
    cache, call = ResultCache(TTL, 10_000), called()
    cache.put(b"k", b"1", made_of(1, 1), called())
    call.degraded.append("fetch")
    found = cache.get(b"k", None, call)
    assert found is not None
    assert (found.degraded, found.cached) == (["fetch"], True)


def test_keys_tell_requests_apart() -> None:
    """Version, user and each part of the context make another key, types included."""
    keys = [entry_key("v1", 1, "a", 2), entry_key("v2", 1, "a", 2), entry_key("v1", "1", "a", 2)]
    keys += [entry_key("v1", 1, "a2"), entry_key("v1", 1, "a", None), entry_key("v1", 1, ("a", 2))]
    assert len(set(keys)) == len(keys)


@pytest.mark.process
def test_an_event_reaches_every_worker(tmp_path: Path, listening: socket.socket, launch: Callable[..., Worker]) -> None:
    """Two workers answer lists again until the user's event is known; whichever took the event, and however it came."""
    bundle = write_live_shop_bundle(tmp_path / "versions").folder
    with Valkey(tmp_path) as valkey, updating(valkey), socket.create_server(("127.0.0.1", 0)) as beside:
        fill(valkey)
        workers = [launch(sock, bundle, service=SERVICE, MLSD_STORE_URL=valkey.url) for sock in (listening, beside)]
        with (
            httpx.Client(base_url=workers[0].url, timeout=10) as one,
            httpx.Client(base_url=workers[1].url, timeout=10) as other,
        ):
            for client in (one, other):
                # User 0 is the example by which the worker warmed up, which is nobody's request.
                assert asked(client, 0)[1] is False
                assert [asked(client, 1)[1] for _ in range(3)] == [False, True, True]
                assert asked(client, 2)[1] is False
            assert one.post("/events/purchases", json=purchase(1, 9, 1)).status_code == 202
            wait_until_known(one, 1, 9)
            for client in (one, other):
                items, cached = asked(client, 1)
                assert (9 in items, cached) == (True, False)
                assert asked(client, 1)[1] is True
                assert asked(client, 2)[1] is True
            add(valkey, purchase(1, 8, 2))
            wait_until_known(one, 1, 8)
            assert [asked(client, 1)[1] for client in (one, other)] == [False, False]
            lines = other.get("/metrics").text.splitlines()
            assert 'mlsd_result_cache_total{endpoint="/recommend",outcome="invalidated"} 2' in lines
            valkey.kill()
            found = other.post("/recommend", json={"user_id": 1}).json()
            assert (found["cached"], found["degraded"]) == (True, ["fetch"])
            found = other.post("/recommend", json={"user_id": 5}).json()
            assert (found["cached"], found["cold_start"], found["degraded"]) == (False, True, ["fetch"])


def asked(client: httpx.Client, user: int) -> tuple[list[int], bool]:
    """Return the items of a user's list, and whether it was made before."""
    found = client.post("/recommend", json={"user_id": user}).json()
    return [one["item"] for one in found["items"]], found["cached"]


def add(valkey: Valkey, event: object) -> None:
    """Write an event to the stream itself."""
    connection = Connection(Address.parse(valkey.url), 5.0)
    connection.call(b"XADD", b"purchases", b"*", b"e", msgspec.json.encode(event), timeout=5.0)
    connection.close()
