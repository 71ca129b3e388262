"""`training/dataset.py` where the examples are candidates: of moments of the past, or with events held out."""

from dataclasses import dataclass, replace

from mlsd_framework.codegen.interactions_code import fitted_on, log_of
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, given
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.codegen.values_code import returning, signature, sources_of, values_beside
from mlsd_framework.ir.features import RequestGroup, StoredGroup
from mlsd_framework.ir.retrieval import HoldOut, Moments, Outcome
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.retrieve.emit import retrieval, user_features
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings
from mlsd_framework.targets.training.retrieval import EXAMPLES, RETRIEVAL

AT = "at"
KNOWN = "known"
PARTS = "mlsd_framework.runtime.training.parts"


@dataclass(frozen=True, slots=True)
class CandidatesFile:
    """The context of `training/candidates.py.j2`."""

    spec: str
    what: str
    imports: str
    declarations: list[str]
    sources_def: str
    sources: list[str]
    requests: list[str]
    features_def: str
    features: list[str]
    examples_def: str
    catalogue: str
    log: list[str]
    asked: str
    known: list[str]
    history: list[str]
    fitted: str
    examples: list[str]
    made: str
    result: str
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

    @property
    def held_out(self) -> bool:
        """Whether parts are told apart by events that are held out, and not by time."""
        return isinstance(self.outcome.parts, HoldOut)


def candidates_file(system: System, spec: str) -> str:
    """Return the text of `training/dataset.py`."""
    parts = _parts(system)
    imports, names, log = parts.imports, parts.names, parts.outcome.interactions
    _imported(imports)
    asking, ranking = _history_groups(parts), row_groups(system, parts.endpoint)
    asked, read = list(dict.fromkeys([log.source, *sources_of(asking, system)])), sources_of(ranking, system)
    used, features = candidate_sources(system), _beside(ranking, parts)
    read_by_sources = _read_by_sources(parts)
    made, result = _put_together(", ".join(_frames(read, parts)) if features else None, parts)
    context = CandidatesFile(
        spec=spec,
        what="in parts of the log" if parts.held_out else "at moments of the past",
        imports="",
        declarations=_declarations(parts),
        sources_def=signature("sources", ["log: Interactions", *_typed(read_by_sources, names)], "dict[str, Source]"),
        sources=_fitted(parts),
        requests=returning(_beside(asking, parts)[1:]),
        features_def=signature("with_features", [*_typed(read, names), "rows: pl.DataFrame"], "pl.DataFrame"),
        features=returning(features[1:]) if features else [],
        examples_def=signature("examples", [*_typed(used, names), _only(parts)], "pl.DataFrame"),
        catalogue=emit(parts.settings.entity),
        log=assigned("log", log_of(log, Raw(names.frame(log.source)), system, numbered=parts.held_out), 1),
        asked=emit(_asked(parts)),
        known=[f"{KNOWN} = part.known_events({names.frame(log.source)})"] if parts.held_out else [],
        history=assigned("history", _history(parts), 2),
        fitted=", ".join(["part.known(log)", *_frames(read_by_sources, parts)]),
        examples=assigned("rows", _examples(parts), 2),
        made=made,
        result=result,
        asking=", ".join(_typed(asked, names)),
        asked_frames=", ".join(_frames(asked, parts)),
        loads=[f"{names.frame(one)} = load({_table(one, parts)})" for one in used],
        passed=", ".join(names.frame(one) for one in used),
    )
    return render("training/candidates.py.j2", replace(context, imports="\n".join(imports.lines())))


def _put_together(frames: str | None, parts: _Parts) -> tuple[str, str]:
    """Return how rows of a part are kept, and how those of all parts are returned; `frames` are read by features.

    Features of moments are as of them, whichever part a row is of; what a fold knows is its own.
    """
    rows, whole = "rows", "pl.concat(made)"
    if frames is None:
        return rows, whole
    if parts.held_out:
        return f"with_features({frames}, rows)", whole
    return rows, f"with_features({frames}, {whole})"


def _imported(imports: Imports) -> None:
    imports.add("polars as pl")
    imports.add("features", "WORKSPACE", "load")
    imports.add(EXAMPLES, "Sampling", "asked", "examples_of", "interactions")
    imports.add("mlsd_framework.runtime.training", "retrieved")
    imports.add(f"{RETRIEVAL}.catalogue", "Catalogue")
    imports.add(f"{RETRIEVAL}.interactions", "Interactions")
    imports.add(f"{RETRIEVAL}.source", "Source")
    imports.add("mlsd_framework.runtime.features.dataset", "write_dataset")


def _beside(groups: list[StoredGroup], parts: _Parts) -> list[str]:
    """Return the lines that put the features of groups beside `rows`."""
    return [line for group in groups for line in values_beside(group, parts.system, parts.names, parts.imports, AT)]


def _only(parts: _Parts) -> str:
    """Return the parameter of the one part that is asked for."""
    kind = "Fold" if parts.held_out else "Moment"
    parts.imports.add(PARTS, kind)
    return f"only: {kind} | None = None"


def _frames(sources: list[str], parts: _Parts) -> list[str]:
    """Return the frames that are passed for a part; with events held out that of the log is of those that are known."""
    hidden = parts.outcome.interactions.source if parts.held_out else None
    return [KNOWN if one == hidden else parts.names.frame(one) for one in sources]


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
    sampling = given(negatives=outcome.negatives, seed=outcome.seed or None)
    return [
        f"{pointer(parts.stage.span)}\nRETRIEVE = {emit(retrieval(parts.settings, parts.imports), 0, 11)}",
        f"\n{pointer(outcome.span)}\nPARTS = {emit(parts_call(outcome, parts.system, parts.imports), 0, 8)}",
        f"SAMPLING = {emit(Call('Sampling', (), sampling), 0, 11)}",
    ]


def parts_call(outcome: Outcome, system: System, imports: Imports) -> Call:
    """Return the declaration of the parts that a label's examples are of."""
    match outcome.parts:
        case HoldOut(share=share, by=by, folds=folds, seed=seed):
            imports.add(PARTS, "HoldOut")
            row = system.source(outcome.interactions.source).row_number
            return Call("HoldOut", (), given(share=share, by=by, folds=folds, seed=seed, row=row))
        case Moments(count=count, within=within, every=every):
            imports.add("datetime", "timedelta")
            imports.add(PARTS, "Moments")
            return Call("Moments", (), (("count", count), ("within", within), ("every", every)))


def _fitted(parts: _Parts) -> list[str]:
    """Return the lines that fit every source on a log, each as its own script does."""
    entries: list[tuple[Item, Item]] = []
    for one in parts.settings.sources:
        parts.imports.add(one.retriever.name)
        passed = ", ".join(["log", *(parts.names.frame(each) for each in fitted_on(one.retriever, parts.system))])
        entries.append((one.name, Raw(f"{one.retriever.name}.fit({passed})")))
    return f"return {emit(Mapping(tuple(entries)), 1, 7)}".replace("\n    ", "\n").split("\n")


def _read_by_sources(parts: _Parts) -> list[str]:
    """Return the sources whose rows some source of candidates is fitted on, beside the log."""
    retrievers = (one.retriever for one in parts.settings.sources)
    return list(dict.fromkeys(name for one in retrievers for name in fitted_on(one, parts.system)))


def _asked(parts: _Parts) -> Call:
    log = parts.outcome.interactions
    return Call("asked", (Raw(parts.names.frame(log.source)), Raw("log"), Raw("part")), (("user", log.user),))


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
