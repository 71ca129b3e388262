"""The indexer as a process: what a generated `indexer.py` runs."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.indexer.declarations import IndexedItems
from mlsd_framework.runtime.indexer.indexer import Indexer, Places
from mlsd_framework.runtime.indexer.metrics import IndexerMetrics
from mlsd_framework.runtime.indexer.publishing import RowPublisher
from mlsd_framework.runtime.operations.places import try_lock
from mlsd_framework.runtime.serving.bundle import check_fits, load_bundle
from mlsd_framework.runtime.serving.following import pause
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.stream.exposition import serve_metrics

REFUSED: Final = 3
_FIRST_LOOKS: Final = 3
"""Before it says that it works: two to find the tables at rest, one where they were not."""

_BETWEEN_S: Final = 0.05
_READY_S: Final = 20.0
"""A large table is no reason for a deployment to wait longer."""


@dataclass
class IndexerProcess:
    """Indexers of one version, one an entity, and the loop that steps them.

    Of several processes of one version the one that holds the lock works, the others wait for it to end.
    """

    indexers: Sequence[Indexer]
    lock: Path
    within: float
    log: Log = field(default_factory=lambda: Log("indexer"))
    metrics: IndexerMetrics = field(default_factory=IndexerMetrics)
    _stop: threading.Event = field(default_factory=threading.Event)
    _held: int | None = None
    _refused: dict[str, str] = field(default_factory=dict)

    def run(self, ready: Callable[[], None]) -> None:
        """Work until `stop`; `ready` is called once, when what has changed before is there, or takes long to come."""
        late = threading.Timer(_READY_S, ready)
        late.daemon = True
        late.start()
        for _ in range(_FIRST_LOOKS):
            self._look()
            self._stop.wait(_BETWEEN_S)
        self.log.event("ready", entities=[one.items.entity for one in self.indexers], works=self._held is not None)
        self.log.flush()
        late.cancel()
        ready()
        while not self._stop.wait(pause(self.within)):
            self._look()
            self.log.flush()
        self.log.event("stopped")
        self.log.close()

    def stop(self) -> None:
        """Let it end what it does; safe in a signal handler."""
        self._stop.set()

    def _look(self) -> None:
        if self._held is None:
            self.lock.parent.mkdir(parents=True, exist_ok=True)
            self._held = try_lock(self.lock)
            if self._held is None:
                return
            for one in self.indexers:
                one.open()
                self.metrics.open(one.items.entity, one.alive)
        for one in self.indexers:
            self._step(one)

    def _step(self, one: Indexer) -> None:
        entity = one.items.entity
        began = time.perf_counter()
        try:
            done = one.step()
        except (RunError, OSError, pl.exceptions.PolarsError) as fault:
            self._refuse(entity, fault)
            return
        self._refused.pop(entity, None)
        self.metrics.looked(entity)
        if done is None or not done:
            return
        seconds = time.perf_counter() - began
        self.metrics.stepped(entity, done, one.alive, seconds)
        rows = sum(done.rows.values())
        self.log.event(
            "items_indexed",
            entity=entity,
            new=done.new,
            changed=done.changed,
            gone=done.gone,
            rows=rows,
            seconds=round(seconds, 3),
        )

    def _refuse(self, entity: str, fault: Exception) -> None:
        """Count a step that could not be made; the same fault is said once until a step succeeds."""
        code = fault.diagnostics[0].code if isinstance(fault, RunError) else type(fault).__name__
        self.metrics.refused(entity, code)
        if self._refused.get(entity) != str(fault):
            self._refused[entity] = str(fault)
            self.log.failure("items_not_indexed", fault, entity=entity)


class Sayer:
    """Tells whoever started the process, once, that it works and where its metrics are."""

    def __init__(self, descriptor: int | None, port: int) -> None:
        """Take where to write one line, if anywhere."""
        self._descriptor = descriptor
        self._line = json.dumps({"metrics_port": port}) + "\n"
        self._once = threading.Lock()

    def __call__(self) -> None:
        """Say it, unless it was said."""
        with self._once:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with os.fdopen(descriptor, "w") as pipe:
                pipe.write(self._line)


def run(
    items: Sequence[IndexedItems],
    *,
    system: str,
    spec: str,
    features: str,
    freshness: float,
    places: Places,
    arguments: Sequence[str] | None = None,
) -> int:
    """Read the command line, keep the items of a version until SIGTERM, and return the process's exit code.

    `freshness` is how many seconds the system owes at most from a change of a table to where it is found.
    """
    given = _arguments(arguments)
    try:
        bundle = load_bundle(given.bundle)
        check_fits(bundle, system=system, spec=spec, features=features)
        url = os.environ.get(given.store[1:], "") if given.store.startswith("@") else given.store
        rows = RowPublisher(url, system=system, features=features) if url else None
        indexers = [Indexer(one, bundle, places, given.changes, rows, freshness / 2) for one in items]
        work = IndexerProcess(indexers, given.changes / "lock", freshness)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: work.stop())
        host, _, port = given.metrics.rpartition(":")
        with serve_metrics(work.metrics.registry, (host, int(port)) if port else None) as shown:
            work.run(Sayer(given.ready_fd, shown))
    except RunError as error:
        for fault in error.diagnostics:
            print(f"error[{fault.code}]: {fault.what}", file=sys.stderr)  # noqa: T201 - as a service's worker
            for name, text in (("expected", fault.expected), ("help", fault.help)):
                if text:
                    print(f"  = {name}: {text}", file=sys.stderr)  # noqa: T201 - the same
        return REFUSED
    return 0


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Keeps the items of a version in step with the tables that list them.")
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the version")
    parser.add_argument("--changes", type=Path, required=True, help="folder of what has changed of its items")
    parser.add_argument(
        "--store", default="@MLSD_STORE_URL", help="URL of the store, or @ and a variable that holds it"
    )
    parser.add_argument("--ready-fd", type=int, help="where to write one line of JSON when it works")
    parser.add_argument("--metrics", default="", help="HOST:PORT to show metrics at; port 0 takes any free one")
    return parser.parse_args(given)
