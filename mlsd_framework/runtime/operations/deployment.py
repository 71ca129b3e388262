"""What one local deployment is made of: the version that serves, where it listens, its processes and its store."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mlsd_framework.runtime.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

WORKER_MODULE = "mlsd_framework.runtime.serving.worker"

Evict = Literal["never", "idle_states"]


class EmbeddedStore(msgspec.Struct, frozen=True, kw_only=True, tag="embedded"):
    """A Valkey server that the supervisor runs on a Unix socket, its data in the workspace's `store/`.

    `evict` says what happens where `memory_mb` is full. `never`: a write is refused, so that a feature is never dropped
    in silence. `idle_states`: live states that were not used for longest go; nothing else has an expiry and can go.
    """

    memory_mb: int = 512
    evict: Evict = "never"


class StoreAddress(msgspec.Struct, frozen=True, kw_only=True, tag="address"):
    """A store that someone else runs; nothing is started."""

    url: str


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one system on this machine, as the supervisor runs it.

    `service` is the generated `service.py`, `bundle` the folder of the version's models. `port` 0 takes any free
    port. `updater` is the generated `updater.py`, of which `updaters` processes run; none where it is "". `indexer` is
    the generated `indexer.py`, which keeps items in step with their tables; none where it is "". `ready_s`
    bounds a start, `drain_s` the end of a worker that still has requests. `variables` names what the service and the
    updaters read from the environment beside `MLSD_*`: a change of one needs fresh processes. All paths are absolute.
    """

    system: str
    version: str
    service: str
    bundle: str
    workspace: str
    host: str = "127.0.0.1"
    port: int = 3000
    workers: int = 1
    updater: str = ""
    updaters: int = 0
    indexer: str = ""
    store: EmbeddedStore | StoreAddress | None = None
    ready_s: float = 60.0
    drain_s: float = 10.0
    worker_module: str = WORKER_MODULE
    variables: tuple[str, ...] = ()

    @property
    def place(self) -> Workspace:
        """The workspace of the system."""
        return Workspace(Path(self.workspace))

    @property
    def shown(self) -> "Deployment":
        """The deployment without secrets, fit to be written down."""
        if not isinstance(self.store, StoreAddress):
            return self
        return msgspec.structs.replace(self, store=StoreAddress(url=without_secret(self.store.url)))


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment and the environment of the shell that asks for it.

    The environment may hold secrets: it travels over a pipe or the control socket and is never written down. With
    `store_only` the store is brought to run and the workers are left as they are.
    """

    deployment: Deployment
    environment: dict[str, str]
    store_only: bool = False

    def is_same(self, other: "Order") -> bool:
        """Say whether `other` runs the same: shells differ in much that no service reads."""
        return self.deployment == other.deployment and self.settings == other.settings

    @property
    def settings(self) -> dict[str, str]:
        """The part of the environment that the service reads."""
        names = self.deployment.variables
        return {name: value for name, value in self.environment.items() if name.startswith("MLSD_") or name in names}


def deployment_of(
    workspace: Workspace,
    *,
    system: str,
    version: str,
    service: Path,
    bundle: Path,
    updater: Path | None = None,
    indexer: Path | None = None,
    **options: Any,  # noqa: ANN401 - msgspec checks them
) -> Deployment:
    """Return the deployment with its paths made absolute; `options` are further fields of `Deployment`."""
    return Deployment(
        system=system,
        version=version,
        service=str(service.resolve()),
        bundle=str(bundle.resolve()),
        workspace=str(workspace.root.resolve()),
        updater="" if updater is None else str(updater.resolve()),
        indexer="" if indexer is None else str(indexer.resolve()),
        **options,
    )


def order_of(deployment: Deployment, environment: "Mapping[str, str]", *, store_only: bool = False) -> Order:
    """Return the order for `deployment` with a copy of `environment`."""
    return Order(deployment=deployment, environment=dict(environment), store_only=store_only)


def without_secret(url: str) -> str:
    """Return `url` without its user and password."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if mark else url
