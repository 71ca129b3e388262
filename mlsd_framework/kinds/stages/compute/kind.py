"""`compute` for the compiler: whatever the group's expressions use in, its features out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.ir.features import RequestGroup
from mlsd_framework.ir.serving import Value
from mlsd_framework.kinds.stages.compute.spec import ComputeSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """The group whose features are computed."""

    group: RequestGroup


class Compute:
    """Compute a request group."""

    name = "compute"
    spec = ComputeSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the group and what its expressions read from outside it."""
        group = scope.group(spec.group, "compute", "group")
        if group is None:
            return None
        if not isinstance(group, RequestGroup):
            scope.context.report("E2043", f"`compute` names `{group.name}`, which is stored", (*scope.at, "compute"), help=f"write `- fetch: [{group.name}]`")
            return None
        span = scope.context.span(scope.at)
        own = {one.name for one in group.computed}
        columns = tuple(value for value in scope.request if value.name in group.columns)
        used = scope.reads(*(one.expression for one in group.computed))
        outside = tuple(value for value in used if not (value.group in (None, group.name) and value.name in own))
        reads = dict.fromkeys(Value(value.group, value.name, value.type, span) for value in (*columns, *outside))
        writes = tuple(Value(group.name, feature.name, feature.type) for feature in group.features)
        return StageDraft(tuple(reads), writes, ComputeSettings(group))
