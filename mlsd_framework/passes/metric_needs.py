"""A metric gets what it needs, and a gate names a metric that is computed."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.metrics import ESTIMATES, Metric
from mlsd_framework.ir.models import Gate, Model
from mlsd_framework.ir.system import System


def metric_needs(system: System) -> Iterator[Diagnostic]:
    """Find metrics that no model can give, and gates on metrics that are not declared or not given.

    `mae` beside one classifier → E2105; a gate on `auc` → E2106 with `roc_auc`.
    """
    gives = {model.name: given(model, system) for model in system.models}
    declared = {metric.name: metric for metric in system.metrics.offline}
    unmet = {
        name: metric for name, metric in declared.items() if not any(metric.needs <= have for have in gives.values())
    }
    for metric in unmet.values():
        yield _unmet(metric, gives)
    for model in system.models:
        estimated = ESTIMATES if model.ranks and system.metrics.off_policy is not None else ()
        for gate in model.gates:
            if gate.metric not in declared and gate.metric in estimated:
                continue
            if gate.metric not in declared:
                yield _unknown(model, gate, [*declared, *estimated])
            elif gate.metric not in unmet and not declared[gate.metric].needs <= gives[model.name]:
                missing = ", ".join(f"a {need}" for need in sorted(declared[gate.metric].needs - gives[model.name]))
                what = f"a gate of `models.{model.name}` names `{gate.metric}`, which needs {missing}"
                yield Diagnostic(code="E2105", what=what, span=gate.span, help="the model does not give it")


def _unknown(model: Model, gate: Gate, declared: list[str]) -> Diagnostic:
    near = nearest(gate.metric, declared)
    return Diagnostic(
        code="E2106",
        what=f"a gate of `models.{model.name}` names `{gate.metric}`, which `metrics.offline` does not have",
        span=gate.span,
        expected=f"one of: {', '.join(sorted(declared))}" if declared else "a metric of `metrics.offline`",
        help=f"did you mean `{near}`?" if near else None,
    )


def given(model: Model, system: System) -> frozenset[str]:
    """Return what metrics can use of a model: its roles, its label, a decision made from it."""
    roles = {output.role for output in model.outputs}
    have = {str(role) for role in roles}
    if "probability" in roles:
        have.add("score")
    if model.label is not None:
        have.add("label")
    if system.entities:
        have.add("entity")
    if model.ranks and system.outcome is not None:
        return frozenset({"candidates"})
    names = {output.name for output in model.outputs}
    for endpoint in system.serving:
        for stage in endpoint.pipeline:
            if any(value.name == "action" for value in stage.writes) and any(
                value.group is None and value.name in names for value in stage.reads
            ):
                have.add("decision")
                if getattr(stage.settings, "cost", None) is not None:
                    have.add("cost")
    return frozenset(have)


def _unmet(metric: Metric, gives: dict[str, frozenset[str]]) -> Diagnostic:
    if not gives:
        what = f"the metric `{metric.name}` measures nothing: the system has no model"
        return Diagnostic(code="E2105", what=what, span=metric.span, help="declare a model, or leave the metric out")
    nearest_model = max(gives, key=lambda name: len(metric.needs & gives[name]))
    missing = ", ".join(f"a {need}" for need in sorted(metric.needs - gives[nearest_model]))
    return Diagnostic(
        code="E2105",
        what=f"the metric `{metric.name}` needs {missing}, and no model gives it",
        span=metric.span,
        help=f"`models.{nearest_model}` gives {', '.join(sorted(gives[nearest_model]))}",
    )
