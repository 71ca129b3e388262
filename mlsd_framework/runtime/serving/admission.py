"""Whether the service is overloaded, and what is refused then.

The wait of a request is predicted: how many are before it, times what a turn takes. A turn takes the median of the
last ones, so that a process which the machine held up now and then is not taken for a slow one.
"""

import time
from collections import deque
from collections.abc import Callable

from mlsd_framework.runtime.serving.http import RefusalError
from mlsd_framework.runtime.serving.limits import Limits, TokenBucket
from mlsd_framework.runtime.serving.telemetry import Telemetry

_TURNS = 32  # of which the median is taken
_FIRST_GUESS = 0.0001
_RUN = 0.002  # seconds of turns between two looks at the sockets: what a refusal may have to wait


class Admission:
    """The state of one worker's queue.

    A queue that is long for a moment is a burst and is worked off. When the predicted wait has not been below
    `queue_time` for `queue_interval`, more comes than can be answered: from then on a request is refused unless its
    wait is a quarter of that at most, until nothing had to be refused for an interval.
    """

    __slots__ = (
        "_above_since",
        "_bucket",
        "_clock",
        "_last_refused",
        "_limits",
        "_taken",
        "_telemetry",
        "queued",
        "turn",
    )

    def __init__(self, limits: Limits, telemetry: Telemetry, clock: Callable[[], float] = time.perf_counter) -> None:
        """Hold to `limits`; `telemetry` knows what is in flight."""
        self._limits = limits
        self._telemetry = telemetry
        self._clock = clock
        self._bucket = TokenBucket(limits.rate, limits.burst)
        self._taken: deque[float] = deque(maxlen=_TURNS)
        self._above_since = 0.0
        self._last_refused = 0.0
        self.queued = 0
        self.turn = _FIRST_GUESS

    @property
    def overloaded(self) -> bool:
        """Whether requests have to be refused to keep the others' wait short."""
        return self._last_refused > 0.0

    @property
    def run(self) -> int:
        """How many turns come between two looks at the sockets."""
        return max(1, int(_RUN / self.turn))

    def took(self, seconds: float) -> None:
        """Learn from the time that a turn took."""
        taken = self._taken
        taken.append(seconds)
        if len(taken) == _TURNS:
            self.turn = sorted(taken)[_TURNS // 2]
            taken.clear()

    def full(self, before: int) -> bool:
        """Return whether one more request, with `before` others to wait for, is to be refused."""
        if not before:
            self._above_since = 0.0
        limits = self._limits
        wait = before * self.turn
        if self._last_refused:
            return self._still(wait)
        if before >= limits.concurrency:
            return True
        if wait <= limits.queue_time:
            self._above_since = 0.0
            return False
        now = self._clock()
        if not self._above_since:
            self._above_since = now
        elif now - self._above_since > limits.queue_interval:
            self._last_refused = now
            return True
        return False

    def drained_to(self, before: int) -> None:
        """Note that the queue has been worked off down to `before`: a burst that passes is no overload."""
        if self._above_since and before * self.turn <= self._limits.queue_time:
            self._above_since = 0.0

    def _still(self, wait: float) -> bool:
        now = self._clock()
        if wait > self._limits.queue_time / 4:
            self._last_refused = now
            return True
        if now - self._last_refused > self._limits.queue_interval:
            self._last_refused = self._above_since = 0.0
        return False

    def check(self, before: int) -> None:
        """Refuse the request that begins now (503) where nobody held it at the door, as under another server."""
        if self.full(before) or self._telemetry.in_flight > self._limits.concurrency:
            raise overloaded()

    def check_rate(self) -> None:
        """Refuse the request that begins now when it comes too fast (429)."""
        wait = self._bucket.take()
        if wait:
            what = f"more than {self._limits.rate:g} requests a second"
            raise RefusalError(429, "E6430", what, retry_after=wait)


def overloaded() -> RefusalError:
    """Return the refusal of one request too many."""
    return RefusalError(503, "E6431", "the service is overloaded", retry_after=0.5)
