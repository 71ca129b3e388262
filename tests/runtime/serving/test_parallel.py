"""Sources that are asked at once: in time, late, failing, still at work; with real threads."""

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.serving.call import Call, FallbackError, OnError, Stage, StageError
from mlsd_framework.runtime.serving.exposition import COUNTERS
from mlsd_framework.runtime.serving.parallel import BusyError, LateError, Parallel, Source

LONG = 30.0


def source(name: str, budget: float = 0.0, on_error: OnError = "skip", *, inline: bool = False) -> Source:
    """Return a source of that name."""
    return Source(name, Stage(f"retrieve.{name}", budget, on_error), inline)


def called(timeout: float = LONG, *, traced: bool = False, warming: bool = False) -> Call:
    """Return a call that begins now."""
    return Call("r", time.perf_counter(), timeout, traced=traced, warming=warming)


class Gate:
    """A source that waits until it is let go, and knows how often it was asked."""

    def __init__(self) -> None:
        """Be shut."""
        self.opened = threading.Event()
        self.done = threading.Semaphore(0)
        self.asked = 0

    def __call__(self) -> str:
        """Wait, then answer."""
        self.asked += 1
        self.opened.wait(LONG)
        self.done.release()
        return "late"


def failing() -> str:
    """Fail."""
    raise ValueError("no index")


def test_sources_run_at_once_and_answer_in_declared_order() -> None:
    """Each waits for both others: only together can they end; an inline one is asked in the caller's thread."""
    together = threading.Barrier(3, timeout=LONG)
    threads: dict[str, int] = {}

    def meet(name: str) -> Callable[[], str]:
        def ask() -> str:
            together.wait()
            threads[name] = threading.get_ident()
            return name.upper()

        return ask

    sources = [source("b"), source("a", inline=True), source("c"), source("unasked")]
    parallel, call = Parallel[str](sources), called(traced=True)
    found = parallel.run(call, {name: meet(name) for name in ("a", "b", "c")})
    assert list(found.items()) == [("b", "B"), ("a", "A"), ("c", "C")]
    assert threads["a"] == threading.get_ident()
    assert len(set(threads.values())) == 3
    assert (call.degraded, call.failures, call.over_budget, call.counted) == ([], [], [], [])
    assert [name for name, _ in call.passed] == ["retrieve.b", "retrieve.a", "retrieve.c"]
    assert [sum(one.stage.seconds.counts) for one in sources] == [1, 1, 1, 0]


def test_one_that_is_late_or_fails_is_left_out() -> None:
    """The answer names them, the failures say why, the late one is over its budget; the others' answers stay."""
    gate = Gate()
    parallel, call = Parallel[str]([source("slow", 0.02), source("bad"), source("good")]), called()
    assert parallel.run(call, {"slow": gate, "bad": failing, "good": lambda: "good"}) == {"good": "good"}
    assert call.degraded == ["retrieve.slow", "retrieve.bad"]
    assert [(stage, type(error)) for stage, error in call.failures] == [
        ("retrieve.slow", LateError),
        ("retrieve.bad", ValueError),
    ]
    assert call.over_budget == ["retrieve.slow"]
    gate.opened.set()


def test_a_source_still_at_work_is_left_out_at_once_and_no_thread_is_added() -> None:
    """However many requests come meanwhile; when it is done, it is asked again, and what it said late is nobody's."""
    gate = Gate()
    parallel = Parallel[str]([source("slow", 0.01), source("good")])
    assert parallel.run(called(), {"slow": gate, "good": lambda: "good"}) == {"good": "good"}
    threads = threading.active_count()
    for _ in range(20):
        call = called()
        assert parallel.run(call, {"slow": gate, "good": lambda: "good"}) == {"good": "good"}
        assert [type(error) for _, error in call.failures] == [BusyError]
        assert call.degraded == ["retrieve.slow"]
        assert call.counted == [("still_at_work", "retrieve.slow")]
        assert "still_at_work" in COUNTERS
        assert call.over_budget == []
    assert (gate.asked, threading.active_count()) == (1, threads)
    gate.opened.set()
    assert gate.done.acquire(timeout=LONG)
    limit = time.monotonic() + LONG
    while (found := parallel.run(called(warming=True), {"slow": lambda: "again"})) != {"slow": "again"}:
        assert found == {}
        assert time.monotonic() < limit
    assert threading.active_count() == threads


def test_the_requests_own_time_ends_the_wait_too() -> None:
    """A source without a budget is given up when the request's time is spent, and is not over any budget."""
    gate = Gate()
    call = called(timeout=0.02)
    assert Parallel[str]([source("slow")]).run(call, {"slow": gate}) == {}
    assert [type(error) for _, error in call.failures] == [LateError]
    assert call.over_budget == []
    assert time.perf_counter() >= call.deadline
    gate.opened.set()


def test_what_has_been_said_is_taken() -> None:
    """A source that was done before anybody looked is heard, though its budget was over by then."""
    done = threading.Event()

    def quick() -> str:
        done.set()
        return "quick"

    def slow() -> str:
        assert done.wait(LONG)
        time.sleep(0.02)
        return "slow"

    call = called()
    parallel = Parallel[str]([source("quick", 0.01), source("slow", 0.01, inline=True)])
    assert parallel.run(call, {"quick": quick, "slow": slow}) == {"quick": "quick", "slow": "slow"}
    assert call.degraded == []
    assert "retrieve.slow" in call.over_budget


def test_warming_up_waits_beyond_the_budget() -> None:
    """What is compiled at the first call is waited for: the budget begins with real requests."""
    parallel = Parallel[str]([source("slow", 0.001)])

    def slow() -> str:
        time.sleep(0.05)
        return "compiled"

    assert parallel.run(called(warming=True), {"slow": slow}) == {"slow": "compiled"}
    assert parallel.run(called(), {"slow": slow}) == {}


@pytest.mark.parametrize(("policy", "raised"), [("fail", StageError), ("fallback", FallbackError)])
@pytest.mark.parametrize("inline", [False, True])
def test_a_source_that_the_answer_needs_ends_the_request(
    policy: OnError, raised: type[Exception], inline: bool
) -> None:
    """By the policy of its stage, in a thread or inline, with its own failure as the cause."""
    parallel = Parallel[str]([source("bad", 0.0, policy, inline=inline), source("good")])
    with pytest.raises(raised) as caught:
        parallel.run(called(), {"bad": failing, "good": lambda: "good"})
    assert isinstance(caught.value.__cause__, ValueError)


def test_inline_sources_alone_need_no_thread() -> None:
    """A single quick source is asked where the request is."""
    before = threading.active_count()
    parallel = Parallel[int]([source("one", inline=True)])
    assert parallel.run(called(), {"one": threading.get_ident}) == {"one": threading.get_ident()}
    assert threading.active_count() == before


ACTS = st.sampled_from(["answer", "fail", "hang"])


@settings(max_examples=25, deadline=None)
@given(rounds=st.lists(st.fixed_dictionaries(dict.fromkeys("abc", ACTS)), min_size=1, max_size=5))
def test_over_many_requests_each_source_fares_as_it_acted(rounds: list[dict[str, str]]) -> None:
    """An oracle that knows who hangs from when on says what each request gets and why the rest is missing."""
    parallel = Parallel[str]([source("a", 0.02), source("b", 0.02), source("c", LONG, inline=True)])
    gate, hanging = Gate(), set[str]()
    acts: dict[str, Callable[[], str]] = {"answer": lambda: "yes", "fail": failing, "hang": gate}
    for drawn in rounds:
        # Inline, hanging would hang the request; in the threads, an answer is waited for as long as it takes.
        wanted = {name: "fail" if name == "c" and act == "hang" else act for name, act in drawn.items()}
        call = called(warming="hang" not in {act for name, act in wanted.items() if name not in hanging})
        found = parallel.run(call, {name: acts[act] for name, act in wanted.items()})
        why = {stage.removeprefix("retrieve."): type(error) for stage, error in call.failures}
        for name, act in wanted.items():
            if name in hanging:
                assert why.pop(name) is BusyError
            elif act == "hang":
                assert why.pop(name) is LateError
                hanging.add(name)
            elif act == "fail":
                assert why.pop(name) in (ValueError, LateError)
            else:
                assert found.pop(name, None) == "yes" or why.pop(name) is LateError
        assert (found, why) == ({}, {})
    gate.opened.set()
