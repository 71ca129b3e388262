"""What the store says of itself: memory, evictions, and a policy under which positions could be evicted."""

import time
from collections.abc import Sequence

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import Reply, StoreError
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.metrics import SourceMetrics

_EVERY_S = 5.0


class StoreHealth:
    """Looks at the store now and then."""

    def __init__(self, metrics: SourceMetrics, log: Log) -> None:
        """Know nothing yet."""
        self._metrics = metrics.all
        self._log = log
        self._evicted: int | None = None
        self._next = 0.0

    def look(self, store: LiveStore) -> None:
        """Set the gauges; refuse a store that evicts names without an expiry (E6607)."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        try:
            facts = _facts(store.exchange((b"INFO", b"memory"), (b"INFO", b"stats")))
        except StoreError as error:
            if error.diagnostics[0].code != "E6225":
                raise
            return  # a user who may not ask still may write
        policy = facts.get("maxmemory_policy", "")
        if policy.startswith("allkeys"):
            raise RunError.of(
                "E6607",
                f"the store at `{store.address.place}` evicts any key (`maxmemory-policy {policy}`), positions too",
                expected="`noeviction`, or a `volatile-` policy, which evicts states only",
            )
        evicted = int(facts.get("evicted_keys", 0))
        self._metrics.evicted.set(evicted)
        self._metrics.memory.set(int(facts.get("used_memory", 0)))
        if self._evicted is not None and evicted > self._evicted:
            self._log.event("store_evicts", "warning", keys=evicted - self._evicted)
        self._evicted = evicted


def _facts(replies: Sequence[Reply]) -> dict[str, str]:
    text = b"\n".join(reply for reply in replies if isinstance(reply, bytes)).decode(errors="replace")
    pairs = (line.strip().partition(":") for line in text.splitlines())
    return {name: value for name, colon, value in pairs if colon}
