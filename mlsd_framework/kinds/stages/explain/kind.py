"""`explain` for the compiler: the features that moved the score in, reasons out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Value
from mlsd_framework.ir.types import STRING, DataType
from mlsd_framework.kinds.stages.decide.kind import DecideSettings, report_action
from mlsd_framework.kinds.stages.explain.spec import ExplainSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """The model whose score is explained, how many features are named, for which actions (none: all)."""

    model: Model
    top: int
    on: tuple[str, ...] | None


class Explain:
    """Say why."""

    name = "explain"
    spec = ExplainSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the model; it must be of a kind whose features can be weighed."""
        model = scope.model(spec.model, "explain", "model")
        if model is None:
            return None
        if not model.kind.startswith("catboost."):
            what = f"`explain` cannot weigh the features of `models.{model.name}`, of kind `{model.kind}`"
            scope.context.report("E2046", what, (*scope.at, "explain", "model"), expected="a model of trees, such as `catboost.classifier`")
            return None
        decisions = [stage.settings for stage in scope.before if isinstance(stage.settings, DecideSettings)]
        for index, action in enumerate(spec.on or ()):
            if decisions and action not in decisions[-1].actions:
                where = scope.context.span((*scope.at, "explain", "on", index))
                report_action(scope, action, "`explain`", decisions[-1].actions, where)
        span = scope.context.span(scope.at)
        reads = [Value(None, model.outputs[0].name, model.outputs[0].type, span)]
        reads += [Value(ref.group, ref.name, ref.type, span) for ref in model.features]
        settings = ExplainSettings(model, spec.top, tuple(spec.on) if spec.on is not None else None)
        return StageDraft(tuple(reads), (Value(None, "reasons", DataType("list", item=STRING)),), settings)
