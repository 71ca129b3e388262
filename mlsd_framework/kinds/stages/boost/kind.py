"""`boost` for the compiler: a condition and a score in, other scores and the order by them out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Call, Item, Raw, assigned, given
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.retrieval import CANDIDATES
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.boost.spec import BoostSpec
from mlsd_framework.kinds.stages.row_conditions import conditions
from mlsd_framework.kinds.stages.row_names import Score, condition, score
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class BoostSettings:
    """Which score is changed where, and by how much; `reads` are the values of the condition."""

    where: Expression
    reads: tuple[Value, ...]
    times: float
    plus: float
    score: Score


class Boost:
    """Raise or lower the scores of some candidates."""

    name = "boost"
    spec = BoostSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Lower the condition and find the score."""
        if not scope.retrieves("boost"):
            return None
        if (spec.times, spec.plus) == (1.0, 0.0):
            what = "`boost` has neither `times` nor `plus`"
            scope.context.report("E2063", what, (*scope.at, "boost"), expected="`times: 1.2`, such as this")
        where, by = condition(spec.where, "boost", scope, "where"), score(spec.score, "boost", scope)
        if where is None or by is None:
            return None
        reads = scope.reads(where, rows=CANDIDATES)
        return StageDraft((*reads, by.value), (), BoostSettings(where, reads, spec.times, spec.plus, by))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the lines."""
        code.run(stage, self.rows(stage, system, kinds, code))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the lines: where the condition holds, then the new scores and the order by them."""
        settings = stage.settings
        if not isinstance(settings, BoostSettings):
            return []
        lines, held = conditions(stage, settings.reads, (settings.where,), code)
        code.imports.add(f"{RUNTIME}.reranking.boosts", "boosted")
        named: tuple[tuple[str, Item], ...] = given(
            times=settings.times if settings.times != 1 else None,
            plus=settings.plus or None,
            score=settings.score.value.name,
            logarithmic=settings.score.logarithmic or None,
        )
        return [
            *lines,
            *assigned("candidates", Call("boosted", (Raw("candidates"), Raw(held[0])), named), code.depth),
        ]
