"""A circuit breaker: after several failures in a row nothing is tried for a moment, so that a dead store costs a request nothing."""

import threading
import time
from collections.abc import Callable


class Breaker:
    """Closed while calls succeed; open for `pause` seconds after `limit` failures in a row; then one call at a time may try."""

    def __init__(self, limit: int = 3, pause: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the number of failures in a row that open it, and for how many seconds it stays open."""
        self._limit = limit
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._closed_from = 0.0
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Say whether a call may be tried now; the first one after a pause takes the next pause with it until it succeeds."""
        if self._failures < self._limit:
            return True
        with self._lock:
            if self._failures < self._limit:
                return True
            now = self._clock()
            if now < self._closed_from:
                return False
            self._closed_from = now + self._pause
            return True

    def succeeded(self) -> None:
        """Close it."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """Count a failure."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit:
                self._closed_from = self._clock() + self._pause
