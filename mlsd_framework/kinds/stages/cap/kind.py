"""`cap` for the compiler: the value of each candidate in, another order out."""

from dataclasses import dataclass
from typing import Any, Literal

from mlsd_framework.codegen.python import Call, Item, Raw, assigned, given
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.cap.spec import CapSpec
from mlsd_framework.kinds.stages.row_names import group
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class CapSettings:
    """How many of the first `top` may have one value, and where others go."""

    by: Value
    most: int
    top: int
    overflow: Literal["behind", "drop"]


class Cap:
    """Let at most so many of the first candidates be of one sort."""

    name = "cap"
    spec = CapSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the feature."""
        by = group(spec.by, "cap", scope) if scope.retrieves("cap") else None
        if by is None:
            return None
        return StageDraft((by,), (), CapSettings(by, spec.most, spec.top, spec.overflow))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the lines."""
        code.run(stage, self.rows(stage, system, kinds, code))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the lines."""
        settings = stage.settings
        if not isinstance(settings, CapSettings):
            return []
        code.imports.add(f"{RUNTIME}.reranking.caps", "Cap", "capped")
        code.imports.add(f"{RUNTIME}.reranking.conditions", "codes_of")
        caps: list[Item] = [Call("Cap", (Raw(f"codes_of({code.value(settings.by)})"), settings.most))]
        named = given(overflow=settings.overflow if settings.overflow != "behind" else None)
        return assigned("candidates", Call("capped", (Raw("candidates"), caps, settings.top), named), code.depth)
