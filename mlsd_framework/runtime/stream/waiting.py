"""Waiting for a store that does not take what it is given: ever longer, said once when it begins and when it ends."""

import random
import threading
import time

from mlsd_framework.runtime.features.resp import StoreError
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.metrics import SourceMetrics

_FIRST_S = 0.02
_LONGEST_S = 2.0
_KINDS = {"OOM": "full", "LOADING": "loading", "READONLY": "read_only", "MISCONF": "cannot_save"}


class Waiting:
    """The waits of one pump."""

    def __init__(self, metrics: SourceMetrics, log: Log, longest: float = _LONGEST_S) -> None:
        """Wait at most `longest` seconds at once."""
        self._metrics = metrics
        self._log = log
        self._longest = longest
        self._seconds = 0.0
        self._since = 0.0
        self._kind = ""

    def wait(self, error: StoreError, stop: threading.Event) -> None:
        """Wait before the next try, unless the updater is to stop."""
        kind = _kind(error)
        if not self._since:
            self._since = time.monotonic()
        if kind != self._kind:  # said again only where it is another trouble
            self._kind = kind
            self._log.event("store_waits", "warning", why=kind, message=error.diagnostics[0].what)
            self._log.flush()
        self._metrics.waits(kind)
        self._seconds = min(max(self._seconds * 2, _FIRST_S), self._longest)
        stop.wait(self._seconds * random.uniform(0.75, 1.0))  # noqa: S311 - replicas that come back one by one

    def over(self) -> None:
        """Note that the store took a change."""
        if not self._since:
            return
        self._log.event("store_resumes", seconds=round(time.monotonic() - self._since, 3))
        self._log.flush()
        self._metrics.resumed()
        self._since, self._seconds, self._kind = 0.0, 0.0, ""


def _kind(error: StoreError) -> str:
    fault = error.diagnostics[0]
    if fault.code == "E6222":
        return "slow"
    if fault.code == "E6221":
        return "down"
    answer = fault.what.rpartition("answers: ")[2]
    return _KINDS.get(answer.partition(" ")[0], "refuses")
