"""Rates, tokens, calls and logs, without a network."""

import os
import time

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.access import Access
from mlsd_framework.runtime.serving.call import Call, DeadlineError, Stage, StageError
from mlsd_framework.runtime.serving.limits import TokenBucket
from mlsd_framework.runtime.serving.logs import Log


def test_bucket_lets_the_rate_pass() -> None:
    """A burst passes at once, then one request each 1/rate seconds; the wait is said exactly."""
    now = [0.0]
    bucket = TokenBucket(10, 3, lambda: now[0])
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == pytest.approx(0.1)
    now[0] = 0.1
    assert bucket.take() == 0
    assert bucket.take() > 0
    now[0] = 100.0
    assert [bucket.take() > 0 for _ in range(4)] == [False, False, False, True]


def test_no_rate_is_no_limit() -> None:
    """A rate of 0 lets everything pass."""
    bucket = TokenBucket(0)
    assert not any(bucket.take() for _ in range(1000))


def test_token_is_compared_whole() -> None:
    """Only the whole token passes; a short one is refused at start."""
    access = Access("0123456789abcdef")
    assert access.allows(b"Bearer 0123456789abcdef")
    assert not any(access.allows(given) for given in (b"", b"Bearer ", b"Bearer 0123456789abcde", b"0123456789abcdef"))
    with pytest.raises(RunError) as error:
        Access("short")
    assert error.value.diagnostics[0].code == "E6413"


@pytest.mark.parametrize(
    ("server", "open_"),
    [
        (("127.0.0.1", 80), True),
        (("127.8.0.1", 80), True),
        (("::1", 80), True),
        (None, True),
        (("10.0.0.7", 80), False),
    ],
)
def test_without_a_token_only_loopback_is_open(server: tuple[str, int] | None, open_: bool) -> None:
    """Whoever bound the socket, what comes from elsewhere is turned away unless there is a token."""
    assert Access(None).reachable(server) is open_
    assert Access("0123456789abcdef").reachable(server)


def test_stage_keeps_its_promise() -> None:
    """A stage that may fail is named as degraded; one that may not ends the call; both are timed."""
    call, soft, hard = Call("r", time.perf_counter(), 1), Stage("soft", on_error="default"), Stage("hard")
    with call.stage(soft):
        raise ConnectionError
    assert (call.degraded, call.failed(soft), call.failed(hard)) == (["soft"], True, False)
    with pytest.raises(StageError, match="hard") as error, call.stage(hard):
        raise ValueError("why")
    assert isinstance(error.value.__cause__, ValueError)
    assert (sum(soft.seconds.counts), sum(hard.seconds.counts)) == (1, 1)


def test_stage_over_budget_is_counted_and_the_deadline_ends_the_call() -> None:
    """A budget is watched; a spent deadline stops before the next stage, whatever that stage may do without."""
    call, slow = Call("r", time.perf_counter(), 0.02), Stage("slow", budget=0.005, on_error="default")
    with call.stage(slow):
        assert 0 < call.remaining() <= 0.005
        time.sleep(0.03)
        assert call.remaining() == 0
    assert call.over_budget == ["slow"]
    with pytest.raises(DeadlineError):
        call.stage(slow)


def test_log_does_not_wait_for_its_reader() -> None:
    """When nobody reads the pipe, logging goes on at once and drops; lines stay whole for a reader that comes late."""
    reading, writing = os.pipe()
    log = Log("w", writing)
    began = time.monotonic()
    for number in range(60_000):
        log.event("e", number=number)
    assert time.monotonic() - began < 20
    log.close(0.05)
    first = os.read(reading, 100)
    assert first.startswith(b'{"time":')
