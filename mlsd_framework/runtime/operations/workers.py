"""The workers of one version: started together on one listening socket, drained together."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mlsd_framework
from mlsd_framework.runtime.operations.children import Child, Children
from mlsd_framework.runtime.operations.deployment import Order
from mlsd_framework.runtime.operations.journal import Journal, RotatingLog
from mlsd_framework.runtime.operations.kept import Kept, NotReadyError, Recipe
from mlsd_framework.runtime.operations.places import metrics_folder
from mlsd_framework.runtime.operations.status import WorkerStatus

_KILL_AFTER_S = 2.0  # beyond the drain that the worker itself keeps to
PACKAGE_ROOT = Path(mlsd_framework.__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every worker of a supervisor shares."""

    children: Children
    journal: Journal
    log: RotatingLog
    changed: Callable[[], None]


class Generation:
    """All workers of one order; a replace starts the next generation on the same socket before this one drains."""

    def __init__(
        self, order: Order, listener: socket.socket, numbers: tuple[int, ...], store_url: str, around: Surroundings
    ) -> None:
        """Prepare one worker for each of `numbers`, which no other living worker has."""
        self.order = order
        self.listener = listener
        self._workers = {
            number: Kept(worker_recipe(order, listener, number, store_url, around), around.journal, around.changed)
            for number in numbers
        }

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of its workers."""
        return frozenset(self._workers)

    @property
    def is_whole(self) -> bool:
        """Whether every worker serves."""
        return all(worker.state == "ready" for worker in self._workers.values())

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

    async def start(self) -> None:
        """Start all workers; where one does not get ready, end all and raise `NotReadyError`."""
        starts = [asyncio.create_task(worker.start()) for worker in self._workers.values()]
        try:
            await asyncio.gather(*starts)
        except (NotReadyError, asyncio.CancelledError):
            for task in starts:
                task.cancel()
            await asyncio.wait(starts)
            await self.stop()
            raise

    async def stop(self) -> None:
        """Drain all workers and wait until they have ended."""
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))


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
    ]  # fmt: skip
    environment = {**order.environment, **import_path(order.environment), "PYTHONUNBUFFERED": "1"}
    if store_url:
        environment["MLSD_STORE_URL"] = store_url

    def launch() -> Child:
        return around.children.spawn(
            command,
            environment=environment,
            folder=Path(deployment.service).parent,
            log=around.log,
            keep=(listener.fileno(),),
            ready_argument="--ready-fd",
        )

    async def is_ready(child: Child) -> bool:
        return child.ready is not None and await child.ready

    grace_s = deployment.drain_s + _KILL_AFTER_S
    return Recipe(f"worker {number}", launch, is_ready, ready_s=deployment.ready_s, grace_s=grace_s)


def import_path(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the `PYTHONPATH` with which a child finds this very package, however this process found it."""
    former = environment.get("PYTHONPATH", "")
    paths = [str(PACKAGE_ROOT), *(path for path in former.split(os.pathsep) if path)]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
