"""`retrieve` for the compiler: a history in, candidates and what each source says of them out."""

from typing import Any

from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.ir.expressions import Column
from mlsd_framework.ir.features import Aggregate, Feature, WindowGroup
from mlsd_framework.ir.retrieval import CANDIDATES, Retriever, candidate_columns
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import INTEGERS, DataType
from mlsd_framework.kinds.stages.retrieve.emit import write_retrieve
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings, Source
from mlsd_framework.kinds.stages.retrieve.spec import HistorySpec, RetrieveSpec
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


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
            # The item that is asked by is no answer.
            new = ask.new or spec.history.item is not None
            if retriever is not None and not _finds_nothing(name, retriever, new=new, scope=scope):
                sources.append(Source(name, retriever, ask.n, new, ask.budget))
        if len(sources) < len(spec.sources):
            return None
        entities = {one.retriever.interactions.entity for one in sources}
        if len(entities) > 1:
            what = f"`retrieve` asks for items of several entities: {', '.join(sorted(entities))}"
            scope.context.report("E2061", what, (*scope.at, "retrieve", "sources"), expected="sources of one entity")
            return None
        log = sources[0].retriever.interactions
        type_ = scope.column_type(log.source, log.item)
        if type_ is None:
            return None
        history = _history(spec.history, log.item, type_, scope)
        if history is None:
            return None
        span = scope.context.span(scope.at)
        entity = scope.entities[log.entity]
        said = candidate_columns(tuple(one.name for one in sources), span, standardised=spec.standardise)
        writes = (
            Value(None, entity.key[0], type_, span, CANDIDATES),
            *(Value(CANDIDATES, ref.name, ref.type, span, CANDIDATES) for ref in said),
        )
        moment = (scope.moment,) if scope.moment is not None else ()
        names = {one.name: one.dotted for one in history}
        settings = RetrieveSettings(
            tuple(sources),
            spec.n,
            log.entity,
            entity.key[0],
            spec.history.items,
            spec.history.times,
            spec.history.item,
            moment[0].name if moment else None,
            spec.standardise,
        )
        users = _of_users(settings, scope)
        return StageDraft((*history, *(one for one in moment if one.name not in names), *users), writes, settings)

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write what loads the sources, and the lines that ask them."""
        if isinstance(stage.settings, RetrieveSettings):
            write_retrieve(stage, stage.settings, system, kinds, code)


def _of_users(settings: RetrieveSettings, scope: StageScope) -> tuple[Value, ...]:
    """Return what sources read of who asks, each value at the first source that does."""
    found: dict[str, Value] = {}
    for one in settings.sources:
        span = scope.context.span((*scope.at, "retrieve", "sources", one.name), key=True)
        for ref in one.retriever.user_features:
            found.setdefault(ref.dotted, Value(ref.group, ref.name, ref.type, span))
    return tuple(found.values())


def _finds_nothing(name: str, retriever: Retriever, *, new: bool, scope: StageScope) -> bool:
    """Report a source that finds items of the history only, where those are left out."""
    if not (new and retriever.of_history):
        return False
    what = f"the source `{name}` finds items of the history only, and is asked for others"
    scope.context.report("E2066", what, (*scope.at, "retrieve", "sources", name))
    return True


def _history(spec: HistorySpec, item: str, type_: DataType, scope: StageScope) -> tuple[Value, ...] | None:
    """Return the values that the history is made of; report what is no history of items of a type."""
    at = (*scope.at, "retrieve", "history")
    if (spec.items is None) == (spec.item is None) or (spec.items is None) != (spec.times is None):
        what = "a `history` is lists of `items` and `times`, or one `item`"
        scope.context.report(
            "E2062", what, at, expected="`{items: group.feature, times: group.feature}`, or `{item: name}`"
        )
        return None
    if spec.item is not None:
        return _one(spec.item, item, type_, scope)
    found = [_list(str(spec.items), item, "items", scope), _list(str(spec.times), None, "times", scope)]
    lists = [one for one in found if one is not None]
    if len(lists) < len(found):
        return None
    if lists[0].group != lists[1].group:
        what = f"`items` and `times` are lists of two groups, `{lists[0].group}` and `{lists[1].group}`"
        scope.context.report("E2062", what, at, expected="two `last_n` of one group, over the same events")
        return None
    return tuple(lists)


def _one(name: str, item: str, type_: DataType, scope: StageScope) -> tuple[Value] | None:
    """Return the value of the request that is an item, or report why there is none."""
    at = (*scope.at, "retrieve", "history", "item")
    value = next((one for one in scope.request if one.name == name), None)
    if value is None:
        what = f"the history is the item `{name}`, which the request does not have"
        scope.context.unknown("E2062", what, at, name, [one.name for one in scope.request])
        return None
    if value.type.text != type_.text or (value.type.name in INTEGERS) != (type_.name in INTEGERS):
        what = f"the history is the item `{name}` of type `{value.type}`, and `{item}` is of type `{type_}`"
        scope.context.report("E2062", what, at, expected=f"a value of type `{type_}`")
        return None
    return (value,)


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
