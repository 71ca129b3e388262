"""`score` for the compiler: a model's features in, its outputs out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.score.spec import ScoreSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKind


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
        # Where the pipeline goes on without the score, whatever reads it has to take null.
        absent = spec.on_error in ("default", "skip")
        writes = tuple(
            Value(None, output.name, output.type.or_null() if absent else output.type) for output in model.outputs
        )
        return StageDraft(reads, writes, ScoreSettings(model))

    def code(self, stage: Stage, system: System, models: Mapping[str, ModelKind], code: ServiceCode) -> None:  # noqa: ARG002 - the extension point's signature
        """Let the model's kind write how it is loaded and asked."""
        settings = stage.settings
        if isinstance(settings, ScoreSettings):
            models[settings.model.kind].score(settings.model, stage, code)
