"""What one local deployment is made of: the version that serves, where it listens, its workers and its store."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mlsd_framework.runtime.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

WORKER_MODULE = "mlsd_framework.runtime.serving.worker"


class EmbeddedStore(msgspec.Struct, frozen=True, kw_only=True, tag="embedded"):
    """A Valkey server that the supervisor runs on a Unix socket, its data in the workspace's `store/`.

    A write beyond `memory_mb` is refused (noeviction): a feature is never dropped in silence.
    """

    memory_mb: int = 512


class StoreAddress(msgspec.Struct, frozen=True, kw_only=True, tag="address"):
    """A store that someone else runs; nothing is started."""

    url: str


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one system on this machine, as the supervisor runs it.

    `service` is the generated `service.py`, `bundle` the folder of the version's models. `port` 0 takes any free
    port. `ready_s` bounds a start, `drain_s` the end of a worker that still has requests. All paths are absolute.
    """

    system: str
    version: str
    service: str
    bundle: str
    workspace: str
    host: str = "127.0.0.1"
    port: int = 3000
    workers: int = 1
    store: EmbeddedStore | StoreAddress | None = None
    ready_s: float = 60.0
    drain_s: float = 10.0
    worker_module: str = WORKER_MODULE

    @property
    def place(self) -> Workspace:
        """The workspace of the system."""
        return Workspace(Path(self.workspace))


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment and the environment of the shell that asks for it.

    The environment may hold secrets: it travels over a pipe or the control socket and is never written down.
    """

    deployment: Deployment
    environment: dict[str, str]


def deployment_of(
    workspace: Workspace, *, system: str, version: str, service: Path, bundle: Path, **options: Any
) -> Deployment:
    """Return the deployment with its paths made absolute; `options` are further fields of `Deployment`."""
    return Deployment(
        system=system,
        version=version,
        service=str(service.resolve()),
        bundle=str(bundle.resolve()),
        workspace=str(workspace.root.resolve()),
        **options,
    )


def order_of(deployment: Deployment, environment: "Mapping[str, str]") -> Order:
    """Return the order for `deployment` with a copy of `environment`."""
    return Order(deployment=deployment, environment=dict(environment))
