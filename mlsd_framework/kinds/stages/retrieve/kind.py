"""`retrieve` for the compiler: a history in, candidates and what each source says of them out."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mlsd_framework.codegen.python import Call, Mapping, Raw, emit, given, literal
from mlsd_framework.codegen.row_code import row_value
from mlsd_framework.codegen.service_code import RUNTIME, SERVING, ServiceCode
from mlsd_framework.ir.expressions import Column
from mlsd_framework.ir.features import Aggregate, Feature, FeatureRef, WindowGroup
from mlsd_framework.ir.retrieval import CANDIDATES, Retriever, candidate_columns
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.retrieve.spec import HistorySpec, RetrieveSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds

RETRIEVAL = f"{RUNTIME}.retrieval"


@dataclass(frozen=True, slots=True)
class Source:
    """A source of candidates: the model that finds them, how many it is asked for, and what it may take."""

    name: str
    retriever: Retriever
    n: int
    new: bool
    budget: timedelta | None


@dataclass(frozen=True, slots=True)
class RetrieveSettings:
    """Who is asked, by which history: lists of items and times, or one item that the request names.

    `entity` is what is retrieved, `key` its column; `moment` the column of the request that says when it happened.
    """

    sources: tuple[Source, ...]
    n: int
    entity: str
    key: str
    items: str | None
    times: str | None
    item: str | None
    moment: str | None


class Retrieve:
    """Ask sources of candidates and merge what they find."""

    name = "retrieve"
    spec = RetrieveSpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the models and the history; a pipeline retrieves once."""
        sources = []
        for name, ask in spec.sources.items():
            at = ("retrieve", "sources", name)
            retriever = scope.retriever(ask.model or name, *at, *(("model",) if ask.model else ()))
            if retriever is not None:
                sources.append(Source(name, retriever, ask.n, ask.new, ask.budget))
        if len(sources) < len(spec.sources):
            return None
        entities = {one.retriever.interactions.entity for one in sources}
        if len(entities) > 1:
            what = f"`retrieve` asks for items of several entities: {', '.join(sorted(entities))}"
            scope.context.report("E2061", what, (*scope.at, "retrieve", "sources"), expected="sources of one entity")
            return None
        log = sources[0].retriever.interactions
        history = _history(spec.history, log.item, scope)
        if history is None:
            return None
        span = scope.context.span(scope.at)
        entity = scope.entities[log.entity]
        type_ = scope.column_type(log.source, log.item)
        if type_ is None:
            return None
        said = candidate_columns(tuple(one.name for one in sources), span)
        writes = (
            Value(None, entity.key[0], type_, span, CANDIDATES),
            *(Value(CANDIDATES, ref.name, ref.type, span, CANDIDATES) for ref in said),
        )
        moment = (scope.moment,) if scope.moment is not None else ()
        names = {one.name: one.dotted for one in history}
        known = dict.fromkeys(ref for one in sources for ref in one.retriever.user_features)
        users = tuple(Value(ref.group, ref.name, ref.type, span) for ref in known)
        settings = RetrieveSettings(
            tuple(sources),
            spec.n,
            log.entity,
            entity.key[0],
            spec.history.items,
            spec.history.times,
            spec.history.item,
            moment[0].name if moment else None,
        )
        return StageDraft((*history, *(one for one in moment if one.name not in names), *users), writes, settings)

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write what loads the sources, and the lines that ask them."""
        settings = stage.settings
        if not isinstance(settings, RetrieveSettings):
            return
        code.imports.add(f"{RETRIEVAL}.candidates", "Candidates")
        catalogue = code.catalogue(settings.entity)
        sources = code.attribute(f"sources of {stage.name}", "sources")
        code.imports.add(f"{RETRIEVAL}.source", "Source")
        loaded = []
        for one in settings.sources:
            module, _, kind = kinds.retrievers[one.retriever.kind].source.partition(":")
            code.imports.add(module, kind)
            path = f"models/{one.retriever.name}/{kinds.retrievers[one.retriever.kind].file}"
            load = f"{kind}.load(bundle.file({literal(path)}))"
            index = next((each for each in system.indexes if each.retriever.name == one.retriever.name), None)
            if index is not None:
                load += f".with_index(bundle.file({literal(f'indexes/{index.name}/index.json')}).parent)"
            loaded.append((one.name, Raw(load)))
        code.init[sources] = f"{sources}: dict[str, Source] = {emit(Mapping(tuple(loaded)), 2, 40)}".replace(
            f"\n{' ' * 8}", "\n"
        )
        asked = code.own(f"retrieval of {stage.name}", stage.name)
        code.declare(asked, f"{asked} = {emit(retrieval(settings, code.imports), 0, len(asked) + 3)}", stage.span)
        lines = [
            f"history = {_asked_by(settings, catalogue, code)}",
            f"candidates = {asked}.candidates({sources}, history)",
        ]
        code.candidates = settings.key
        if stage.on_error in ("default", "skip"):
            code.imports.add(f"{RETRIEVAL}.interactions", "NO_HISTORY")
            code.default(stage, history="NO_HISTORY", candidates=f"{asked}.merged({sources}, {{}}, NO_HISTORY)")
        code.run(stage, lines)
        for value in stage.writes:
            code.values[value.dotted] = row_value(value.dotted)
        code.values[settings.key] = f"{catalogue}.keys_of(candidates.items)"


def retrieval(settings: RetrieveSettings, imports: Any) -> Call:
    """Return the declaration of a retrieval for the runtime; its imports are added."""
    imports.add(f"{RETRIEVAL}.retrieval", "Ask", "Retrieval")
    asks = tuple((one.name, Call("Ask", (one.n,), given(new=True if one.new else None))) for one in settings.sources)
    return Call("Retrieval", (Mapping(asks),), (("n", settings.n),))


def _asked_by(settings: RetrieveSettings, catalogue: str, code: ServiceCode) -> str:
    at = code.values[settings.moment] if settings.moment is not None else "now()"
    if settings.moment is None:
        code.imports.add(f"{SERVING}.moments", "now")
    if settings.item is not None:
        return f"{catalogue}.history([{code.values[settings.item]}], [{at}], {at} + 1)"
    refs = user_features(settings)
    known = f", {emit(Mapping(tuple((ref.dotted, Raw(code.value(ref))) for ref in refs)))}" if refs else ""
    return f"{catalogue}.history({code.values[str(settings.items)]}, {code.values[str(settings.times)]}, {at}{known})"


def user_features(settings: RetrieveSettings) -> tuple[FeatureRef, ...]:
    """Return what sources read of who asks, beside the history, each once."""
    return tuple(dict.fromkeys(ref for one in settings.sources for ref in one.retriever.user_features))


def _history(spec: HistorySpec, item: str, scope: StageScope) -> tuple[Value, ...] | None:
    """Return the values that the history is made of; report what is no history."""
    at = (*scope.at, "retrieve", "history")
    if (spec.items is None) == (spec.item is None) or (spec.items is None) != (spec.times is None):
        what = "a `history` is lists of `items` and `times`, or one `item`"
        scope.context.report(
            "E2062", what, at, expected="`{items: group.feature, times: group.feature}`, or `{item: name}`"
        )
        return None
    if spec.item is not None:
        value = next((one for one in scope.request if one.name == spec.item), None)
        if value is None:
            what = f"the history is the item `{spec.item}`, which the request does not have"
            scope.context.unknown("E2062", what, (*at, "item"), spec.item, [one.name for one in scope.request])
        return (value,) if value is not None else None
    found = [_list(str(spec.items), item, "items", scope), _list(str(spec.times), None, "times", scope)]
    lists = [one for one in found if one is not None]
    if len(lists) < len(found):
        return None
    if lists[0].group != lists[1].group:
        what = f"`items` and `times` are lists of two groups, `{lists[0].group}` and `{lists[1].group}`"
        scope.context.report("E2062", what, at, expected="two `last_n` of one group, over the same events")
        return None
    return tuple(lists)


def _list(text: str, column: str | None, role: str, scope: StageScope) -> Value | None:
    """Return a list of the history, or report why a feature is none: it has to be a plain `last_n` over a column."""
    at = ("retrieve", "history", role)
    group_name, dot, name = text.partition(".")
    group = scope.group(group_name, *at)
    if group is None:
        return None
    feature = next((one for one in group.features if one.name == name), None) if dot else None
    if feature is None or not isinstance(group, WindowGroup):
        what = f"`{text}` is no feature of a group of windows"
        known = [f"{group.name}.{one.name}" for one in group.features]
        scope.context.unknown("E2062", what, (*scope.at, *at), text, known)
        return None
    one = _aggregate_of(group, feature)
    source = scope.sources[group.source]
    wanted = column if column is not None else source.event_time
    plain = isinstance(one.value, Column) and one.value.qualifier is None and one.where is None
    if one.function != "last_n" or not plain or one.value.name != wanted:  # type: ignore[union-attr] # plain says so
        what = f"`{text}` is not the last values of `{wanted}`"
        scope.context.report("E2062", what, (*scope.at, *at), expected=f"`last_n({wanted}, …)`")
        return None
    return Value(group.name, feature.name, feature.type, scope.context.span((*scope.at, *at)))


def _aggregate_of(group: WindowGroup, feature: Feature) -> Aggregate:
    """Return the aggregate that a feature is of: features go aggregate by aggregate, window by window."""
    return group.aggregates[group.features.index(feature) // len(group.windows)]
