"""`freshen` for the compiler: times of birth and a score in, other scores and the order by them out."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mlsd_framework.codegen.python import Call, Item, Raw, assigned, given
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.retrievers.parts import length, microseconds
from mlsd_framework.kinds.stages.freshen.spec import FreshenSpec
from mlsd_framework.kinds.stages.row_names import Score, moment, score
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class FreshenSettings:
    """When a candidate came to be, how fast its score fades, and what is left of it in the end."""

    born: Value
    half_life: timedelta
    floor: float
    score: Score


class Freshen:
    """Lower the scores of candidates as they age."""

    name = "freshen"
    spec = FreshenSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the time of birth and the score."""
        if not scope.retrieves("freshen"):
            return None
        if not spec.half_life:
            what = "the `half_life` of `freshen` is 0"
            scope.context.report("E2063", what, (*scope.at, "freshen", "half_life"), expected="above 0, such as `7d`")
        born, by = moment(spec.age_of, "age_of", "freshen", scope), score(spec.score, "freshen", scope)
        if born is None or by is None:
            return None
        return StageDraft((born, by.value), (), FreshenSettings(born, spec.half_life, spec.floor, by))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the lines."""
        code.run(stage, self.rows(stage, system, kinds, code))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the lines: ages at the moment of the request, then the new scores and the order by them."""
        settings = stage.settings
        if not isinstance(settings, FreshenSettings):
            return []
        code.imports.add(f"{RUNTIME}.reranking.boosts", "ages_of", "freshened")
        ages = code.name(f"ages of {stage.name}", "ages")
        asked = (Raw("candidates"), Raw(code.value(settings.born)), Raw("history.at"))
        named: tuple[tuple[str, Item], ...] = given(
            floor=settings.floor or None,
            score=settings.score.value.name,
            logarithmic=settings.score.logarithmic or None,
        )
        half_life = length(microseconds(settings.half_life), code.imports)
        fresh = Call("freshened", (Raw("candidates"), Raw(ages), half_life), named)
        return [
            *assigned(ages, Call("ages_of", asked), code.depth),
            *assigned("candidates", fresh, code.depth),
        ]
