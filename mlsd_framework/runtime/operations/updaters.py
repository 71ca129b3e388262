"""The updaters of one version: processes that move a stream's events into live states, kept running beside the workers.

They share partitions by leases in the store, so that those of two versions can run at once, and a killed one loses no
event: its position moved with the states, and whoever goes on from there repeats nothing.
"""

import os
import socket

from mlsd_framework.runtime.operations.beside import Beside, Shown, recipe_of
from mlsd_framework.runtime.operations.deployment import Order
from mlsd_framework.runtime.operations.kept import Kept, Recipe, start_all, stop_all
from mlsd_framework.runtime.operations.status import UpdaterStatus
from mlsd_framework.runtime.operations.surroundings import Surroundings


class Updaters:
    """All updaters of one order."""

    def __init__(self, order: Order, numbers: tuple[int, ...], store_url: str, around: Surroundings) -> None:
        """Prepare one updater for each of `numbers`, which no other living updater has."""
        self._version = order.deployment.version
        self._shown = {number: Shown() for number in numbers}
        self._updaters = {
            number: Kept(_recipe(order, number, store_url, around, shown), around.journal, around.changed)
            for number, shown in self._shown.items()
        }

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of its updaters."""
        return frozenset(self._updaters)

    @property
    def is_whole(self) -> bool:
        """Whether every updater works."""
        return all(updater.state == "ready" for updater in self._updaters.values())

    def statuses(self) -> tuple[UpdaterStatus, ...]:
        """Return how each updater is."""
        return tuple(
            UpdaterStatus(
                updater=number,
                version=self._version,
                state=updater.state,
                since=updater.since,
                restarts=updater.restarts,
                process=updater.process,
                last_exit=updater.last_exit,
                metrics=self._shown[number].address if updater.state == "ready" else "",
            )
            for number, updater in self._updaters.items()
        )

    async def start(self) -> None:
        """Start all; where one does not get ready, end all and raise `NotReadyError`."""
        await start_all(self._updaters.values(), len(self._updaters))

    async def stop(self) -> None:
        """End all: each finishes its micro-batch and gives its partitions back."""
        await stop_all(self._updaters.values())


def _recipe(order: Order, number: int, store_url: str, around: Surroundings, shown: Shown) -> Recipe:
    """Return how updater `number` is started: the command line and the environment of `updater.py`."""
    deployment = order.deployment
    # The same name after a crash: it goes on with its leases without waiting for their end.
    arguments = ("--replica", f"{socket.gethostname()}-{os.getpid()}-{number}")
    beside = Beside(f"updater {number}", deployment.updater, arguments, around.updater_log, deployment.ready_s)
    return recipe_of(beside, order.environment, store_url, around, shown)
