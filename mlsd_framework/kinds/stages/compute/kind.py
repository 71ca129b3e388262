"""`compute` for the compiler: whatever the group's expressions use in, its features out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Raw, assigned
from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.features import RequestGroup
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.compute.spec import ComputeSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


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
            scope.context.report(
                "E2043",
                f"`compute` names `{group.name}`, which is stored",
                (*scope.at, "compute"),
                help=f"write `- fetch: [{group.name}]`",
            )
            return None
        span = scope.context.span(scope.at)
        own = {one.name for one in group.computed}
        types = {feature.name: feature.type for feature in group.features}
        columns = tuple(Value(None, name, types[name]) for name in group.columns)
        used = scope.reads(*(one.expression for one in group.computed))
        outside = tuple(value for value in used if not (value.group in (None, group.name) and value.name in own))
        reads = dict.fromkeys(Value(value.group, value.name, value.type, span) for value in (*columns, *outside))
        # Where the stage is left out, what it computes is null; columns are in the request all the same.
        absent = spec.on_error in ("default", "skip")
        writes = tuple(
            Value(group.name, feature.name, feature.type.or_null() if absent and feature.name in own else feature.type)
            for feature in group.features
        )
        return StageDraft(tuple(reads), writes, ComputeSettings(group))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:  # noqa: ARG002 - the extension point's signature
        """Write one line a feature."""
        settings = stage.settings
        if not isinstance(settings, ComputeSettings):
            return
        group, lines = settings.group, []
        for column in group.columns:
            code.values[f"{group.name}.{column}"] = code.values[column]
        names = {one.name: code.name(f"{group.name}.{one.name}", f"{group.name}_{one.name}") for one in group.computed}
        code.default(stage, **dict.fromkeys(names.values(), "None"))
        for one in group.computed:
            name = names[one.name]
            lines += assigned(name, Raw(code.expression(one.expression)), 3)
            code.values[f"{group.name}.{one.name}"] = name
            code.values.setdefault(one.name, name)
        code.run(stage, lines or ["pass"])
