"""The gate in front of the handlers.

A request that cannot be answered in time is refused before any work is done for it.
"""

import asyncio
import time

from mlsd_framework.runtime.serving.http import RefusalError
from mlsd_framework.runtime.serving.limits import Limits, TokenBucket
from mlsd_framework.runtime.serving.telemetry import Telemetry

_SHARE = 0.05  # of the newest observation in the running mean of the time that a request takes


class Admission:
    """Knows how many requests wait for their turn and how long a turn takes.

    Handlers run on the event loop, so whatever one poll of the sockets brings is a queue. Our own worker refuses where
    the queue is joined (`full`), before anything in it is worked off, so that a refusal is quick. Under another server,
    `check` refuses where a request begins, by the time since the first request of the same poll began.
    """

    __slots__ = ("_batch_began", "_bucket", "_limits", "_telemetry", "queued", "turn")

    def __init__(self, limits: Limits, telemetry: Telemetry) -> None:
        """Hold to `limits`; `telemetry` knows what is in flight."""
        self._limits = limits
        self._bucket = TokenBucket(limits.rate, limits.burst)
        self._telemetry = telemetry
        self._batch_began = 0.0
        self.queued = 0
        self.turn = 0.0001

    def full(self) -> bool:
        """Return whether one more request in the queue would wait longer than it may."""
        return self.queued * self.turn > self._limits.queue_time or self.queued >= self._limits.concurrency

    def began(self) -> float:
        """Note that a request's turn has come; return how long its batch has been at work, in seconds."""
        if self.queued:
            self.queued -= 1
        now = time.perf_counter()
        if not self._batch_began:
            self._batch_began = now
            # Runs after everything that is queued now, and before what the next poll brings.
            asyncio.get_running_loop().call_soon(self._end_batch)
        return now - self._batch_began

    def _end_batch(self) -> None:
        self._batch_began = 0.0

    def took(self, seconds: float) -> None:
        """Learn from the time that a turn took."""
        self.turn += (seconds - self.turn) * _SHARE

    def check(self, waited: float) -> None:
        """Refuse the request that begins now when it is one too many (503) or comes too fast (429)."""
        late = waited > 2 * self._limits.queue_time
        if late or self._telemetry.in_flight > self._limits.concurrency:
            raise RefusalError(503, "E6431", "the service is overloaded", retry_after=0.5)
        wait = self._bucket.take()
        if wait:
            raise RefusalError(429, "E6430", f"more than {self._limits.rate:g} requests a second", retry_after=wait)
