"""What an indexer counts, as Prometheus metrics of a registry of its own."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge

from mlsd_framework.runtime.indexer.indexer import Stepped


class IndexerMetrics:
    """All metrics of one indexer, one set of labels an entity."""

    def __init__(self) -> None:
        """Make a registry of its own."""
        self.registry = registry = CollectorRegistry()
        self._changes = Counter(
            "mlsd_indexer_changes", "Items that were new, changed or gone.", ["entity", "what"], registry=registry
        )
        self._rows = Counter(
            "mlsd_indexer_rows", "Rows of features that were written.", ["entity", "group"], registry=registry
        )
        self._refused = Counter(
            "mlsd_indexer_refused", "Steps that could not be made, by code.", ["entity", "code"], registry=registry
        )
        self._items = Gauge("mlsd_indexer_items", "Items that there are.", ["entity"], registry=registry)
        self._seconds = Gauge(
            "mlsd_indexer_step_seconds", "Time that the last step took.", ["entity"], registry=registry
        )
        self._looked = Gauge(
            "mlsd_indexer_looked_timestamp_seconds",
            "When the tables were last looked at, since 1970.",
            ["entity"],
            registry=registry,
        )

    def open(self, entity: str, items: int) -> None:
        """Make the series of an entity."""
        for what in ("new", "changed", "gone"):
            self._changes.labels(entity, what)
        self._items.labels(entity).set(items)

    def looked(self, entity: str) -> None:
        """Note a look at the tables."""
        self._looked.labels(entity).set(time.time())

    def stepped(self, entity: str, done: Stepped, items: int, seconds: float) -> None:
        """Note what came of a step."""
        for what, number in (("new", done.new), ("changed", done.changed), ("gone", done.gone)):
            self._changes.labels(entity, what).inc(number)
        for group, number in done.rows.items():
            self._rows.labels(entity, group).inc(number)
        self._items.labels(entity).set(items)
        self._seconds.labels(entity).set(seconds)

    def refused(self, entity: str, code: str) -> None:
        """Note a step that could not be made."""
        self._refused.labels(entity, code).inc()
