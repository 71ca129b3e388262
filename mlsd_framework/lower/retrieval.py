"""Lower what retrieval is made of: who met which item, the models that find candidates, and what comes of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.features import FeatureGroup, FeatureRef, TableGroup, WindowGroup
from mlsd_framework.ir.retrieval import HoldOut, Interactions, Moments, Outcome, Parts, Retriever, candidate_columns
from mlsd_framework.ir.sources import Source
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.impressions import ImpressionsLowering
from mlsd_framework.lower.kinds import RetrieverLowering
from mlsd_framework.spec.label import HoldOutSpec, LabelSpec
from mlsd_framework.spec.loading import Loc
from mlsd_framework.spec.retrievers import InteractionsSpec, RetrieverSpec
from mlsd_framework.spec.system import EndpointSpec


def candidates_of(label: LabelSpec, serving: Mapping[str, EndpointSpec]) -> tuple[FeatureRef, ...]:
    """Return what the retrieval of the label's endpoint says of each candidate."""
    endpoint = serving.get(str(label.of))
    stages = endpoint.pipeline if endpoint is not None else ()
    for stage in stages:
        if stage.stage == "retrieve":
            return candidate_columns(
                tuple(getattr(stage, "sources", ())), standardised=getattr(stage, "standardise", False)
            )
    return ()


@dataclass
class RetrievalLowering:
    """What retrieval can name."""

    sources: Mapping[str, Source]
    declared_sources: frozenset[str]
    entities: Mapping[str, Entity]
    groups: Mapping[str, FeatureGroup]
    declared_groups: frozenset[str]
    context: Context

    def retrievers(
        self, specs: Mapping[str, RetrieverSpec], kinds: Mapping[str, RetrieverLowering]
    ) -> dict[str, Retriever]:
        """Return the retrievers that have no faults, in the order of the file."""
        found = {}
        for name, spec in specs.items():
            log = self._interactions(spec, ("models", name))
            before = len(self.context.faults)
            users = self._features(name, spec, "user_features", spec.user, kinds[spec.kind])
            items = self._features(name, spec, "item_features", spec.item, kinds[spec.kind])
            words = self._words(name, spec)
            if log is not None and len(self.context.faults) == before:
                settings = kinds[spec.kind].settings(spec)
                span = self.context.span(("models", name), key=True)
                kind = kinds[spec.kind]
                found[name] = Retriever(
                    name=name,
                    kind=spec.kind,
                    interactions=log,
                    settings=settings,
                    user_features=users,
                    item_features=items,
                    item_text=words,
                    embeds=getattr(kind, "embeds", False),
                    has_vectors=getattr(kind, "has_vectors", False),
                    of_history=getattr(kind, "of_history", False),
                    describe=spec.describe,
                    span=span,
                )
        return found

    def outcome(self, spec: LabelSpec, serving: Mapping[str, EndpointSpec]) -> Outcome | None:
        """Return what comes of an endpoint's candidates, or none where it has faults."""
        at: Loc = ("label",)
        endpoint = str(spec.of)
        if endpoint not in serving:
            what = f"`label.of` refers to the endpoint `{endpoint}`, which is not declared"
            self.context.unknown("E2008", what, (*at, "of"), endpoint, serving)
            return None
        if not any(stage.stage == "retrieve" for stage in serving[endpoint].pipeline):
            what = f"`label.of` is `{endpoint}`, whose pipeline retrieves no candidates"
            self.context.report("E2033", what, (*at, "of"), expected="an endpoint with `- retrieve: …`")
            return None
        parts = self._parts(spec, endpoint)
        if parts is None:
            return None
        log = self._interactions(InteractionsSpec(**{"from": spec.source, "user": spec.user, "item": spec.item}), at)
        if log is None:
            return None
        span = self.context.span(at, key=True)
        outcome = Outcome(spec.name, endpoint, log, parts, spec.negatives, newcomers=spec.newcomers, span=span)
        if spec.shown is None:
            return outcome
        return ImpressionsLowering(self.sources, self.declared_sources, self.context).outcome(spec, spec.shown, outcome)

    def _parts(self, spec: LabelSpec, endpoint: str) -> Parts | None:
        """Return what is known to which requests, or none where that is not said or said twice."""
        at: Loc = ("label",)
        surplus = [name for name in ("column", "join") if getattr(spec, name) is not None]
        if surplus:
            what = f"the label of the candidates of `{endpoint}` has `{surplus[0]}`, which means nothing for them"
            self.context.report("E2033", what, (*at, surplus[0]), help="leave it out")
            return None
        if spec.hold_out is not None:
            return self._held_out(spec, spec.hold_out)
        if spec.within is None or spec.moments is None:
            lacking = "within" if spec.within is None else "moments"
            what = f"the label of the candidates of `{endpoint}` lacks `{lacking}`"
            self.context.report(
                "E2033", what, at, key=True, expected="`within: 7d` and `moments: 6`, or `hold_out: 25%`"
            )
            return None
        every = spec.every or spec.within
        if every < spec.within:
            what = "`label.every` is shorter than `within`: training would see what validation is asked for"
            self.context.report("E2033", what, (*at, "every"), expected="at least as long as `within`")
            return None
        return Moments(spec.moments, spec.within, every)

    def _held_out(self, spec: LabelSpec, written: HoldOutSpec) -> HoldOut | None:
        surplus = [name for name in ("within", "every", "moments") if getattr(spec, name) is not None]
        if surplus:
            what = f"the label has `hold_out` and `{surplus[0]}`: events are held out by chance or by time"
            self.context.report("E2033", what, ("label", surplus[0]), help=f"leave `hold_out` or `{surplus[0]}` out")
            return None
        return HoldOut(written.share, written.by, written.folds, written.seed)

    def _features(
        self, name: str, spec: RetrieverSpec, key: str, role: str, kind: RetrieverLowering
    ) -> tuple[FeatureRef, ...]:
        """Return the features that a retriever reads of its users or its items.

        They are columns of tables about them and, of users, features of windows where the kind reads these.
        """
        found: dict[str, FeatureRef] = {}
        entity = self.entities.get(role)
        windows = key == "user_features" and getattr(kind, "reads_windows", False)
        taken = (TableGroup, WindowGroup) if windows else TableGroup
        for index, text in enumerate(getattr(spec, key, ())):
            at: Loc = ("models", name, key, index)
            group_name, _, wanted = text.partition(".")
            group = self.groups.get(group_name)
            if group is None:
                if group_name not in self.declared_groups:
                    what = f"`models.{name}.{key}` refers to feature group `{group_name}`, which is not declared"
                    self.context.unknown("E2001", what, at, group_name, self.declared_groups)
                continue
            if not isinstance(group, taken) or entity is None or group.key != entity.key:
                kinds = "table or windows" if windows else "table"
                what = f"`models.{name}.{key}` takes `{text}`, which is no {kinds} of the entity `{role}`"
                key_of = entity.key if entity is not None else ()
                named = [one.name for one in self.groups.values() if isinstance(one, taken) and one.key == key_of]
                expected = f"features of: {', '.join(named)}" if named else "a group with `columns` of a table"
                self.context.report("E2061", what, at, expected=expected)
                continue
            chosen = [one for one in group.features if wanted in ("*", one.name)]
            if not chosen:
                what = f"`models.{name}.{key}` refers to feature `{text}`, which is not declared"
                self.context.unknown("E2001", what, at, text, [f"{group_name}.{one.name}" for one in group.features])
            for one in chosen:
                accepts = getattr(kind, "accepts", None)
                if accepts is not None and not accepts(one.type):
                    what = f"`models.{name}.{key}` takes `{group_name}.{one.name}` of type `{one.type}`"
                    self.context.report("E2035", f"{what}, which `{spec.kind}` cannot take", at)
                    continue
                ref = FeatureRef(group_name, one.name, one.type, one.describe, self.context.span(at))
                found.setdefault(ref.dotted, ref)
        return tuple(found.values())

    def _words(self, name: str, spec: RetrieverSpec) -> tuple[str, ...]:
        """Return the columns of text in which a retriever knows its items, of the table that lists them."""
        entity = self.entities.get(spec.item)
        source = self.sources.get(str(entity.source)) if entity is not None else None
        written = dict.fromkeys(getattr(spec, "text", ()))
        if source is None:
            return ()
        for index, text in enumerate(written):
            at: Loc = ("models", name, "text", index)
            column = source.column(text)
            if column is None:
                what = f"`models.{name}.text` names the column `{text}`, which `sources.{source.name}` lacks"
                self.context.unknown("E2003", what, at, text, [one.name for one in source.columns])
            elif not column.type.text:
                what = f"`models.{name}.text` takes the column `{text}` of type `{column.type}`, which is no text"
                texts = [one.name for one in source.columns if one.type.text]
                expected = f"one of: {', '.join(texts)}" if texts else "a column of type `string` or `category`"
                self.context.report("E2061", what, at, expected=expected)
        return tuple(written)

    def _interactions(self, spec: InteractionsSpec, at: Loc) -> Interactions | None:
        shown = ".".join(str(part) for part in at)
        source = self.sources.get(spec.source)
        if source is None:
            if spec.source not in self.declared_sources:
                what = f"`{shown}.from` refers to source `{spec.source}`, which is not declared"
                self.context.unknown("E2004", what, (*at, "from"), spec.source, self.declared_sources)
            return None
        if source.event_time is None:
            what = f"`{shown}.from` is `{spec.source}`, which has no `event_time`"
            self.context.report("E2061", what, (*at, "from"), expected="a source of events")
            return None
        user = self._column(spec.user, "user", source, at)
        item = self._column(spec.item, "item", source, at)
        if user is None or item is None:
            return None
        listed = self.entities[spec.item].source
        if listed is None or listed not in self.sources:
            if listed is None:
                what = f"`{shown}` finds items of the entity `{spec.item}`, and nothing lists them"
                self.context.report(
                    "E2061", what, at, key=True, expected=f"`entities.{spec.item}.from: …`, a table of them"
                )
            return None
        return Interactions(source.name, user, item, spec.item)

    def _column(self, name: str, role: str, source: Source, at: Loc) -> str | None:
        """Return the column of the events that is the key of an entity."""
        shown = ".".join(str(part) for part in at)
        entity = self.entities.get(name)
        if entity is None:
            what = f"`{shown}.{role}` refers to entity `{name}`, which is not declared"
            self.context.unknown("E2005", what, at, name, self.entities, place=self.context.span(at, key=True))
            return None
        if len(entity.key) > 1:
            what = f"`{shown}.{role}` is the entity `{name}`, whose key has {len(entity.key)} columns"
            self.context.report("E2061", what, at, key=True, expected="an entity with one column as its key")
            return None
        column = source.column(entity.key[0])
        if column is None:
            what = f"`{shown}` reads `{entity.key[0]}` of the entity `{name}`, which `sources.{source.name}` lacks"
            names = [one.name for one in source.columns]
            self.context.unknown("E2003", what, at, entity.key[0], names, place=self.context.span(at, key=True))
            return None
        return column.name
