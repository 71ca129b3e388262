"""`training/evaluate.py`: thresholds, metrics, gates, reports, and the version."""

from dataclasses import dataclass

from mlsd_framework.codegen.expressions_polars import to_polars
from mlsd_framework.codegen.places import workspace
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, constant, emit, given, identifier, literal
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.expressions import Column, Expression
from mlsd_framework.ir.expressions import Literal as LiteralNode
from mlsd_framework.ir.fingerprint import features_fingerprint, system_fingerprint
from mlsd_framework.ir.metrics import Metric
from mlsd_framework.ir.models import GroupSplit, Model, StratifiedSplit
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System
from mlsd_framework.passes.metric_needs import given as given_by

TRAINING = "mlsd_framework.runtime.training"
_PARAMETERS = {"recall_at_precision": "precision", "card_precision": "k", "calibration_error": "bins"}


@dataclass(frozen=True, slots=True)
class EvaluateFile:
    """The context of `training/evaluate.py.j2`."""

    system: str
    spec: str
    imports: str
    origin: str
    declarations: list[str]
    decisions: list[str]
    measured: list[str]
    currency: str
    requests: list[str]
    models: str
    workspace: str


def evaluate_file(system: System, spec: str) -> str:
    """Return the text of `training/evaluate.py`."""
    imports = Imports()
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add(TRAINING, "artefacts", "bundle", "evaluation", "gates", "summary", "thresholds", "tracking")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    stages = [(endpoint, stage) for endpoint in system.serving for stage in endpoint.pipeline if stage.kind == "decide"]
    decisions = [line for endpoint, stage in stages for line in _decision(endpoint, stage, system, imports)]
    written = Mapping(tuple((stage.name, Raw(stage.name)) for _, stage in stages))
    decisions += ["", f'thresholds.write(workspace.evaluation / "thresholds.json", {emit(written)})']
    measured = [line for model in _measured(system) for line in _measure(model, stages, system, imports)]
    context = EvaluateFile(
        system=literal(system.name),
        spec=spec,
        declarations=_declarations(system, imports),
        imports="",
        origin=_origin(system, spec),
        decisions=decisions,
        measured=measured,
        currency=literal(_currency(stages)),
        requests=_requests(system, imports),
        models=emit(tuple(model.name for model in system.models)),
        workspace=literal(workspace(system)),
    )
    from dataclasses import replace  # noqa: PLC0415 - the imports are known last

    return render("training/evaluate.py.j2", replace(context, imports="\n".join(imports.lines())))


def _origin(system: System, spec: str) -> str:
    named: tuple[tuple[str, Item], ...] = (
        ("spec", system_fingerprint(system)),
        ("features", features_fingerprint(system)),
        ("created_from", Mapping((("spec", spec),))),
    )
    return emit(Call("bundle.Origin", (system.name,), named), 0, 9)


def metric_name(metric: Metric) -> str:
    """Return a metric as the runtime names it: `recall_at_precision@0.9`."""
    parameter = dict(metric.parameters).get(_PARAMETERS.get(metric.kind, ""))
    return metric.kind if parameter is None else f"{metric.kind}@{parameter:g}" if isinstance(parameter, float) else f"{metric.kind}@{parameter}"


def _measured(system: System) -> list[Model]:
    return [model for model in system.models if model.label is not None]


def _declarations(system: System, imports: Imports) -> list[str]:
    blocks: list[str] = []
    for model in _measured(system):
        have = given_by(model, system)
        names = [metric_name(one) for one in system.metrics.offline if one.needs <= have and one.kind != "confusion_matrix"]
        label = f"{constant(model.name)}_METRICS"
        blocks.append(f"\n{pointer(model.span)}\n{label} = {emit(names, 0, len(label) + 3)}")
        declared = {one.name: metric_name(one) for one in system.metrics.offline}
        imports.add(f"{TRAINING}.gates", "Gate")
        found = [Call("Gate", (declared[gate.metric], gate.op, gate.value)) for gate in model.gates if gate.metric in declared]
        label = f"{constant(model.name)}_GATES"
        blocks.append(f"{label}{': list[Gate]' if not found else ''} = {emit(found, 0, len(label) + 3)}")
    imports.add(f"{TRAINING}.metrics.slices", "SliceBy")
    slices = [Call("SliceBy", (one.column,), given(edges=one.bins)) for one in system.metrics.slices]
    blocks.append(f"SLICES{': list[SliceBy]' if not slices else ''} = {emit(slices, 0, 9)}")
    facts = Mapping(tuple((model.name, Mapping((("split", _split_words(model)), ("seed", str(model.seed))))) for model in _measured(system)))
    blocks.append(f"FACTS = {emit(facts, 0, 8)}")
    if system.metrics.bootstrap:
        imports.add(f"{TRAINING}.metrics.bootstrap", "Resamples")
        blocks.append(f"RESAMPLES = {emit(Call('Resamples', (system.metrics.bootstrap,), (('seed', 7),)))}")
    return blocks


def _split_words(model: Model) -> str:
    split = model.split
    if isinstance(split, StratifiedSplit):
        return f"stratified, seed {split.seed}"
    if isinstance(split, GroupSplit):
        return f"by group {split.group}, seed {split.seed}"
    return f"by time, gap {split.gap.total_seconds() / 86400:g} days"


