"""`explain` for the compiler: the features that moved the score in, reasons out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Call, Raw, assigned, emit
from mlsd_framework.codegen.service_code import SERVING, ServiceCode, goes_on
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import STRING, DataType
from mlsd_framework.kinds.stages.decide.kind import DecideSettings, report_action
from mlsd_framework.kinds.stages.explain.spec import ExplainSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ExplainableKind, ModelKinds


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
        if not model.explains:
            what = f"`explain` cannot weigh the features of `models.{model.name}`, of kind `{model.kind}`"
            scope.context.report(
                "E2046",
                what,
                (*scope.at, "explain", "model"),
                expected="a model of trees, such as `catboost.classifier`",
            )
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

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:  # noqa: ARG002 - the extension point's signature
        """Write the reasons: rules that fired, then the features that moved the score most."""
        settings = stage.settings
        if not isinstance(settings, ExplainSettings):
            return
        model = settings.model
        scored = next(
            (
                one
                for one in code.endpoint.pipeline
                if one.kind == "score" and model.outputs[0].name in {w.name for w in one.writes}
            ),
            None,
        )
        code.imports.add(f"{SERVING}.reasons", "Feature", "Reason", "feature_reasons")
        rules = code.values.get("rules", "[]")
        if rules == "[]":
            code.body += ["", "reasons: list[Reason] = []"]
        else:
            code.imports.add(f"{SERVING}.reasons", "rule_reason")
            code.body += ["", f"reasons: list[Reason] = [rule_reason(rule.name, rule.reason) for rule in {rules}]"]
        code.values["reasons"] = "reasons"
        kind: ExplainableKind = kinds.models[model.kind]  # type: ignore[assignment]  # lowering took explainable kinds only
        features = tuple(
            Call("Feature", (ref.dotted, ref.describe, *([ref.type.unit] if ref.type.unit else [])))
            for ref in kind.inputs(model)
        )
        name = code.shared(f"features of the model {model.name}", f"{model.name}_features")
        code.declare(name, f"{name} = {emit(features, 0, len(name) + 3)}", model.span)
        explain = kind.explain(model, code)
        row = code.name(f"row of the model {model.name}", f"{model.name}_row")
        reasons = Call("feature_reasons", (Raw(name), Raw(row), Raw(explain)), (("top", settings.top),))
        asked = (
            []
            if settings.on is None
            else [f"action in {emit(settings.on)}" if len(settings.on) > 1 else f"action == {emit(settings.on[0])}"]
        )
        if scored is not None and goes_on(scored):
            asked.append(f"{code.values[model.outputs[0].name]} is not None")
        lines = assigned("reasons", reasons, 4 if asked else 3, "+=")
        code.run(stage, [f"if {' and '.join(asked)}:", *(f"    {line}" for line in lines)] if asked else lines)
