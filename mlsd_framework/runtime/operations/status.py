"""What a deployment is doing, as the supervisor writes it down and as people and programs read it."""

from typing import Literal

import msgspec

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.operations.deployment import Deployment
from mlsd_framework.runtime.operations.places import state_file
from mlsd_framework.runtime.operations.processes import ProcessIdentity
from mlsd_framework.runtime.workspace import Workspace

WorkerState = Literal["starting", "ready", "draining", "waiting", "failed", "ended"]
ServiceState = Literal["stopped", "starting", "ready", "degraded", "failed", "replacing", "stopping", "dead"]
Change = Literal["none", "started", "replaced", "unchanged", "stopped"]


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process: `waiting` waits to be restarted, `failed` crashed too often or refuses to start.

    `since` is when it entered its state, microseconds UTC. `last_exit` says how its last process ended.
    """

    state: WorkerState
    since: int
    restarts: int = 0
    process: ProcessIdentity | None = None
    last_exit: str = ""


class WorkerStatus(ProcessStatus, frozen=True, kw_only=True):
    """One worker."""

    worker: int
    version: str


class UpdaterStatus(ProcessStatus, frozen=True, kw_only=True):
    """One updater of live features; `metrics` is where its metrics are read, "" while it is not ready."""

    updater: int
    version: str
    metrics: str = ""


class IndexerStatus(ProcessStatus, frozen=True, kw_only=True):
    """The indexer of a version's items; `metrics` is where its metrics are read, "" while it is not ready."""

    version: str
    metrics: str = ""


class StoreStatus(ProcessStatus, frozen=True, kw_only=True):
    """The store that the workers read; `process` is None where someone else runs it."""

    url: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment at one moment.

    `degraded`: some workers, updaters or the store do not serve. `dead`: the supervisor was killed; a start repairs it.
    `change` says what the command that returned this did; `since` is microseconds UTC.
    """

    system: str
    state: ServiceState
    version: str = ""
    host: str = ""
    port: int = 0
    supervisor: ProcessIdentity | None = None
    since: int = 0
    restarts: int = 0
    workers: tuple[WorkerStatus, ...] = ()
    updaters: tuple[UpdaterStatus, ...] = ()
    indexers: tuple[IndexerStatus, ...] = ()
    store: StoreStatus | None = None
    change: Change = "none"
    deployment: Deployment | None = None
    control: str = ""

    @property
    def url(self) -> str:
        """The address of the service; "" where none serves."""
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 - shown, not bound
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}" if self.port else ""

    @property
    def processes(self) -> tuple[ProcessIdentity, ...]:
        """Every process that the supervisor started: workers, updaters, indexers, then the store."""
        beside = (*self.updaters, *self.indexers)
        found: list[ProcessIdentity | None] = [one.process for one in (*self.workers, *beside)]
        found.append(self.store.process if self.store else None)
        return tuple(process for process in found if process is not None)


def write_status(place: Workspace, status: Status) -> None:
    """Write the supervisor's state; a kill leaves the old or the new."""
    atomic.write_bytes(state_file(place), msgspec.json.encode(status))


def read_status(place: Workspace) -> Status | None:
    """Return the state last written; None where there is none that can be read."""
    try:
        return msgspec.json.decode(state_file(place).read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        return None
