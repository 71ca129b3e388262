"""Processes beside the workers of a version: how one is started, and where its metrics are read."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mlsd_framework.runtime.operations.children import Child
from mlsd_framework.runtime.operations.import_path import import_path
from mlsd_framework.runtime.operations.journal import RotatingLog
from mlsd_framework.runtime.operations.kept import Recipe
from mlsd_framework.runtime.operations.surroundings import Surroundings

_GRACE_S = 10.0  # what waits for the store is given up at once; what is under way takes a moment
_LOOPBACK = "127.0.0.1"
_STORE = "MLSD_STORE_URL"
# Its token, and what would make prometheus-client share counters among processes.
_OF_THE_SERVICE = ("MLSD_TOKEN", "MLSD_TOKEN_FILE", "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")


class Ready(msgspec.Struct, frozen=True):
    """The line with which such a process says that it works: where its metrics are read."""

    metrics_port: int


@dataclass(slots=True)
class Shown:
    """Where the metrics of a process of now are read; nowhere while none is ready."""

    address: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """A generated script that runs beside the workers: its name among processes, its arguments, its log."""

    name: str
    script: str
    arguments: Sequence[str]
    log: RotatingLog
    ready_s: float


def recipe_of(
    beside: Beside, environment: Mapping[str, str], store_url: str, around: Surroundings, shown: Shown
) -> Recipe:
    """Return how a script is started; it is ready when it says where its metrics are."""
    command = [
        sys.executable, "-P", beside.script,
        # Every user of the machine can read a command line, and the address may hold a password.
        "--store", f"@{_STORE}",
        "--metrics", f"{_LOOPBACK}:0",
        *beside.arguments,
    ]  # fmt: skip
    kept = {name: text for name, text in environment.items() if name not in _OF_THE_SERVICE}
    kept = {**kept, **import_path(kept), "PYTHONUNBUFFERED": "1", _STORE: store_url}

    def launch() -> Child:
        return around.children.spawn(
            command,
            environment=kept,
            folder=Path(beside.script).parent,
            log=beside.log,
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

    return Recipe(beside.name, launch, is_ready, ready_s=beside.ready_s, grace_s=_GRACE_S)
