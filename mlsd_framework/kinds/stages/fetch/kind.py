"""`fetch` for the compiler: keys in, stored features out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.features import RequestGroup, StoredGroup, WindowGroup
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import STRING
from mlsd_framework.kinds.stages.fetch.emit import write_fetch
from mlsd_framework.kinds.stages.fetch.spec import FetchSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKind


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """The groups that are read in one round trip, in order.

    `moment` is the column of the request that live groups are finished at: the time of the request, without one.
    """

    groups: tuple[StoredGroup, ...]
    moment: str | None = None


class Fetch:
    """Read feature groups from the online store."""

    name = "fetch"
    spec = FetchSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the groups and the request's columns that name their entities."""
        groups: list[StoredGroup] = []
        for index, name in enumerate(spec.groups):
            group = scope.group(name, "fetch", "groups", index)
            if isinstance(group, RequestGroup):
                at = (*scope.at, "fetch", "groups", index)
                scope.context.report(
                    "E2043",
                    f"`fetch` reads `{name}`, which is computed at the request",
                    at,
                    help=f"write `- compute: {name}`",
                )
            elif group is not None:
                groups.append(group)
        if len(groups) < len(spec.groups):
            return None
        known = {value.name: value for value in scope.request}
        keys = dict.fromkeys(column for group in groups for column in group.key)
        reads = tuple(known.get(column, Value(None, column, STRING, scope.context.span(scope.at))) for column in keys)
        live = any(isinstance(group, WindowGroup) and group.live for group in groups)
        moment = scope.moment if live else None
        if moment is not None and moment.name not in keys:
            reads += (moment,)
        writes = tuple(Value(group.name, feature.name, feature.type) for group in groups for feature in group.features)
        return StageDraft(reads, writes, FetchSettings(tuple(groups), moment.name if moment else None))

    def code(self, stage: Stage, system: System, models: Mapping[str, ModelKind], code: ServiceCode) -> None:  # noqa: ARG002 - the extension point's signature
        """Write one read of all groups; without it, each group has the values of a key that was never seen."""
        settings = stage.settings
        if isinstance(settings, FetchSettings):
            write_fetch(stage, settings.groups, settings.moment, system, code)
