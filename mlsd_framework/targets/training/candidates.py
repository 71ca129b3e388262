"""`training/dataset.py` where the examples are candidates that were retrieved at moments of the past."""

from dataclasses import dataclass

from mlsd_framework.codegen.interactions_code import columns_of, log_of
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, given
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.features import RequestGroup, StoredGroup
from mlsd_framework.ir.retrieval import Outcome
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.retrieve.emit import retrieval, user_features
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings
from mlsd_framework.targets.training.dataset import called, sources_of, values_beside
from mlsd_framework.targets.training.retrieval import EXAMPLES, RETRIEVAL

AT = "at"


@dataclass(frozen=True, slots=True)
class CandidatesFile:
    """The context of `training/candidates.py.j2`."""

    spec: str
    imports: str
    declarations: list[str]
    sources: list[str]
    requests: list[str]
    log: list[str]
    asked: list[str]
    history: list[str]
    examples: list[str]
    catalogue: str
    features: list[str]
    parameters: str
    asking: str
    loads: list[str]
    passed: str


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the script is written from."""

    system: System
    outcome: Outcome
    endpoint: Endpoint
    stage: Stage
    settings: RetrieveSettings
    names: ScriptNames
    imports: Imports


def candidates_file(system: System, spec: str) -> str:
    """Return the text of `training/dataset.py`."""
    parts = _parts(system)
    imports, names, outcome = parts.imports, parts.names, parts.outcome
    imports.add("polars as pl")
    imports.add("features", "WORKSPACE", "load")
    imports.add("datetime", "timedelta")
    imports.add(EXAMPLES, "Moments", "Sampling", "asked", "examples_of", "interactions")
    imports.add("mlsd_framework.runtime.training", "retrieved")
    imports.add(f"{RETRIEVAL}.catalogue", "Catalogue")
    imports.add(f"{RETRIEVAL}.interactions", "Interactions")
    imports.add(f"{RETRIEVAL}.source", "Source")
    imports.add("mlsd_framework.runtime.features.dataset", "beside", "write_dataset")
    groups = _history_groups(parts)
    features = [
        line
        for group in row_groups(system, parts.endpoint)
        for line in values_beside(group, system, names, imports, AT)
    ]
    used = list(
        dict.fromkeys(
            [outcome.interactions.source, *sources_of([*groups, *row_groups(system, parts.endpoint)], system)]
        )
    )
    asking = list(dict.fromkeys([outcome.interactions.source, *sources_of(groups, system)]))
    frames = ", ".join(f"{names.frame(one)}: pl.LazyFrame" for one in used)
    asked_frames = ", ".join(names.frame(one) for one in asking)
    context = CandidatesFile(
        spec=spec,
        imports="",
        declarations=_declarations(parts),
        sources=called_sources(parts),
        requests=_returned(
            "rows", [line for group in groups for line in values_beside(group, system, names, imports, AT)][1:]
        ),
        log=assigned("log", log_of(outcome.interactions, Raw(names.frame(outcome.interactions.source)), system), 1),
        asked=assigned("one", _asked(parts), 2),
        history=assigned("history", _history(parts), 2),
        examples=called(_examples(parts))[0:],
        catalogue=emit(parts.settings.entity),
        features=_returned(f"candidates({asked_frames})", features),
        parameters=frames,
        asking=", ".join(f"{names.frame(one)}: pl.LazyFrame" for one in asking),
        loads=[f"{names.frame(one)} = load({_table(one, parts)})" for one in used],
        passed=", ".join(names.frame(one) for one in used),
    )
    return render("training/candidates.py.j2", _Whole(context, "\n".join(imports.lines()), asked_frames))


@dataclass(frozen=True, slots=True)
class _Whole:
    """The context with its imports, which are known when all else is written."""

    file: CandidatesFile
    imports: str
    asked_frames: str


def _returned(rows: str, lines: list[str]) -> list[str]:
    """Return the body of a function that begins with `rows` and returns what the last of its lines assign."""
    if not lines:
        return [f"return {rows}"]
    whole = lines if rows == "rows" else [f"rows = {rows}", *lines]
    last = max(place for place, line in enumerate(whole) if line.startswith("rows = "))
    return [*whole[:last], whole[last].replace("rows = ", "return ", 1), *whole[last + 1 :]]


def row_groups(system: System, endpoint: Endpoint) -> list[StoredGroup]:
    """Return the stored groups whose features stages over candidates read, in the order of the spec."""
    read = {
        value.group
        for stage in endpoint.pipeline
        for value in stage.reads
        if value.rows is not None and stage.kind != "fetch"
    }
    return [group for group in system.features if group.name in read and not isinstance(group, RequestGroup)]


def retrieving(endpoint: Endpoint) -> tuple[Stage, RetrieveSettings]:
    """Return the stage that retrieves."""
    for stage in endpoint.pipeline:
        if isinstance(stage.settings, RetrieveSettings):
            return stage, stage.settings
    raise LookupError(endpoint.path)


def _parts(system: System) -> _Parts:
    outcome = system.outcome
    if outcome is None:
        raise LookupError(system.name)
    endpoint = next(one for one in system.serving if one.path == outcome.endpoint)
    stage, settings = retrieving(endpoint)
    return _Parts(system, outcome, endpoint, stage, settings, ScriptNames(system), Imports())


def _history_groups(parts: _Parts) -> list[StoredGroup]:
    named = {str(parts.settings.items).split(".", maxsplit=1)[0]}
    named |= {str(ref.group) for ref in user_features(parts.settings)}
    return [one for one in parts.system.stored if one.name in named]


def _table(source: str, parts: _Parts) -> str:
    table = parts.names.table(parts.system.source(source))
    parts.imports.add("features", table)
    return table


def _declarations(parts: _Parts) -> list[str]:
    outcome = parts.outcome
    moments: tuple[tuple[str, Item], ...] = (
        ("count", outcome.moments),
        ("within", outcome.within),
        ("every", outcome.every),
    )
    sampling = given(negatives=outcome.negatives, seed=outcome.seed or None)
    return [
        f"{pointer(parts.stage.span)}\nRETRIEVE = {emit(retrieval(parts.settings, parts.imports), 0, 11)}",
        f"\n{pointer(outcome.span)}\nMOMENTS = {emit(Call('Moments', (), moments), 0, 10)}",
        f"SAMPLING = {emit(Call('Sampling', (), sampling), 0, 11)}",
    ]


def called_sources(parts: _Parts) -> list[str]:
    """Return the lines that fit every source on a log, each as its own script does."""
    entries: list[tuple[Item, Item]] = []
    for one in parts.settings.sources:
        parts.imports.add(one.retriever.name)
        entries.append((one.name, Raw(f"{one.retriever.name}.fit(log)")))
    return f"return {emit(Mapping(tuple(entries)), 1, 7)}".replace("\n    ", "\n").split("\n")


def _asked(parts: _Parts) -> Call:
    frame = Raw(parts.names.frame(parts.outcome.interactions.source))
    named = columns_of(parts.outcome.interactions, parts.system)
    return Call("asked", (frame, Raw("catalogue"), Raw("moment"), Raw("MOMENTS.horizon")), named)


def _history(parts: _Parts) -> Call:
    settings = parts.settings
    columns = (str(settings.items), str(settings.times), AT)
    arguments: tuple[Item, ...] = tuple(Raw(f"rows[{emit(one)}]") for one in columns)
    known: list[Item] = [ref.dotted for ref in user_features(settings)]
    if known:
        parts.imports.add(f"{RETRIEVAL}.frames", "columns_of")
        arguments += (Call("columns_of", (Raw("rows"), known)),)
    return Call("catalogue.histories", arguments)


def _examples(parts: _Parts) -> Call:
    named: tuple[tuple[str, Item], ...] = (
        ("item", parts.settings.key),
        ("label", parts.outcome.name),
        ("first", Raw("first")),
        ("sampling", Raw("SAMPLING")),
    )
    return Call("examples_of", (Raw("one"), Raw("merged"), Raw("catalogue")), named)
