"""`score` for the compiler: a model's features in, its outputs out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Value
from mlsd_framework.kinds.stages.score.spec import ScoreSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope


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
        reads = tuple(Value(ref.group, ref.name, ref.type, span) for ref in model.features)
        writes = tuple(Value(None, output.name, output.type) for output in model.outputs)
        return StageDraft(reads, writes, ScoreSettings(model))
