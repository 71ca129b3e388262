"""`score` for the compiler: a model's features in, its outputs out."""

from dataclasses import dataclass
from typing import Any, cast

from mlsd_framework.codegen.python import literal
from mlsd_framework.codegen.row_code import RowCode, row_value
from mlsd_framework.codegen.service_code import ServiceCode, goes_on
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.retrieval import CANDIDATES
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.score.spec import ScoreSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds, RankingKind


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """The model that is asked."""

    model: Model


class Score:
    """Ask a model about the request."""

    name = "score"
    spec = ScoreSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the model; its features are what the stage reads."""
        model = scope.model(spec.model, "score", "model")
        if model is None:
            return None
        span = scope.context.span(scope.at)
        if model.ranks:
            return self._rank(model, scope) if scope.retrieves(f"score: {model.name}") else None
        reads = tuple(Value(ref.group, ref.name, ref.type, span) for ref in model.features)
        # Where the pipeline goes on without the score, whatever reads it has to take null.
        absent = spec.on_error in ("default", "skip")
        writes = tuple(
            Value(None, output.name, output.type.or_null() if absent else output.type) for output in model.outputs
        )
        return StageDraft(reads, writes, ScoreSettings(model))

    def _rank(self, model: Model, scope: StageScope) -> StageDraft:
        """Score candidates: features may be of the request or of each candidate, outputs are of each candidate."""
        span = scope.context.span(scope.at)
        reads = tuple(Value(ref.group, ref.name, ref.type, span, CANDIDATES) for ref in model.features)
        writes = tuple(Value(None, one.name, one.type.or_null(), span, CANDIDATES) for one in model.outputs)
        return StageDraft(reads, writes, ScoreSettings(model))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Let the model's kind write how it scores candidates; nothing where it scores requests."""
        settings = stage.settings
        if not isinstance(settings, ScoreSettings) or not settings.model.ranks:
            return []
        kind = cast("RankingKind", kinds.models[settings.model.kind])
        return kind.rank(settings.model, code)

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Let the model's kind write how it is loaded and asked."""
        settings = stage.settings
        if isinstance(settings, ScoreSettings) and settings.model.ranks:
            lines = self.rows(stage, system, kinds, code)
            if goes_on(stage):
                code.imports.add("numpy as np")
                absent = ", ".join(
                    f"{literal(value.dotted)}: np.full(len(candidates.items), np.nan)" for value in stage.writes
                )
                code.default(stage, candidates=f"candidates.with_columns(**{{{absent}}})")
            code.run(stage, lines)
            code.values |= {value.dotted: row_value(value.dotted) for value in stage.writes}
            code.ordered_by = stage.writes[0].dotted
        elif isinstance(settings, ScoreSettings):
            kinds.models[settings.model.kind].score(settings.model, stage, code)
