"""The processes of one version: updaters, and workers on one listening socket; started and drained together."""

import socket
import sys
from pathlib import Path

from mlsd_framework.runtime.operations.children import Child
from mlsd_framework.runtime.operations.deployment import Deployment, Order
from mlsd_framework.runtime.operations.import_path import import_path
from mlsd_framework.runtime.operations.indexing import Indexing
from mlsd_framework.runtime.operations.kept import Kept, Recipe, start_all, stop_all
from mlsd_framework.runtime.operations.places import changes_folder, metrics_folder
from mlsd_framework.runtime.operations.status import IndexerStatus, UpdaterStatus, WorkerStatus
from mlsd_framework.runtime.operations.surroundings import Surroundings
from mlsd_framework.runtime.operations.updaters import Updaters

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
"""What a worker's libraries are told where the shell says nothing else: the other workers have the same cores."""

_KILL_AFTER_S = 2.0  # beyond the drain that the worker itself keeps to


class Generation:
    """All processes of one order; a replace starts the next generation on the same socket before this one drains."""

    def __init__(
        self,
        order: Order,
        listener: socket.socket,
        numbers: tuple[int, ...],
        updaters: Updaters,
        indexing: Indexing,
        store_url: str,
        around: Surroundings,
    ) -> None:
        """Prepare one worker for each of `numbers`, which no other living worker has, beside what is given."""
        self.order = order
        self.listener = listener
        self._updaters = updaters
        self._indexing = indexing
        self._workers = {
            number: Kept(worker_recipe(order, listener, number, store_url, around), around.journal, around.changed)
            for number in numbers
        }

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of its workers."""
        return frozenset(self._workers)

    @property
    def updaters(self) -> frozenset[int]:
        """The numbers of its updaters."""
        return self._updaters.numbers

    @property
    def is_whole(self) -> bool:
        """Whether every worker serves."""
        return all(worker.state == "ready" for worker in self._workers.values())

    @property
    def is_live(self) -> bool:
        """Whether every updater and the indexer work."""
        return self._updaters.is_whole and self._indexing.is_whole

    def statuses(self) -> tuple[WorkerStatus, ...]:
        """Return how each worker is."""
        return tuple(
            WorkerStatus(
                worker=number,
                version=self.order.deployment.version,
                state=worker.state,
                since=worker.since,
                restarts=worker.restarts,
                process=worker.process,
                last_exit=worker.last_exit,
            )
            for number, worker in self._workers.items()
        )

    def updater_statuses(self) -> tuple[UpdaterStatus, ...]:
        """Return how each updater is."""
        return self._updaters.statuses()

    def indexer_statuses(self) -> tuple[IndexerStatus, ...]:
        """Return how the indexer is."""
        return self._indexing.statuses()

    async def start(self, at_once: int) -> None:
        """Start what runs beside the workers, then them, `at_once` at a time; where one fails, end all.

        Raises `NotReadyError`.
        """
        await self._updaters.start()
        try:
            await self._indexing.start()
            await start_all(self._workers.values(), at_once)
        except BaseException:
            await self._indexing.stop()
            await self._updaters.stop()
            raise

    async def stop(self) -> None:
        """Drain all workers, then end what runs beside them: until the end it is answered from what is fresh."""
        await stop_all(self._workers.values())
        await self._indexing.stop()
        await self._updaters.stop()


def worker_recipe(order: Order, listener: socket.socket, number: int, store_url: str, around: Surroundings) -> Recipe:
    """Return how worker `number` is started: command line and environment of the worker's contract."""
    deployment = order.deployment
    command = [
        sys.executable, "-P", "-m", deployment.worker_module,
        "--fd", str(listener.fileno()),
        "--service", deployment.service,
        "--bundle", deployment.bundle,
        "--worker", str(number),
        "--metrics-dir", str(metrics_folder(deployment.place)),
        "--drain", f"{deployment.drain_s:g}",
        *_changes(deployment),
    ]  # fmt: skip
    environment = {**ONE_THREAD, **order.environment, **import_path(order.environment), "PYTHONUNBUFFERED": "1"}
    if store_url:
        environment["MLSD_STORE_URL"] = store_url

    def launch() -> Child:
        return around.children.spawn(
            command,
            environment=environment,
            folder=Path(deployment.service).parent,
            log=around.service_log,
            keep=(listener.fileno(),),
            ready_argument="--ready-fd",
        )

    async def is_ready(child: Child) -> bool:
        return child.ready is not None and bool(await child.ready)

    grace_s = deployment.drain_s + _KILL_AFTER_S
    return Recipe(f"worker {number}", launch, is_ready, ready_s=deployment.ready_s, grace_s=grace_s)


def _changes(deployment: Deployment) -> tuple[str, ...]:
    """Return the argument that names the folder of what changes of the items, where an indexer writes to it."""
    return ("--changes", str(changes_folder(deployment.place, deployment.version))) if deployment.indexer else ()
