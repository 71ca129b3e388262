"""A worker's thread that takes in what changes of the items while their version serves.

It looks into the folder of changes several times within the freshness that is owed, and takes the steps in order. What
it cannot take is logged and counted once, and what the worker had goes on being answered.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.item_changes import ChangeFolder
from mlsd_framework.runtime.retrieval.live_items import LiveItems
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.serving.telemetry import Telemetry

_LOOKS: Final = 20
"""So many looks within the freshness that is owed."""

_SOONEST_S: Final = 0.1
_LATEST_S: Final = 5.0
_NICE: Final = 10


def pause(within: float) -> float:
    """Return how long to wait between two looks for what has to be seen `within` so many seconds."""
    return min(max(within / _LOOKS, _SOONEST_S), _LATEST_S)


@dataclass(frozen=True, slots=True)
class Followed:
    """The items of an entity, and within how many seconds what changes of them is owed.

    `recalls` has for each of its towers what its index has to find: the share of so many nearest.
    """

    entity: str
    items: LiveItems
    within: float
    recalls: Mapping[str, tuple[float, int]] = field(default_factory=dict)


class Follower:
    """Keeps the items of one entity in step with a folder of changes."""

    def __init__(self, followed: Followed, folder: ChangeFolder, telemetry: Telemetry, log: Log) -> None:
        """Take nothing in yet."""
        self._followed = followed
        self._folder = folder
        self._telemetry = telemetry
        self._log = log
        self._stop = threading.Event()
        self._refused: str | None = None
        self._builder: threading.Thread | None = None
        self._thread = threading.Thread(target=self._run, name=f"items {followed.entity}", daemon=True)

    def catch_up(self) -> None:
        """Take in all that is there; what a worker takes in before it answers says nothing of freshness."""
        self._look(begun=False)
        self._telemetry.gauge("index_items", self._followed.entity, value=self._followed.items.current.alive)

    def start(self) -> None:
        """Go on looking in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(pause(self._followed.within)):
            try:
                self._look(begun=True)
                self._rebalance()
            except Exception as fault:  # noqa: BLE001 - whatever it is, the worker goes on answering and looks again
                self._refuse(f"{type(fault).__name__}: {fault}", "E9001", fault)

    def _look(self, *, begun: bool) -> None:
        items = self._followed.items
        try:
            for step, changes in self._folder.after(items.current.steps):
                began = time.perf_counter()
                items.take_in(changes, step)
                self._refused = None
                self._took(len(changes), changes.at if begun else 0, time.perf_counter() - began)
        except RunError as fault:
            self._refuse(str(fault), fault.diagnostics[0].code, fault)

    def _rebalance(self) -> None:
        """Build an index that has grown anew, one at a time, in a thread that gives way to requests."""
        if self._builder is not None and self._builder.is_alive():
            return
        due = [name for name in self._followed.items.due() if name in self._followed.recalls]
        if due:
            self._builder = threading.Thread(target=self._build, args=(due[0],), name=f"index {due[0]}", daemon=True)
            self._builder.start()

    def _build(self, name: str) -> None:
        if sys.platform.startswith("linux"):
            with contextlib.suppress(OSError):  # there a thread has a priority of its own
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        began = time.perf_counter()
        try:
            found = self._followed.items.rebalance(name, *self._followed.recalls[name])
        except Exception as fault:  # noqa: BLE001 - whatever it is, the index that answers stays
            code = fault.diagnostics[0].code if isinstance(fault, RunError) else "E9001"
            self._refuse(f"{name}: {fault}", code, fault)
            return
        self._telemetry.counts["index_rebalances", self._followed.entity] += 1
        seconds = round(time.perf_counter() - began, 3)
        self._log.event("index_rebalanced", entity=self._followed.entity, model=name, recall=found, seconds=seconds)

    def _took(self, rows: int, at: int, seconds: float) -> None:
        entity, telemetry = self._followed.entity, self._telemetry
        telemetry.counts["index_changes", entity] += rows
        telemetry.gauge("index_items", entity, value=self._followed.items.current.alive)
        telemetry.gauge("index_upsert_seconds", entity, value=seconds)
        fresh = max(0.0, time.time() - at / 1e6) if at else None
        if fresh is not None:
            telemetry.gauge("index_freshness_seconds", entity, value=fresh)
            if fresh > self._followed.within:
                telemetry.counts["index_late", entity] += rows
        self._log.event(
            "items_changed", entity=entity, rows=rows, freshness=fresh, milliseconds=round(seconds * 1e3, 3)
        )

    def _refuse(self, what: str, code: str, fault: BaseException) -> None:
        if what == self._refused:
            return
        self._refused = what
        self._telemetry.counts["index_refused", self._followed.entity, code] += 1
        self._log.failure("items_refused", fault, entity=self._followed.entity)
