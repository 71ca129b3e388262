"""The indexer of one version: the process that keeps its items in step with their tables, kept running beside it.

Of two of one version, as at a reload, one works: the other waits until that one has ended. Those of two versions write
to folders of their own.
"""

from mlsd_framework.runtime.operations.beside import Beside, Shown, recipe_of
from mlsd_framework.runtime.operations.deployment import Order
from mlsd_framework.runtime.operations.kept import Kept
from mlsd_framework.runtime.operations.places import changes_folder
from mlsd_framework.runtime.operations.status import IndexerStatus
from mlsd_framework.runtime.operations.surroundings import Surroundings
from mlsd_framework.runtime.workspace import PROJECT


class Indexing:
    """The indexer of an order, where it has one."""

    def __init__(self, order: Order, store_url: str, around: Surroundings) -> None:
        """Prepare it; start nothing."""
        deployment = order.deployment
        self._version = deployment.version
        self._shown = Shown()
        self._kept: Kept | None = None
        if deployment.indexer:
            arguments = (
                "--bundle", deployment.bundle,
                "--changes", str(changes_folder(deployment.place, deployment.version)),
            )  # fmt: skip
            beside = Beside("indexer", deployment.indexer, arguments, around.indexer_log, deployment.ready_s)
            # The code lies with its version, not in the project: where the tables are has to be said.
            environment = {PROJECT: str(deployment.place.root.parents[1]), **order.environment}
            recipe = recipe_of(beside, environment, store_url, around, self._shown)
            self._kept = Kept(recipe, around.journal, around.changed)

    @property
    def is_whole(self) -> bool:
        """Whether it works, where there is one."""
        return self._kept is None or self._kept.state == "ready"

    def statuses(self) -> tuple[IndexerStatus, ...]:
        """Return how it is."""
        kept = self._kept
        if kept is None:
            return ()
        return (
            IndexerStatus(
                version=self._version,
                state=kept.state,
                since=kept.since,
                restarts=kept.restarts,
                process=kept.process,
                last_exit=kept.last_exit,
                metrics=self._shown.address if kept.state == "ready" else "",
            ),
        )

    async def start(self) -> None:
        """Start it; raise `NotReadyError` where it does not get ready."""
        if self._kept is not None:
            await self._kept.start()

    async def stop(self) -> None:
        """End it."""
        if self._kept is not None:
            await self._kept.stop()
