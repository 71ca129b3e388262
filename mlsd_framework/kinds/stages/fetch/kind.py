"""`fetch` for the compiler: keys in, stored features out."""

from dataclasses import dataclass, replace
from typing import Any

from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.features import RequestGroup, StoredGroup, WindowGroup
from mlsd_framework.ir.retrieval import CANDIDATES
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import STRING
from mlsd_framework.kinds.stages.fetch.emit import write_fetch, write_row_fetch
from mlsd_framework.kinds.stages.fetch.spec import FetchSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """The groups that are read in one round trip, in order, for the request or for each candidate.

    `moment` is the column of the request that live groups are finished at: the time of the request, without one.
    """

    groups: tuple[StoredGroup, ...]
    moment: str | None = None
    of_rows: bool = False


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
        rows = scope.rows
        of_rows = [group for group in groups if any(column in rows for column in group.key)]
        if of_rows and len(of_rows) < len(groups):
            one, other = of_rows[0].name, next(group.name for group in groups if group not in of_rows)
            what = f"`fetch` reads `{one}` for each candidate and `{other}` for the request"
            scope.context.report("E2063", what, (*scope.at, "fetch"), expected="a `fetch` for each of the two")
            return None
        if of_rows:
            return self._of_rows(of_rows, rows, scope)
        known = {value.name: value for value in scope.request}
        keys = dict.fromkeys(column for group in groups for column in group.key)
        reads = tuple(known.get(column, Value(None, column, STRING, scope.context.span(scope.at))) for column in keys)
        live = any(isinstance(group, WindowGroup) and group.live for group in groups)
        moment = scope.moment if live else None
        if moment is not None and moment.name not in keys:
            reads += (moment,)
        writes = tuple(Value(group.name, feature.name, feature.type) for group in groups for feature in group.features)
        return StageDraft(reads, writes, FetchSettings(tuple(groups), moment.name if moment else None))

    def _of_rows(self, groups: list[StoredGroup], rows: dict[str, Value], scope: StageScope) -> StageDraft:
        """Read groups for each candidate: some part of their key is the candidate's."""
        known = {value.name: value for value in scope.request}
        span = scope.context.span(scope.at)
        keys = dict.fromkeys(column for group in groups for column in group.key)
        reads = tuple(
            replace(rows[column], span=span) if column in rows else known.get(column, Value(None, column, STRING, span))
            for column in keys
        )
        writes = tuple(
            Value(group.name, feature.name, feature.type, span, CANDIDATES)
            for group in groups
            for feature in group.features
        )
        moment = scope.moment
        if moment is not None and moment.name not in keys:
            reads += (moment,)
        return StageDraft(reads, writes, FetchSettings(tuple(groups), moment.name if moment else None, of_rows=True))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:  # noqa: ARG002 - the extension point's signature
        """Write one read of all groups; without it, each group has the values of a key that was never seen."""
        settings = stage.settings
        if isinstance(settings, FetchSettings) and settings.of_rows:
            write_row_fetch(stage, settings.groups, settings.moment, system, code)
        elif isinstance(settings, FetchSettings):
            write_fetch(stage, settings.groups, settings.moment, system, code)
