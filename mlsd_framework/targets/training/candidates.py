"""`training/dataset.py` where the examples are candidates that were retrieved at moments of the past."""

from dataclasses import dataclass, replace

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
from mlsd_framework.targets.training.dataset import called, returning, signature, sources_of, values_beside
from mlsd_framework.targets.training.retrieval import EXAMPLES, RETRIEVAL

AT = "at"
ONLY = "only: Moment | None = None"


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
    examples_def: str
    candidates_def: str
    asking: str
    asked_frames: str
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
    imports, names, log = parts.imports, parts.names, parts.outcome.interactions
    _imported(imports)
    asking, ranking = _history_groups(parts), row_groups(system, parts.endpoint)
    asked = list(dict.fromkeys([log.source, *sources_of(asking, system)]))
    used = candidate_sources(system)
    context = CandidatesFile(
        spec=spec,
        imports="",
        declarations=_declarations(parts),
        sources=_fitted(parts),
        requests=returning(_beside(asking, parts)[1:]),
        log=assigned("log", log_of(log, Raw(names.frame(log.source)), system), 1),
        asked=assigned("one", _asked(parts), 2),
        history=assigned("history", _history(parts), 2),
        examples=called(_examples(parts)),
        catalogue=emit(parts.settings.entity),
        features=_with_features(_beside(ranking, parts), _frames(asked, names)),
        examples_def=signature("examples", [*_typed(used, names), ONLY], "pl.DataFrame"),
        candidates_def=signature("candidates", [*_typed(asked, names), ONLY], "pl.DataFrame"),
        asking=", ".join(_typed(asked, names)),
        asked_frames=_frames(asked, names),
        loads=[f"{names.frame(one)} = load({_table(one, parts)})" for one in used],
        passed=_frames(used, names),
    )
    return render("training/candidates.py.j2", replace(context, imports="\n".join(imports.lines())))


def _imported(imports: Imports) -> None:
    imports.add("polars as pl")
    imports.add("features", "WORKSPACE", "load")
    imports.add("datetime", "timedelta")
    imports.add(EXAMPLES, "Moment", "Moments", "Sampling", "asked", "examples_of", "interactions")
    imports.add("mlsd_framework.runtime.training", "retrieved")
    imports.add(f"{RETRIEVAL}.catalogue", "Catalogue")
    imports.add(f"{RETRIEVAL}.interactions", "Interactions")
    imports.add(f"{RETRIEVAL}.source", "Source")
    imports.add("mlsd_framework.runtime.features.dataset", "write_dataset")


def _beside(groups: list[StoredGroup], parts: _Parts) -> list[str]:
    """Return the lines that put the features of groups beside `rows`."""
    return [line for group in groups for line in values_beside(group, parts.system, parts.names, parts.imports, AT)]


def _frames(sources: list[str], names: ScriptNames) -> str:
    return ", ".join(names.frame(one) for one in sources)


def _with_features(lines: list[str], frames: str) -> list[str]:
    """Return the lines that make candidates and put features beside them."""
    made = f"candidates({frames}, only)"
    return returning([f"rows = {made}", *lines]) if lines else [f"return {made}"]


def _typed(sources: list[str], names: ScriptNames) -> list[str]:
    """Return the parameters that sources are passed as."""
    return [f"{names.frame(one)}: pl.LazyFrame" for one in sources]


def candidate_sources(system: System) -> list[str]:
    """Return the sources that examples of candidates are made of, in the order in which `examples` takes them."""
    if system.outcome is None:
        return []
    parts = _parts(system)
    groups = [*_history_groups(parts), *row_groups(system, parts.endpoint)]
    return list(dict.fromkeys([system.outcome.interactions.source, *sources_of(groups, system)]))


def fitted_sources(system: System) -> tuple[str, ...]:
    """Return the models that are fitted anew at each moment of the examples."""
    return tuple(one.retriever.name for one in _parts(system).settings.sources)


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


def _fitted(parts: _Parts) -> list[str]:
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