def _decision(endpoint: Endpoint, stage: Stage, system: System, imports: Imports) -> list[str]:  # noqa: ARG001 - one signature for all parts
    settings = stage.settings
    model: Model = settings.model  # type: ignore[attr-defined]  # a `decide` stage
    name = identifier(stage.name)
    predictions = identifier(model.name)
    lines = ["", pointer(stage.span), f"{predictions} = artefacts.read_predictions(workspace.model({literal(model.name)}))"]
    actions = emit(list(settings.actions))  # type: ignore[attr-defined]
    chosen = settings.thresholds  # type: ignore[attr-defined]
    if chosen is not None:
        values = Mapping(tuple(zip(settings.actions[1:], chosen, strict=True)))  # type: ignore[attr-defined]
        return [*lines, f"{name} = thresholds.by_score(score={literal(model.name)}, actions={actions}, thresholds={emit(values)})"]
    imports.add(f"{TRAINING}.thresholds", "Costs")
    cost = settings.cost  # type: ignore[attr-defined]
    review = f", review={cost.review!r}" if cost.review is not None else ""
    label = system.label.name if system.label else ""
    part = f"{predictions}.parts.{'test' if _no_validation(model) else 'validate'}"
    return [
        *lines,
        f"label = data[{literal(label)}].to_numpy()",
        f"{name}_costs = Costs(",
        f"    false_negative={_amount(cost.false_negative, imports)},",
        f"    false_positive={_amount(cost.false_positive, imports)}{review and ','}",
        *([f"    review={cost.review!r},"] if review else []),
        ")",
        f"{name} = thresholds.by_cost(",
        f"    score={literal(model.name)},",
        f"    actions={actions},",
        f"    probability={predictions}.probability[{part}],",
        f"    label=label[{part}],",
        f"    costs={name}_costs.take({part}),",
        *(['    chosen_on="test",'] if _no_validation(model) else []),
        ")",
    ]


def _no_validation(model: Model) -> bool:
    return not model.split.validate


def _amount(expression: Expression, imports: Imports) -> str:
    """Return a cost as a number, or as an array over the training set."""
    if isinstance(expression, LiteralNode) and isinstance(expression.value, int | float):
        return repr(float(expression.value))
    if isinstance(expression, Column):
        return f"data[{literal(expression.path)}].to_numpy()"
    code = to_polars(expression, lambda column: column.path)
    for line in code.imports:
        module, _, what = line.removeprefix("from ").partition(" import ")
        if line.startswith("from "):
            imports.add(module, what)
    imports.add("polars as pl")
    return f"data.select(cost={code.text})[\"cost\"].to_numpy()"


def _measure(model: Model, stages: list[tuple[Endpoint, Stage]], system: System, imports: Imports) -> list[str]:
    stage = next((one for _, one in stages if one.settings.model.name == model.name), None)  # type: ignore[attr-defined]
    label = system.label.name if system.label else ""
    entity, time = _entity(system), system.examples.event_time if system.examples else None
    predictions = identifier(model.name) if stage is not None else f"artefacts.read_predictions(workspace.model({literal(model.name)}))"
    imports.add(TRAINING, "evaluation")
    subject = Call(
        "evaluation.Subject",
        (model.name, Raw("data"), Raw(predictions)),
        given(label=label, entity=entity, time=time),
    )
    named: tuple[tuple[str, Item], ...] = (
        ("metrics", Raw(f"{constant(model.name)}_METRICS")),
        ("slices", Raw("SLICES")),
        ("gates", Raw(f"{constant(model.name)}_GATES")),
    )
    if stage is not None:
        named += (("decision", Raw(identifier(stage.name))),)
        if getattr(stage.settings, "cost", None) is not None:
            named += (("costs", Raw(f"{identifier(stage.name)}_costs")),)
    if system.metrics.bootstrap:
        named += (("resamples", Raw("RESAMPLES")),)
    return f"{emit(Call('evaluation.measure', (subject,), named), 2)},".replace("\n        ", "\n").split("\n")


def _entity(system: System) -> str | None:
    """Return the column of the entity that metrics rank, if one does."""
    entities = {entity.name: entity for entity in system.entities}
    for metric in system.metrics.offline:
        name = dict(metric.parameters).get("entity")
        if isinstance(name, str) and name in entities:
            return entities[name].key[0]
    return None


def _currency(stages: list[tuple[Endpoint, Stage]]) -> str:
    for _, stage in stages:
        cost = getattr(stage.settings, "cost", None)
        if cost is not None and cost.unit:
            return str(cost.unit)
    return ""


def _requests(system: System, imports: Imports) -> list[str]:
    """Return the lines that keep real rows of the test part as requests, for the service's page and for a try."""
    if not system.serving:
        return []
    imports.add(TRAINING, "requests")
    first = _measured(system)[0].name if _measured(system) else system.models[0].name
    lines = [""]
    for endpoint in system.serving:
        columns = [value.name for value in endpoint.request]
        label = system.label.name if system.label else None
        call = Call("requests.write", (Raw("workspace"), endpoint.path, Raw("data"), columns, label), (("model", first),))
        lines += emit(call, 0, 4).split("\n")
    return lines
