"""`take` for the compiler: candidates in, the first of them out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import emit
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import INTEGERS
from mlsd_framework.kinds.stages.take.spec import TakeSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class TakeSettings:
    """How many: a number, or a value of the request."""

    k: int | Value


class Take:
    """Keep the first candidates."""

    name = "take"
    spec = TakeSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the value of the request that says how many."""
        if not scope.retrieves("take"):
            return None
        if isinstance(spec.k, int):
            return StageDraft((), (), TakeSettings(spec.k))
        value = next((one for one in scope.request if one.name == spec.k), None)
        if value is None or value.type.name not in INTEGERS or value.type.nullable:
            what = f"`take` keeps `{spec.k}` candidates, which is no whole number of the request"
            known = [one.name for one in scope.request if one.type.name in INTEGERS and not one.type.nullable]
            scope.context.unknown("E2063", what, (*scope.at, "take"), spec.k, known)
            return None
        return StageDraft((value,), (), TakeSettings(value))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the line."""
        code.run(stage, self.rows(stage, system, kinds, code))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the line."""
        settings = stage.settings
        if not isinstance(settings, TakeSettings):
            return []
        k = emit(settings.k) if isinstance(settings.k, int) else code.value(settings.k)
        return [f"candidates = candidates.top({k})"]
