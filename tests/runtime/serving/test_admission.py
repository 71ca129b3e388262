"""When a queue is a burst and when it is overload; whose turn it is."""

import asyncio
import itertools

import pytest

from mlsd_framework.runtime.serving.admission import Admission
from mlsd_framework.runtime.serving.http import RefusalError
from mlsd_framework.runtime.serving.limits import Limits
from mlsd_framework.runtime.serving.telemetry import Telemetry
from mlsd_framework.runtime.serving.turns import Turns

LIMITS = Limits(concurrency=1000, queue_time=0.04, queue_interval=0.1)


class Clock:
    """Time as the test wants it."""

    now = 1.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def gate(clock: Clock, limits: Limits = LIMITS, turn: float = 0.001) -> Admission:
    """Make an admission that knows how long a turn takes."""
    made = Admission(limits, Telemetry("s"), clock)
    for _ in range(32):
        made.took(turn)
    return made


def test_a_preempted_turn_is_not_a_slow_one() -> None:
    """The median of the turns stays where it was when a few of them were held up."""
    admission = gate(Clock())
    for number in range(64):
        admission.took(0.05 if number % 3 == 0 else 0.001)
    assert admission.turn == 0.001


def test_a_burst_passes_and_a_lasting_wait_is_overload() -> None:
    """A long queue is refused only after the wait has been long for the whole interval."""
    clock = Clock()
    admission = gate(clock)
    assert not admission.full(60)
    clock.now += 0.09
    assert not admission.full(60)
    admission.drained_to(30)
    clock.now += 0.09
    assert not admission.full(60)
    clock.now += 0.09
    assert not admission.full(60)
    clock.now += 0.02
    assert admission.full(60)
    assert admission.overloaded


def test_overload_keeps_waits_short_until_nothing_is_refused() -> None:
    """Under overload a request may wait a quarter of the limit; overload ends after a quiet interval."""
    clock = Clock()
    admission = gate(clock)
    admission.full(60)
    clock.now += 0.2
    assert admission.full(60)
    assert [admission.full(before) for before in (0, 9, 10, 11, 60)] == [False, False, False, True, True]
    clock.now += 0.2
    assert not admission.full(3)
    assert not admission.overloaded
    assert not admission.full(60)


def test_concurrency_is_the_end_of_every_queue() -> None:
    """However short the turns, no more than `concurrency` wait."""
    admission = gate(Clock(), Limits(concurrency=64), turn=0.00001)
    assert not admission.full(63)
    assert admission.full(64)
    with pytest.raises(RefusalError):
        admission.check(64)


def test_turns_are_taken_in_order_a_few_at_a_time() -> None:
    """Between two looks at the sockets only as many begin as fit into 2 ms; who has gone is passed over."""
    admission = gate(Clock())

    async def run() -> list[list[int]]:
        turns, begun, looks = Turns(admission, asyncio.get_running_loop()), [], []

        def begin(number: int) -> bool:
            if number == 3:
                return False
            begun.append(number)
            admission.queued -= 1
            return True

        for number in range(9):
            turns.join(lambda number=number: begin(number))  # type: ignore[misc]
        while admission.queued:
            looks.append(list(begun))
            await asyncio.sleep(0)
        return [*looks, list(begun)]

    looks = asyncio.run(run())
    assert looks[0] == [0, 1]
    assert looks[-1] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert max(len(b) - len(a) for a, b in itertools.pairwise(looks)) <= 2
