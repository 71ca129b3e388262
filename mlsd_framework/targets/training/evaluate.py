"""`training/evaluate.py`: thresholds, metrics, gates, reports, and the version."""

from dataclasses import dataclass

from mlsd_framework.codegen.decisions import decision_name
from mlsd_framework.codegen.expressions_polars import to_polars
from mlsd_framework.codegen.names import Names
from mlsd_framework.codegen.places import workspace
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, given, literal
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.expressions import Column, Expression
from mlsd_framework.ir.expressions import Literal as LiteralNode
from mlsd_framework.ir.fingerprint import features_fingerprint, system_fingerprint
from mlsd_framework.ir.metrics import Metric
from mlsd_framework.ir.models import CandidateSplit, GroupSplit, Model, StratifiedSplit
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.decide.kind import DecideSettings
from mlsd_framework.passes.metric_needs import given as given_by

TRAINING = "mlsd_framework.runtime.training"
_OURS = frozenset(
    {
        "Costs", "FACTS", "Gate", "MODELS", "ORIGIN", "Path", "RESAMPLES", "Resamples", "SLICES", "SliceBy",
        "Workspace", "artefacts", "bundle", "data", "evaluation", "gate", "gates", "label", "main", "measured",
        "one", "pl", "project", "requests", "sql", "summary", "sys", "thresholds", "tracking", "version",
        "workspace",
    }
)  # fmt: skip
_PARAMETERS = {
    "recall_at_precision": "precision", "card_precision": "k", "calibration_error": "bins",
    "ndcg": "k", "recall_at_k": "k", "precision_at_k": "k", "hit_rate": "k", "mrr": "k", "map": "k",
}  # fmt: skip
_RUNTIME_NAMES = {"recall_at_k": "recall", "precision_at_k": "precision"}


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


@dataclass(frozen=True, slots=True)
class _Choice:
    """One `decide` stage, and what it is called in the script."""

    endpoint: Endpoint
    stage: Stage
    settings: DecideSettings
    name: str


def evaluate_file(system: System, spec: str) -> str:
    """Return the text of `training/evaluate.py`."""
    imports, names = Imports(), Names(_OURS)
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add(TRAINING, "artefacts", "bundle", "evaluation", "gates", "summary", "thresholds", "tracking")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    choices = [
        _Choice(endpoint, stage, stage.settings, decision_name(endpoint, stage, system))
        for endpoint in system.serving
        for stage in endpoint.pipeline
        if isinstance(stage.settings, DecideSettings)
    ]
    decisions = _predictions(choices, names, system)
    decisions += [line for choice in choices for line in _decision(choice, names, imports)]
    written = Mapping(tuple((choice.name, Raw(_decided(choice, names))) for choice in choices))
    write = Call("thresholds.write", (Raw('workspace.evaluation / "thresholds.json"'), written))
    decisions += ["", *emit(write, 1, 0).replace("\n    ", "\n").split("\n")]
    measured = [line for model in _measured(system) for line in _measure(model, choices, system, names, imports)]
    declared = _declarations(system, names, imports)
    requested = _requests(system, imports)
    context = EvaluateFile(
        system=literal(system.name),
        spec=spec,
        declarations=declared,
        imports="\n".join(imports.lines()),
        origin=origin(system, spec),
        decisions=decisions,
        measured=measured,
        currency=literal(_currency(choices)),
        requests=requested,
        models=emit(tuple(model.name for model in system.models), 0, 9),
        workspace=literal(workspace(system)),
    )
    return render("training/evaluate.py.j2", context)


def origin(system: System, spec: str) -> str:
    """Return the declaration of what a version is made from."""
    named: tuple[tuple[str, Item], ...] = (
        ("spec", system_fingerprint(system)),
        ("features", features_fingerprint(system)),
        ("created_from", Mapping((("spec", spec),))),
    )
    return emit(Call("bundle.Origin", (system.name,), named), 0, 9)


