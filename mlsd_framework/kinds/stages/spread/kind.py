"""`spread` for the compiler: the value of each candidate in, another order out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Call, Raw, assigned
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.row_names import group
from mlsd_framework.kinds.stages.spread.spec import SpreadSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class SpreadSettings:
    """How many others stand between two of one value among the first `top`."""

    by: Value
    gap: int
    top: int


class Spread:
    """Keep candidates of one sort apart."""

    name = "spread"
    spec = SpreadSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the feature."""
        by = group(spec.by, "spread", scope) if scope.retrieves("spread") else None
        return StageDraft((by,), (), SpreadSettings(by, spec.gap, spec.top)) if by is not None else None

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the line."""
        code.run(stage, self.rows(stage, system, kinds, code))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the line."""
        settings = stage.settings
        if not isinstance(settings, SpreadSettings):
            return []
        code.imports.add(f"{RUNTIME}.reranking.conditions", "codes_of")
        code.imports.add(f"{RUNTIME}.reranking.spread", "spread")
        values = Raw(f"codes_of({code.value(settings.by)})")
        named = (("gap", settings.gap), ("k", settings.top))
        return assigned("candidates", Call("spread", (Raw("candidates"), values), named), code.depth)
