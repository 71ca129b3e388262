"""`training/evaluate.py` where a pipeline ends with candidates: it runs in batch, and every stage is measured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mlsd_framework.codegen.batch_code import Asked, BatchCode
from mlsd_framework.codegen.interactions_code import log_of
from mlsd_framework.codegen.names import Names
from mlsd_framework.codegen.places import workspace
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, given, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.codegen.values_code import signature
from mlsd_framework.ir.metrics import ESTIMATES, OffPolicy
from mlsd_framework.ir.retrieval import HoldOut, Outcome
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings
from mlsd_framework.plugin.registry import Registry
from mlsd_framework.targets.training.candidates import AT, parts_call, retrieving
from mlsd_framework.targets.training.dataset import called
from mlsd_framework.targets.training.evaluate import metric_name, origin
from mlsd_framework.targets.training.retrieval import EXAMPLES

if TYPE_CHECKING:
    from mlsd_framework.plugin.stages import ExploringStageKind, RowStageKind

RUNTIME = "mlsd_framework.runtime"
TRAINING = f"{RUNTIME}.training"
_ENDLESS = 10_000  # so that a line is not broken before it is whole
_OURS = frozenset(
    {
        "Als", "Answered", "BOOTSTRAP", "Bootstrap", "COLUMNS", "Candidates", "Cap", "Catalogue", "Chances",
        "CompiledTrees", "DAY", "GATES", "Gate", "HOUR", "HoldOut", "ItemFacts", "METRICS", "MODELS", "ORIGIN", "PARTS",
        "Path", "SECOND", "Slots", "Subject", "Workspace", "again", "ages_of", "all_chances", "answers", "artefacts",
        "asked", "at", "boosted", "bundle", "candidates", "capped", "catalogue", "chances", "codes_of", "data",
        "diversified", "epsilon_greedy", "evaluation", "exposed", "facts", "frame_of", "freshened", "gates", "history",
        "holds", "index", "interactions", "known", "load", "log", "logged", "main", "measured", "new", "np",
        "onboarding", "one", "pl", "policy", "posteriors_of", "project", "recently_interacted", "remove", "request_ids",
        "requests", "retrieved", "seeds_of", "shown", "spread", "sql", "stages", "subject", "summary", "sys",
        "thompson", "tracking", "units_of", "user", "version", "workspace", "writing",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RankingFile:
    """The context of `training/ranking.py.j2`."""

    system: str
    spec: str
    imports: str
    origin: str
    models: str
    declarations: list[str]
    function: str | None
    returned: str
    given: list[str]
    data: list[str]
    log: list[str]
    subject: list[str]
    measured: list[str]
    loads: list[str]
    stages: str
    pipeline: list[str]
    first: str
    logged: list[str]
    requests: list[str]
    items: list[str]
    workspace: str


def ranking_file(system: System, spec: str, registry: Registry) -> str:
    """Return the text of `training/evaluate.py`."""
    outcome = system.outcome
    if outcome is None:
        raise LookupError(system.name)
    endpoint = next(one for one in system.serving if one.path == outcome.endpoint)
    retrieve, settings = retrieving(endpoint)
    imports = Imports()
    _imported(imports)
    names, again = Names(_OURS), system.metrics.onboarding
    likes = (again.value, names.of(f"what is said as {again.value}", again.value)) if again is not None else None
    asked = Asked(outcome.interactions.user, settings.moment, settings.key, likes)
    code = BatchCode(endpoint, asked, imports, names)
    after = endpoint.pipeline[endpoint.pipeline.index(retrieve) + 1 :]
    columns = list(dict.fromkeys(_columns(retrieve, *after)))
    policy = system.metrics.off_policy
    pipeline, last = _pipeline(retrieve, after, system, registry, code)
    said = _given(outcome, endpoint, "\n".join(pipeline), likes)
    loads = [line for text in code.loads.values() for line in text.split("\n")]
    runs = _Runs(_taken("\n".join([*said, *loads, *pipeline])), settings, valued=policy is not None)
    logged = [] if policy is None else _logged(policy, runs, last, imports)
    if again is not None or policy is not None:
        imports.add(f"{RUNTIME}.retrieval.candidates", "Candidates")
    log = _log(outcome, system, imports)
    subject = [*_asked_again(outcome, system, runs, imports), *assigned("subject", _subject(outcome, system), 1)]
    measured = assigned("measured", _measure(system), 1)
    declared = [
        *_measures(system, imports),
        *_held_out(outcome, system, imports),
        f"COLUMNS = {emit(columns, 0, 10)}",
        *code.declarations,
    ]
    context = RankingFile(
        system=system.name,
        spec=spec,
        imports="\n".join(imports.lines()),
        origin=origin(system, spec),
        models=emit(tuple(one.name for one in system.trained), 0, 9),
        declarations=declared,
        log=log,
        subject=subject,
        measured=measured,
        function=runs.definition if again is not None or policy is not None else None,
        returned="stages, chances" if runs.valued else "stages",
        given=said,
        data=[
            f"catalogue = Catalogue.load(workspace.catalogue({literal(settings.entity)}))",
            *assigned("candidates", runs.candidates("data", "asked"), 1),
        ],
        loads=loads,
        stages=emit(Mapping(((retrieve.name, Raw("candidates")),))),
        pipeline=[line for text in pipeline for line in text.split("\n")],
        first=f"{'stages, _' if runs.valued else 'stages'} = {emit(runs.answers('asked', Raw('candidates')), 1, 8)}",
        logged=logged,
        requests=called(_requests(outcome, settings, endpoint)),
        items=_items(outcome, system),
        workspace=literal(workspace(system)),
    )
    return render("training/ranking.py.j2", context)


def _pipeline(
    retrieve: Stage, after: Sequence[Stage], system: System, registry: Registry, code: BatchCode
) -> tuple[list[str], str]:
    """Return the lines of the stages behind the one that retrieves, and the name of the last that gives candidates.

    Where a log is to value the pipeline, they say with which chances it shows what.
    """
    pipeline: list[str] = []
    valued, drawn, last = system.metrics.off_policy is not None, False, retrieve.name
    for stage in after:
        kind = registry.stages[stage.kind]
        lines = (
            cast("RowStageKind", kind).rows(stage, system, registry.model_kinds, code) if hasattr(kind, "rows") else []
        )
        if valued and hasattr(kind, "chances"):
            drawn = True
            lines = [*cast("ExploringStageKind", kind).chances(stage, system, registry.model_kinds, code), *lines]
        if lines:
            last = stage.name
            pipeline += ["", pointer(stage.span), *lines, f"stages[{literal(stage.name)}] = candidates"]
    if valued and not drawn:
        pipeline += ["", "chances = Chances.certain(candidates)"]
    return pipeline, last


@dataclass(frozen=True, slots=True)
class _Runs:
    """How a pipeline is run: the variables of the script that it reads, and whether it is `valued` by a log.

    One that is says with which chances it shows what.
    """

    taken: tuple[str, ...]
    settings: RetrieveSettings
    valued: bool

    @property
    def definition(self) -> str:
        """The `def` of the function that runs it."""
        types = {"workspace": "Workspace", "catalogue": "Catalogue", "asked": "retrieved.Retrieved"}
        parameters = [f"{name}: {types.get(name, 'Candidates')}" for name in self.taken]
        stages = "dict[str, Candidates]"
        return signature("answers", parameters, f"tuple[{stages}, Chances]" if self.valued else stages)

    def candidates(self, rows: str, asked: str) -> Call:
        """Return the call that makes candidates of rows of a training set, of the requests that have a name."""
        named: tuple[tuple[str, Item], ...] = (("item", self.settings.key), ("columns", Raw("COLUMNS")))
        return Call("retrieved.candidates_from", (Raw(rows), Raw("catalogue"), Raw(f"{asked}.requests")), named)

    def answers(self, asked: str, candidates: Item) -> Call:
        """Return the call of the function for the requests that have a name."""
        given: dict[str, Item] = {"asked": Raw(asked), "candidates": candidates}
        return Call("answers", tuple(given.get(name, Raw(name)) for name in self.taken))

    def stages(self, asked: str, candidates: Item) -> Item:
        """Return what the function says of the stages, without chances."""
        answers = self.answers(asked, candidates)
        return Raw(f"{emit(answers, before=-_ENDLESS)}[0]") if self.valued else answers


def _imported(imports: Imports) -> None:
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add("polars as pl")
    imports.add(TRAINING, "artefacts", "bundle", "gates", "requests", "retrieved", "tracking")
    imports.add(f"{TRAINING}.recommendation", "evaluation", "summary", "writing")
    imports.add(f"{TRAINING}.recommendation.subject", "ItemFacts", "Subject")
    imports.add(f"{TRAINING}.report", "index")
    imports.add("mlsd_framework.runtime.retrieval.catalogue", "Catalogue")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")


def _given(outcome: Outcome, endpoint: Endpoint, pipeline: str, likes: tuple[str, str] | None) -> list[str]:
    """Return the lines that name what of the requests the pipeline uses: histories, ids, what they say they like.

    Where newcomers are asked, `likes` is the value of the request that says so and its name in the script; some
    requests are of users whom nobody knows then.
    """
    history, ids = (re.search(rf"\b{name}\b", pipeline) is not None for name in ("history", "request_ids"))
    lines = ["history = asked.history"] if history or (ids and likes is None) else []
    user = literal(outcome.interactions.user)
    if ids and likes is not None:
        lines.append(f"request_ids = asked.ids({user})")
    elif ids:
        made = 'f"{user}@{at}" for user, at in zip'
        lines.append(f"request_ids = [{made}(asked.requests[{user}], history.at, strict=True)]")
    if likes is not None and re.search(rf"\b{likes[1]}\[request\]", pipeline):
        lines.append(f"{likes[1]} = asked.said({literal(likes[0])}, {emit(dict(endpoint.defaults)[likes[0]])})")
    return lines


def _taken(pipeline: str) -> tuple[str, ...]:
    """Return the variables of the script that a pipeline reads, in the order in which it takes them."""
    named = [name for name in ("workspace", "catalogue", "asked") if re.search(rf"\b{name}\b", pipeline)]
    return (*named, "candidates")


def _logged(policy: OffPolicy, runs: _Runs, last: str, imports: Imports) -> list[str]:
    """Return the lines that run the pipeline on the requests of a log with propensities, and value it by the log."""
    imports.add(f"{RUNTIME}.reranking.chances", "Chances")
    imports.add(f"{TRAINING}.logged", "Answered")
    held = Call(
        "logged.policy",
        (Raw(f"shown[{literal(last)}]"), Raw("chances")),
        (("reward", policy.reward), *given(clip=policy.clip)),
    )
    return [
        "logged = Answered.read(workspace.retrieved)",
        *assigned("candidates", runs.candidates("logged.data", "logged.asked"), 1),
        f"shown, chances = {emit(runs.answers('logged.asked', Raw('candidates')), 1, 17)}",
        *assigned("policy", held, 1),
    ]


def _measures(system: System, imports: Imports) -> list[str]:
    """Return the declarations of metrics, gates and resampling."""
    imports.add(f"{TRAINING}.gates", "Gate")
    declared = {one.name: metric_name(one) for one in system.metrics.offline if "candidates" in one.needs}
    named = {**({one: one for one in ESTIMATES} if system.metrics.off_policy is not None else {}), **declared}
    gates = [
        Call("Gate", (named[gate.metric], gate.op, gate.value), given(slice=gate.slice, stage=gate.stage))
        for model in system.models
        for gate in model.gates
        if gate.metric in named
    ]
    names: list[Item] = list(dict.fromkeys(declared.values())) or ["ndcg@10", "recall@100"]
    lines = [f"METRICS = {emit(names, 0, 10)}"]
    lines.append(f"GATES{': list[Gate]' if not gates else ''} = {emit(gates, 0, 8)}")
    if system.metrics.bootstrap:
        imports.add("mlsd_framework.runtime.ranking_metrics.estimates", "Bootstrap")
        drawn: tuple[tuple[str, Item], ...] = (
            ("count", system.metrics.bootstrap),
            ("level", system.metrics.confidence),
            ("seed", 7),
        )
        lines.append(f"BOOTSTRAP = {emit(Call('Bootstrap', (), drawn), 0, 12)}")
    return lines


def _log(outcome: Outcome, system: System, imports: Imports) -> list[str]:
    """Return the lines that read who met what, and what of it was known, from which facts of items are counted."""
    table = ScriptNames(system).table(system.source(outcome.interactions.source))
    imports.add("features", "load", table)
    imports.add(EXAMPLES, "interactions")
    held_out = isinstance(outcome.parts, HoldOut)
    known = "PARTS.test(log).known(log)" if held_out else "log.until(int(asked.history.at[0]))"
    read = log_of(outcome.interactions, Raw(f"load({table})"), system, numbered=held_out)
    return [*assigned("log", read, 1), f"known = {known}"]


def _held_out(outcome: Outcome, system: System, imports: Imports) -> list[str]:
    """Return the declaration of what is held out, from which the log that was known is made."""
    if not isinstance(outcome.parts, HoldOut):
        return []
    return [f"PARTS = {emit(parts_call(outcome, system, imports), 0, 8)}"]


def _facts(outcome: Outcome, system: System) -> Call:
    titled = system.entity(outcome.interactions.entity).title
    return Call(
        "ItemFacts.of_log",
        (Raw("known"), Raw("catalogue.keys")),
        (("descriptions", Raw("catalogue.descriptions")),) if titled else (),
    )


def _subject(outcome: Outcome, system: System) -> Call:
    again, policy = system.metrics.onboarding, system.metrics.off_policy
    facts = _facts(outcome, system) if again is None else Raw("facts")
    made = _subject_of(outcome, "asked", facts, Raw("stages"))
    more = given(again=None if again is None else Raw("again"), logged=None if policy is None else Raw("policy"))
    return Call(made.name, made.positional, (*made.named, *more))


def _subject_of(outcome: Outcome, asked: str, facts: Item, stages: Item) -> Call:
    """Return what a pipeline answered to the requests that have the name `asked`."""
    named: tuple[tuple[str, Item], ...] = (
        ("user", outcome.interactions.user),
        ("relevant", Raw(f"{asked}.relevant")),
        ("histories", Raw(f"{asked}.history")),
        ("catalogue", facts),
        ("sources", Raw(f"{asked}.found")),
        ("stages", stages),
        ("baselines", Raw(f"{asked}.alone")),
    )
    return Call("Subject", (outcome.endpoint, Raw(f"{asked}.requests")), named)


def _asked_again(outcome: Outcome, system: System, runs: _Runs, imports: Imports) -> list[str]:
    """Return the lines that run the pipeline for those who were asked as newcomers."""
    if system.metrics.onboarding is None:
        return []
    imports.add(TRAINING, "onboarding")
    subject = _subject_of(outcome, "new", Raw("facts"), runs.stages("new", runs.candidates("rows", "new")))
    return [
        *assigned("facts", _facts(outcome, system), 1),
        "again = {",
        f"    name: {emit(subject, 2, 6)}",
        "    for name, (new, rows) in onboarding.read(workspace.retrieved).items()",
        "}",
    ]


def _measure(system: System) -> Call:
    named: tuple[tuple[str, Item], ...] = (("metrics", Raw("METRICS")), ("gates", Raw("GATES")))
    named += (("bootstrap", Raw("BOOTSTRAP")),) if system.metrics.bootstrap else ()
    return Call("evaluation.measure", (Raw("subject"),), named)


def _requests(outcome: Outcome, settings: RetrieveSettings, endpoint: Endpoint) -> Call:
    """Return the call that keeps some of the requests, for the service's page and for a try."""
    fields: list[tuple[Item, Item]] = [(outcome.interactions.user, outcome.interactions.user)]
    fields += [(settings.moment, AT)] if settings.moment is not None else []
    return Call(
        "requests.write_asked", (Raw("workspace"), endpoint.path, Raw("asked.requests"), Mapping(tuple(fields)))
    )


def _items(outcome: Outcome, system: System) -> list[str]:
    """Return the lines that keep requests of the endpoints that are asked by nothing but one of the same items."""
    lines: list[str] = []
    for endpoint in system.serving:
        settings = next((one.settings for one in endpoint.pipeline if isinstance(one.settings, RetrieveSettings)), None)
        if settings is None or settings.item is None or settings.entity != outcome.interactions.entity:
            continue
        required = {one.name for one in endpoint.columns} - {name for name, _ in endpoint.defaults}
        if required == {settings.item}:
            met = Raw("catalogue.keys_of(log.items)")
            lines += called(Call("requests.write_items", (Raw("workspace"), endpoint.path, met, settings.item)))
    return lines


def _columns(retrieve: Stage, *after: Stage) -> list[Item]:
    """Return the columns of the training set that stages over candidates read, and what retrieval says."""
    said = [value.dotted for value in retrieve.writes if value.group is not None]
    scored = {value.dotted for stage in after for value in stage.writes if stage.kind != "fetch"}
    read = [
        value.dotted
        for stage in after
        for value in stage.reads
        if value.rows is not None and value.group is not None and value.dotted not in scored and stage.kind != "fetch"
    ]
    return [*said, *read]
