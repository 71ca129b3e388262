"""What an updater counts, as Prometheus metrics of a registry of its own, one set of labels a source."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

FRESHNESS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_WAITS = ("down", "slow", "full", "loading", "read_only", "cannot_save", "refuses")


class Freshness(Collector):
    """Times from the broker's to the commit: a histogram that takes a whole micro-batch at once."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._bounds = np.array(FRESHNESS_S)
        self._found: dict[str, tuple[np.ndarray, float]] = {}

    def observe(self, source: str, seconds: np.ndarray) -> None:
        """Count so many times."""
        places = np.searchsorted(self._bounds, seconds, side="left")
        counts, total = self._found.get(source, (np.zeros(len(FRESHNESS_S) + 1, np.int64), 0.0))
        self._found[source] = counts + np.bincount(places, minlength=len(FRESHNESS_S) + 1), total + float(seconds.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram of every source."""
        family = HistogramMetricFamily(
            "mlsd_stream_freshness_seconds", "Time from the broker's to the commit of an event.", labels=["source"]
        )
        for source, (counts, total) in list(self._found.items()):
            bounds = [*map(str, FRESHNESS_S), "+Inf"]
            family.add_metric([source], list(zip(bounds, map(float, np.cumsum(counts)), strict=True)), total)
        yield family


class StreamMetrics:
    """All metrics of one updater."""

    def __init__(self) -> None:
        """Make a registry of its own, so that several updaters of a process do not meet."""
        self.registry = registry = CollectorRegistry()
        self.freshness = Freshness()
        registry.register(self.freshness)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"mlsd_stream_{name}", text, ["source", *labels], registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"mlsd_stream_{name}", text, ["source", *labels], registry=registry)

        self.events = counter("events", "Events whose states are written.")
        self.stale = counter("stale", "Events that became readable later than the system owes its users.")
        self.required = Gauge(
            "mlsd_stream_freshness_required_seconds",
            "Time from an event to a readable value that is owed.",
            registry=registry,
        )
        self.late = counter("late", "Events left out because they came later than the group allows.", "group")
        self.duplicates = counter("duplicates", "Events skipped because they were seen a moment ago.")
        self.rejected = counter("rejected", "Events that are none of the source, by reason.", "reason")
        self.letters = counter("dead_letters", "Events written to the dead letters.")
        self.unknown = counter("unknown_fields", "Values of fields that the schema does not have.", "field")
        self.batches = counter("batches", "Micro-batches committed.")
        self.conflicts = counter("conflicts", "Transactions not made because someone else moved a position.")
        self.compactions = counter("compactions", "States compacted, by what came of it.", "outcome")
        self.refused = counter("states_refused", "States that are no states any more, to which nothing was added.")
        self.lost = counter("payloads_lost", "Payloads that the stream removed before they were read.")
        self.waits = counter("store_waits", "Tries that the store did not take, by why.", "why")
        self.waiting = gauge("store_waiting", "1 while the updater waits for the store.")
        self.lag_payloads = gauge("lag_payloads", "Payloads of a partition that are in no state yet.", "partition")
        self.lag_seconds = gauge("lag_seconds", "How long the next payload of a partition has waited.", "partition")
        self.watermark = gauge("watermark_seconds", "Newest event time of a partition, since 1970.", "partition")
        self.limit = gauge("batch_limit", "Most payloads that the next micro-batch may have.")
        self.evicted = Gauge("mlsd_stream_store_evicted_keys", "Keys that the store evicted.", registry=registry)
        self.memory = Gauge("mlsd_stream_store_memory_bytes", "Memory that the store uses.", registry=registry)


class SourceMetrics:
    """The metrics of one source: what `StreamMetrics` holds, with its label filled in."""

    def __init__(
        self, metrics: StreamMetrics, source: str, groups: Iterable[str], freshness: float | None = None
    ) -> None:
        """Make every series that can be made beforehand, so that a first event is an increase and no new series.

        `freshness` is how many seconds an event may take to become readable, where the system owes that.
        """
        self.all = metrics
        self.source = source
        self._freshness = freshness
        metrics.required.set(math.nan if freshness is None else freshness)
        for one in (metrics.events, metrics.duplicates, metrics.letters, metrics.batches, metrics.conflicts):
            one.labels(source)
        for one in (metrics.refused, metrics.lost, metrics.stale):
            one.labels(source)
        metrics.waiting.labels(source)
        for group in groups:
            metrics.late.labels(source, group)
        for why in _WAITS:
            metrics.waits.labels(source, why)

    def count(self, counter: Counter, number: int, *labels: str) -> None:
        """Add to a counter of `StreamMetrics`."""
        if number:
            counter.labels(self.source, *labels).inc(number)

    def waits(self, why: str) -> None:
        """Note a try that the store did not take."""
        self.all.waits.labels(self.source, why).inc()
        self.all.waiting.labels(self.source).set(1)

    def resumed(self) -> None:
        """Note that the store takes changes again."""
        self.all.waiting.labels(self.source).set(0)

    def fresh(self, times: NDArray[np.int64], now: int) -> None:
        """Note the broker's times of a committed batch, in microseconds; 0 where one is not known."""
        known = times[times > 0]
        if len(known):
            seconds = np.maximum(now - known, 0) / 1e6
            self.all.freshness.observe(self.source, seconds)
            if self._freshness is not None:
                self.count(self.all.stale, int((seconds > self._freshness).sum()))
