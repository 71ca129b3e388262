"""The updaters of one version: processes that move a stream's events into live states, kept running beside the workers.

They share partitions by leases in the store, so that those of two versions can run at once, and a killed one loses no
event: its position moved with the states, and whoever goes on from there repeats nothing.
"""

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mlsd_framework.runtime.operations.children import Child
from mlsd_framework.runtime.operations.deployment import Order
from mlsd_framework.runtime.operations.import_path import import_path
from mlsd_framework.runtime.operations.kept import Kept, Recipe, start_all, stop_all
from mlsd_framework.runtime.operations.status import UpdaterStatus
from mlsd_framework.runtime.operations.surroundings import Surroundings

_GRACE_S = 10.0  # a micro-batch that waits for the store is given up at once; one under way takes a moment
_LOOPBACK = "127.0.0.1"
_STORE = "MLSD_STORE_URL"
# Its token, and what would make prometheus-client share counters among processes.
_OF_THE_SERVICE = ("MLSD_TOKEN", "MLSD_TOKEN_FILE", "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")


class Ready(msgspec.Struct, frozen=True):
    """The line with which an updater says that it works: where its metrics are read."""

    metrics_port: int


@dataclass(slots=True)
class _Shown:
    """Where the metrics of an updater's process of now are read; nowhere while none is ready."""

    address: str = ""


class Updaters:
    """All updaters of one order."""

    def __init__(self, order: Order, numbers: tuple[int, ...], store_url: str, around: Surroundings) -> None:
        """Prepare one updater for each of `numbers`, which no other living updater has."""
        self._version = order.deployment.version
        self._shown = {number: _Shown() for number in numbers}
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


def _recipe(order: Order, number: int, store_url: str, around: Surroundings, shown: _Shown) -> Recipe:
    """Return how updater `number` is started: the command line and the environment of `updater.py`."""
    deployment = order.deployment
    command = [
        sys.executable, "-P", deployment.updater,
        # Every user of the machine can read a command line, and the address may hold a password.
        "--store", f"@{_STORE}",
        # The same name after a crash: it goes on with its leases without waiting for their end.
        "--replica", f"{socket.gethostname()}-{os.getpid()}-{number}",
        "--metrics", f"{_LOOPBACK}:0",
    ]  # fmt: skip
    kept = {name: text for name, text in order.environment.items() if name not in _OF_THE_SERVICE}
    environment = {**kept, **import_path(kept), "PYTHONUNBUFFERED": "1", _STORE: store_url}

    def launch() -> Child:
        return around.children.spawn(
            command,
            environment=environment,
            folder=Path(deployment.updater).parent,
            log=around.updater_log,
            ready_argument="--ready-fd",
        )

    async def is_ready(child: Child) -> bool:
        line = await child.ready if child.ready is not None else b""
        try:
            port = msgspec.json.decode(line, type=Ready).metrics_port
        except msgspec.MsgspecError:
            return False
        shown.address = f"http://{_LOOPBACK}:{port}/metrics" if port else ""
        return True

    return Recipe(f"updater {number}", launch, is_ready, ready_s=deployment.ready_s, grace_s=_GRACE_S)
