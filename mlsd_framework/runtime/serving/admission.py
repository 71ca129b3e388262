"""The gate in front of the handlers: a request that cannot be answered in time is refused before any work is done for it."""

import asyncio
import time

from mlsd_framework.runtime.serving.http import RefusalError
from mlsd_framework.runtime.serving.limits import Limits, TokenBucket
from mlsd_framework.runtime.serving.telemetry import Telemetry


class Admission:
    """Counts the requests in the worker, and measures how long one has waited for its turn.

    Handlers run on the event loop, so requests queue between two polls of it. uvloop's `time()` is the moment of the last poll:
    the monotonic clock less that is how long the request that begins now has waited, at the price of two clock reads.
    """

    __slots__ = ("_bucket", "_limits", "_telemetry")

    def __init__(self, limits: Limits, telemetry: Telemetry) -> None:
        """Hold to `limits`; `telemetry` knows what is in flight."""
        self._limits = limits
        self._bucket = TokenBucket(limits.rate, limits.burst)
        self._telemetry = telemetry

    def check(self) -> None:
        """Refuse the request that comes now when it is one too many (503) or comes too fast (429)."""
        waited = time.monotonic() - asyncio.get_running_loop().time()
        if waited > self._limits.queue_time or self._telemetry.in_flight > self._limits.concurrency:
            raise RefusalError(503, "E6431", "the service is overloaded", retry_after=0.5)
        wait = self._bucket.take()
        if wait:
            raise RefusalError(429, "E6430", f"more than {self._limits.rate:g} requests a second", retry_after=wait)
