"""A pump in the test's own process, stepped by the test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address, Reply, StoreError
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.batch_size import BatchSize
from mlsd_framework.runtime.stream.compaction import CompactionBounds
from mlsd_framework.runtime.stream.leases import LeaseTerms
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.metrics import SourceMetrics, StreamMetrics
from mlsd_framework.runtime.stream.pump import Pump, PumpSettings
from mlsd_framework.runtime.stream.source import StreamSource
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream
from tests.runtime.stream.payments import live
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.watching import read_up_to

NAMES = LiveNames("shop", "f1")


@dataclass
class Stepped:
    """A pump, what it counts, and what it has."""

    pump: Pump
    source: StreamSource
    metrics: StreamMetrics = field(default_factory=StreamMetrics)

    def run(self, payloads: int, rounds: int = 1000) -> int:
        """Step until so many payloads are committed; return how many were."""
        done = 0
        for _ in range(rounds):
            done += self.pump.step()
            if done >= payloads:
                return done
        raise AssertionError(f"{done} of {payloads} payloads committed")

    def total(self, name: str, **labels: str) -> float:
        """The value of a counter."""
        found = self.metrics.registry.get_sample_value(f"mlsd_stream_{name}", {"source": "payments", **labels})
        return -1.0 if found is None else found


def valkey_source(
    store: StoreProcess,
    replica: str = "a",
    partitions: int = 1,
    lease_s: float = 6.0,
    retention: timedelta | None = None,
) -> ValkeyStream:
    """The stream of payments in a store."""
    settings = ValkeySettings(
        address=Address.parse(store.url), stream="payments", partitions=partitions, retention=retention
    )
    return ValkeyStream(settings, NAMES, LeaseTerms(replica, lease_s))


def stepped(
    store: StoreProcess,
    source: StreamSource | None = None,
    fed: LiveSource | None = None,
    states: LiveStore | None = None,
    most: int = 4096,
    compacted_from: int = 1024,
) -> Stepped:
    """A pump from a source to a store."""
    fed = fed or live()
    source = source or valkey_source(store)
    metrics = StreamMetrics()
    pump = Pump(
        fed,
        source,
        states or LiveStore(Address.parse(store.url), NAMES),
        SourceMetrics(metrics, fed.name, [group.name for group in fed.groups]),
        Log(),
        PumpSettings(0.01, BatchSize(least=1, most=most, limit=most), CompactionBounds(least=compacted_from)),
    )
    source.open(pump._assignment, pump._log)
    return Stepped(pump, source, metrics)


class FailingStore(LiveStore):
    """A store that fails at its nth exchange, before or after it was done."""

    def __init__(self, url: str, at: int, *, done: bool) -> None:
        """Fail once."""
        super().__init__(Address.parse(url), NAMES)
        self.left, self.done = at, done

    def _on(self, ask: Callable) -> Reply:
        self.left -= 1
        if self.left == 0 and not self.done:
            self.close()
            raise _failure()
        answer = super()._on(ask)
        if self.left == 0:
            self.close()
            raise _failure()
        return answer


def _failure() -> StoreError:
    return StoreError(RunError.of("E6222", "the store does not answer").diagnostics)


def run_through_failures(pumped: Stepped, store: StoreProcess, payloads: int) -> None:
    """Step as `run` does, without its waits, until so many payloads are read; then once more, for what is left."""
    for _ in range(200):
        try:
            pumped.pump.step()
        except StoreError:
            pumped.pump._misplace(pumped.pump._placed)
        if read_up_to(store) == payloads:
            break
    pumped.pump.step()