def metric_name(metric: Metric) -> str:
    """Return a metric as the runtime names it: `recall_at_precision@0.9`."""
    parameter = dict(metric.parameters).get(_PARAMETERS.get(metric.kind, ""))
    name = _RUNTIME_NAMES.get(metric.kind, metric.kind)
    if parameter is None:
        return name
    return f"{name}@{parameter:g}" if isinstance(parameter, float) else f"{name}@{parameter}"


def _measured(system: System) -> list[Model]:
    return [model for model in system.models if model.label is not None]


def _declarations(system: System, names: Names, imports: Imports) -> list[str]:
    blocks: list[str] = []
    for model in _measured(system):
        have = given_by(model, system)
        wanted = [
            metric_name(one) for one in system.metrics.offline if one.needs <= have and one.kind != "confusion_matrix"
        ]
        label = _metrics(model, names)
        typed = ": list[str]" if not wanted else ""
        blocks.append(f"\n{pointer(model.span)}\n{label}{typed} = {emit(wanted, 0, len(label) + 3)}")
        declared = {one.name: metric_name(one) for one in system.metrics.offline}
        imports.add(f"{TRAINING}.gates", "Gate")
        found = [
            Call("Gate", (declared[gate.metric], gate.op, gate.value))
            for gate in model.gates
            if gate.metric in declared
        ]
        label = _gates(model, names)
        blocks.append(f"{label}{': list[Gate]' if not found else ''} = {emit(found, 0, len(label) + 3)}")
    imports.add(f"{TRAINING}.metrics.slices", "SliceBy")
    slices = [Call("SliceBy", (one.column,), given(edges=one.bins)) for one in system.metrics.slices]
    blocks.append(f"SLICES{': list[SliceBy]' if not slices else ''} = {emit(slices, 0, 9)}")
    facts = Mapping(
        tuple(
            (model.name, Mapping((("split", _split_words(model)), ("seed", str(model.seed)))))
            for model in _measured(system)
        )
    )
    blocks.append(f"FACTS{': dict[str, dict[str, str]]' if not facts.entries else ''} = {emit(facts, 0, 8)}")
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
    if isinstance(split, CandidateSplit):
        return "by the parts of the label"
    return f"by time, gap {split.gap.total_seconds() / 86400:g} days"


def _predictions(choices: list[_Choice], names: Names, system: System) -> list[str]:
    """Return the lines that read what decisions are made from: each model's predictions once, and the label."""
    lines: list[str] = []
    for model in dict.fromkeys(choice.settings.model for choice in choices):
        call = Call("artefacts.read_predictions", (Call("workspace.model", (model.name,)),))
        lines += assigned(names.of(f"predictions of {model.name}", model.name), call, 1)
    if system.label is not None and any(choice.settings.cost is not None for choice in choices):
        lines.append(f"label = data[{literal(system.label.name)}].to_numpy()")
    return lines


def _decided(choice: _Choice, names: Names) -> str:
    return names.of(f"decision {choice.name}", choice.name)


def _costs(choice: _Choice, names: Names) -> str:
    return names.of(f"costs of {choice.name}", f"{choice.name}_costs")


def _decision(choice: _Choice, names: Names, imports: Imports) -> list[str]:
    settings, name = choice.settings, _decided(choice, names)
    model = settings.model
    named: tuple[tuple[str, Item], ...] = (("score", model.name), ("actions", list(settings.actions)))
    lines = ["", pointer(choice.stage.span)]
    if settings.thresholds is not None:
        chosen = Mapping(tuple(zip(settings.actions[1:], settings.thresholds, strict=True)))
        return [*lines, *assigned(name, Call("thresholds.by_score", (), (*named, ("thresholds", chosen))), 1)]
    cost = settings.cost
    if cost is None:
        raise LookupError(choice.name)
    imports.add(f"{TRAINING}.thresholds", "Costs")
    predictions = names.of(f"predictions of {model.name}", model.name)
    part = f"{predictions}.parts.{'test' if _no_validation(model) else 'validate'}"
    amounts = (
        ("false_negative", _amount(cost.false_negative, imports)),
        ("false_positive", _amount(cost.false_positive, imports)),
    )
    lines += assigned(_costs(choice, names), Call("Costs", (), (*amounts, *given(review=cost.review))), 1)
    named += (
        ("probability", Raw(f"{predictions}.probability[{part}]")),
        ("label", Raw(f"label[{part}]")),
        ("costs", Raw(f"{_costs(choice, names)}.take({part})")),
    )
    if _no_validation(model):
        named += (("chosen_on", "test"),)
    return [*lines, *assigned(name, Call("thresholds.by_cost", (), named), 1)]


