"""What one worker accepts: sizes, times, a rate and a queue, and the gates that hold the line at the door."""

import time
from collections.abc import Callable
from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one worker.

    body            bytes of a request's body
    body_time       seconds in which the head and the body of a request have to arrive
    timeout         seconds from the arrival of a request to its answer; checked where a stage begins
    concurrency     requests that are in the worker at once, read or not
    queue_time      seconds that a request may have to wait for its turn while there is no overload
    queue_interval  seconds for which the wait is longer before that is taken for overload and not for a burst
    rate            requests a second, 0 for no limit
    burst           requests that may come at once within the rate, 0 for a tenth of a second's worth
    depth           nesting of a body
    """

    body: int = 64 * KIB
    body_time: float = 5.0
    timeout: float = 1.0
    concurrency: int = 256
    queue_time: float = 0.04
    queue_interval: float = 0.1
    rate: float = 0.0
    burst: int = 0
    depth: int = 32


class TokenBucket:
    """A rate limit: `rate` tokens a second flow in, at most `burst` are kept."""

    __slots__ = ("_burst", "_clock", "_rate", "_then", "_tokens")

    def __init__(self, rate: float, burst: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """Start full; a `rate` of 0 lets everything pass."""
        self._rate = rate
        self._burst = float(burst or max(1.0, rate / 10))
        self._tokens = self._burst
        self._clock = clock
        self._then = clock()

    def take(self) -> float:
        """Take one token; return 0.0, or the seconds until there is one."""
        if not self._rate:
            return 0.0
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._rate)
        self._then = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate
