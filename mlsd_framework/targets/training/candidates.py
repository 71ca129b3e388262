"""`training/dataset.py` where the examples are candidates: of moments of the past, or with events held out."""

from dataclasses import dataclass, replace

from mlsd_framework.codegen.interactions_code import fitted_on, log_of
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, given
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.codegen.values_code import returning, signature, sources_of, values_beside
from mlsd_framework.ir.features import RequestGroup, StoredGroup
from mlsd_framework.ir.metrics import OffPolicy
from mlsd_framework.ir.retrieval import HoldOut, Moments, Outcome, Shown
from mlsd_framework.ir.serving import Endpoint, Stage
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.retrieve.emit import given_to, retrieval, user_features
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings
from mlsd_framework.targets.training.retrieval import EXAMPLES, RETRIEVAL

AT = "at"
KNOWN = "known"
PARTS = "mlsd_framework.runtime.training.parts"
IMPRESSIONS = "mlsd_framework.runtime.training.impressions"


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
    shown: str | None
    known: list[str]
    history: list[str]
    fitted: str
    table: list[str]
    given: list[str]
    passed_on: str
    newcomers: list[str]
    tested_again: list[str]
    taught_again: list[str]
    examples: list[str]
    made: str
    logged: list[str]
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
    logged = _logged(", ".join(_frames(read, parts)) if features else None, ", ".join(_frames(asked, parts)), parts)
    read_by_sources = _read_by_sources(parts)
    made, result = _put_together(", ".join(_frames(read, parts)) if features else None, parts)
    context = CandidatesFile(
        spec=spec,
        what=_what(parts),
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
        shown=_shown(parts),
        known=[f"{KNOWN} = part.known_events({names.frame(log.source)})"] if parts.held_out else [],
        history=assigned("history", _history(parts), 2),
        fitted=", ".join(["part.known(log)", *_frames(read_by_sources, parts)]),
        table=_table_of_items(parts),
        given=_given(parts),
        passed_on=_passed_on(parts),
        newcomers=_asking(parts),
        tested_again=_tested_again(
            f"with_features({', '.join(_frames(read, parts))}, rows)" if features else "rows", parts
        ),
        taught_again=_taught_again(parts),
        examples=assigned("rows", _examples(parts), 2),
        made=made,
        logged=logged,
        result=result,
        asking=", ".join(_typed(asked, names)),
        asked_frames=", ".join(_frames(asked, parts)),
        loads=[f"{names.frame(one)} = load({_table(one, parts)})" for one in used],
        passed=", ".join(names.frame(one) for one in used),
    )
    return render("training/candidates.py.j2", replace(context, imports="\n".join(imports.lines())))


def _what(parts: _Parts) -> str:
    """Return in words where the candidates of the examples are from."""
    if parts.outcome.shown is not None:
        return "items that users were shown, for the test those retrieved"
    return f"candidates that retrieval returned {'in parts of the log' if parts.held_out else 'at moments of the past'}"


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
    shown = [system.outcome.shown.source] if system.outcome.shown is not None else []
    shown += [system.metrics.off_policy.source] if system.metrics.off_policy is not None else []
    return list(dict.fromkeys([system.outcome.interactions.source, *shown, *sources_of(groups, system)]))


def fitted_sources(system: System) -> tuple[str, ...]:
    """Return the models that are fitted anew at each moment of the examples."""
    return tuple(dict.fromkeys(one.retriever.name for one in _parts(system).settings.sources))


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
    shown = outcome.shown
    read = [] if shown is None else [f"SHOWN = {emit(_impressions(shown, parts), 0, 8)}"]
    policy = parts.system.metrics.off_policy
    if policy is not None:
        read.append(f"\n{pointer(policy.span)}\nLOGGED = {emit(_actions(policy, parts), 0, 9)}")
    return [
        f"{pointer(parts.stage.span)}\nRETRIEVE = {emit(retrieval(parts.settings, parts.imports), 0, 11)}",
        f"\n{pointer(outcome.span)}\nPARTS = {emit(parts_call(outcome, parts.system, parts.imports), 0, 8)}",
        f"SAMPLING = {emit(Call('Sampling', (), sampling), 0, 11)}",
        *read,
        *_newcomers(parts),
    ]


def _impressions(shown: Shown, parts: _Parts) -> Call:
    """Return the declaration of how impressions are read."""
    parts.imports.add(IMPRESSIONS, "Impressions", "Pages")
    if shown.within is not None:
        parts.imports.add("datetime", "timedelta")
    pages = pages_call(shown, parts.system)
    return Call("Impressions", (pages,), given(outcome=shown.outcome, within=shown.within))


def _actions(policy: OffPolicy, parts: _Parts) -> Call:
    """Return the declaration of how a log with propensities is read."""
    parts.imports.add(IMPRESSIONS, "Pages")
    parts.imports.add("mlsd_framework.runtime.training.logged", "LoggedActions")
    column = parts.system.source(policy.source).column(policy.reward)
    waits = column.known_after if column is not None and column.known_after else None
    if waits is not None:
        parts.imports.add("datetime", "timedelta")
    columns = {"reward": policy.reward, "propensity": policy.propensity, "position": policy.position}
    return Call("LoggedActions", (pages_call(policy, parts.system),), given(**columns, known_after=waits))


def _logged(frames: str | None, asked: str, parts: _Parts) -> list[str]:
    """Return the lines that retrieve for the requests of a log with propensities; `frames` are read by features."""
    policy = parts.system.metrics.off_policy
    if policy is None:
        return []
    made = Call("LOGGED.of", (Raw(parts.names.frame(policy.source)), Raw("catalogue"), Raw("part")))
    rows = "rows" if frames is None else f"with_features({frames}, rows)"
    return [
        *assigned("logged", made, 3),
        f"rows = requests({asked}, logged.asked.rows)",
        *assigned("history", _history(parts), 3),
        *_given(parts, 3),
        f"merged = RETRIEVE.candidates(fitted, history{_passed_on(parts)})",
        *assigned("rows", _examples(parts, "logged.asked", "0"), 3),
        f"logged.write(WORKSPACE.retrieved, history, {rows})",
    ]


def pages_call(shown: Shown | OffPolicy, system: System) -> Call:
    """Return the declaration of which columns of impressions say who was shown what, and when."""
    columns = (("user", shown.user), ("item", shown.item), ("time", system.source(shown.source).event_time))
    return Call("Pages", (), given(**dict(columns), request=shown.request))


def _shown(parts: _Parts) -> str | None:
    """Return the source of what a part's users were shown, or none where examples are what is retrieved."""
    shown = parts.outcome.shown
    if shown is None:
        return None
    return emit(Call("SHOWN.of", (Raw(parts.names.frame(shown.source)), Raw("log"), Raw("catalogue"), Raw("part"))))


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
    models = [one.retriever.name for one in parts.settings.sources]
    shared = len(set(models)) < len(models)
    fits: dict[str, str] = {}
    for one in parts.settings.sources:
        parts.imports.add(one.retriever.name)
        passed = ", ".join(["log", *(parts.names.frame(each) for each in fitted_on(one.retriever, parts.system))])
        fits[one.retriever.name] = f"{one.retriever.name}.fit({passed})"
    entries: list[tuple[Item, Item]] = [
        (one.name, Raw(f"fitted[{emit(one.retriever.name)}]" if shared else fits[one.retriever.name]))
        for one in parts.settings.sources
    ]
    lines = f"return {emit(Mapping(tuple(entries)), 1, 7)}".replace("\n    ", "\n").split("\n")
    if not shared:
        return lines
    each = Mapping(tuple((name, Raw(made)) for name, made in fits.items()))
    return [*assigned("fitted", each, 1), *lines]


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


def _table_of_items(parts: _Parts) -> list[str]:
    """Return the line that reads what conditions of the retrieval read of the items."""
    if not _reads_items(parts):
        return []
    parts.imports.add(f"{RETRIEVAL}.item_table", "ItemTable")
    return [f"item_table = ItemTable.load(WORKSPACE.item_table({emit(parts.settings.entity)}))"]


def _reads_items(parts: _Parts) -> bool:
    """Return whether conditions, or what newcomers like, are about columns of the items."""
    return bool(parts.settings.conditions) or parts.system.metrics.onboarding is not None


def _given(parts: _Parts, indent: int = 2) -> list[str]:
    """Return the lines that tell the conditions of the retrieval what the past requests say."""
    told = given_to(parts.settings, "item_table", lambda name: _asked_of_all(name, parts), parts.imports)
    return assigned("given", told, indent) if told is not None else []


def _passed_on(parts: _Parts) -> str:
    """Return the argument that tells retrieval what is given, where it has conditions."""
    return ", given" if parts.settings.conditions else ""


def _asking(parts: _Parts) -> list[str]:
    """Return the lines that say how requests are asked again as newcomers make them."""
    onboarding = parts.system.metrics.onboarding
    if onboarding is None and parts.outcome.newcomers is None:
        return []
    parts.imports.add("mlsd_framework.runtime.training", "newcomers")
    asked = dict.fromkeys(one.name for condition in parts.settings.conditions for one in condition.asked)
    said = None if onboarding is None else onboarding.value
    values = Mapping(tuple((name, _asked_of_all(name, parts)) for name in asked if name != said))
    read = given(table=Raw("item_table") if _reads_items(parts) else None, given=values if values.entries else None)
    named = (("user", parts.outcome.interactions.user), *read)
    return assigned("asking", Call("newcomers.Asking", (Raw("RETRIEVE"), Raw("fitted")), named), 2)


def _tested_again(features: str, parts: _Parts) -> list[str]:
    """Return the lines that ask users of the test again as newcomers; `features` puts theirs beside candidates."""
    if parts.system.metrics.onboarding is None:
        return []
    parts.imports.add("mlsd_framework.runtime.training", "onboarding")
    named: tuple[tuple[str, Item], ...] = (
        ("item", parts.settings.key),
        ("label", parts.outcome.name),
        ("features", Raw(f"lambda rows: {features}")),
    )
    return [
        *assigned("kept", Call("onboarding.Rows", (Raw("catalogue"),), named), 3),
        "onboarding.write(WORKSPACE.retrieved, ONBOARDING, one, history, asking, kept)",
    ]


def _taught_again(parts: _Parts) -> list[str]:
    """Return the lines that make examples of what newcomers of the training would be answered."""
    return (
        []
        if parts.outcome.newcomers is None
        else assigned("rows", _examples(parts, "new.asked", merged="new.merged"), 4)
    )


def _newcomers(parts: _Parts) -> list[str]:
    """Return the declarations of who is asked again, and what they say."""
    found, share = parts.system.metrics.onboarding, parts.outcome.newcomers
    made = []
    if found is not None:
        default = dict(parts.endpoint.defaults)[found.value]
        named = (("most", found.most), *given(default=default or None))
        likes = Call("newcomers.Likes", (found.value, found.column.dotted), named)
        made.append(f"\n{pointer(found.span)}\nLIKES = {emit(likes, 0, 8)}")
        tested = Call("onboarding.Onboarding", (Raw("LIKES"),), (("sample", found.sample),))
        made.append(f"ONBOARDING = {emit(tested, 0, 13)}")
    if share is not None:
        told: tuple[Item, ...] = (share,) if found is None else (share, Raw("LIKES"))
        taught = Call("newcomers.Newcomers", told, given(seed=parts.outcome.seed or None))
        made.append(f"\n{pointer(parts.outcome.span)}\nNEWCOMERS = {emit(taught, 0, 12)}")
    return made


def _asked_of_all(name: str, parts: _Parts) -> Item:
    """Return the values of all requests of a part: who asks, when, or the default."""
    if name == parts.outcome.interactions.user:
        return Raw(f"rows[{emit(name)}]")
    if name == parts.settings.moment:
        return Raw(f"rows[{emit(AT)}]")
    return Raw(f"[{emit(dict(parts.endpoint.defaults)[name])}] * rows.height")


def _examples(parts: _Parts, asked: str = "one", first: str = "first", merged: str = "merged") -> Call:
    named: tuple[tuple[str, Item], ...] = (
        ("item", parts.settings.key),
        ("label", parts.outcome.name),
        ("first", Raw(first)),
        ("sampling", Raw("SAMPLING")),
    )
    return Call("examples_of", (Raw(asked), Raw(merged), Raw("catalogue")), named)