def _no_validation(model: Model) -> bool:
    return not model.split.validate


def _amount(expression: Expression, imports: Imports) -> Item:
    """Return a cost as a number, or as an array over the training set."""
    if isinstance(expression, LiteralNode) and isinstance(expression.value, int | float):
        return float(expression.value)
    if isinstance(expression, Column):
        return Raw(f"data[{literal(expression.path)}].to_numpy()")
    code = to_polars(expression, lambda column: column.path)
    imports.add_lines(code.imports)
    return Raw(f"data.select(cost={code.text}).to_series().to_numpy()")


def _measure(model: Model, choices: list[_Choice], system: System, names: Names, imports: Imports) -> list[str]:
    choice = next((one for one in choices if one.settings.model == model), None)
    read = Call("artefacts.read_predictions", (Call("workspace.model", (model.name,)),))
    predictions = read if choice is None else Raw(names.of(f"predictions of {model.name}", model.name))
    imports.add(TRAINING, "evaluation")
    time = system.examples.event_time if system.examples else None
    known = given(label=system.label.name if system.label else "", entity=_entity(system), time=time)
    subject = Call("evaluation.Subject", (model.name, Raw("data"), predictions), known)
    named: tuple[tuple[str, Item], ...] = (
        ("metrics", Raw(_metrics(model, names))),
        ("slices", Raw("SLICES")),
        ("gates", Raw(_gates(model, names))),
    )
    if choice is not None:
        named += (("decision", Raw(_decided(choice, names))),)
        if choice.settings.cost is not None:
            named += (("costs", Raw(_costs(choice, names))),)
    if system.metrics.bootstrap:
        named += (("resamples", Raw("RESAMPLES")),)
    return f"{emit(Call('evaluation.measure', (subject,), named), 2, 1)},".replace("\n        ", "\n").split("\n")


def _metrics(model: Model, names: Names) -> str:
    return names.constant(f"metrics of {model.name}", f"{model.name}_metrics")


def _gates(model: Model, names: Names) -> str:
    return names.constant(f"gates of {model.name}", f"{model.name}_gates")


def _entity(system: System) -> str | None:
    """Return the column of the entity that metrics rank, if one does."""
    entities = {entity.name: entity for entity in system.entities}
    for metric in system.metrics.offline:
        name = dict(metric.parameters).get("entity")
        if isinstance(name, str) and name in entities:
            return entities[name].key[0]
    return None


def _currency(choices: list[_Choice]) -> str:
    units = [choice.settings.cost.unit for choice in choices if choice.settings.cost is not None]
    return next((unit for unit in units if unit), "")


def _requests(system: System, imports: Imports) -> list[str]:
    """Return the lines that keep real rows of the test part as requests, for the service's page and for a try."""
    examples = system.examples
    if examples is None:
        return []
    model = next(iter([*_measured(system), *system.models]))
    lines = []
    for endpoint in system.serving:
        if endpoint.source == examples.name:  # of other rows the training set has none
            imports.add(TRAINING, "requests")
            columns = [value.name for value in endpoint.request]
            label = system.label.name if system.label else None
            call = Call(
                "requests.write",
                (Raw("workspace"), endpoint.path, Raw("data"), columns, label),
                (("model", model.name),),
            )
            lines += emit(call, 1, 0).replace("\n    ", "\n").split("\n")
    return [*lines, ""] if lines else []
