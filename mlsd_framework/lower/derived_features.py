"""Lower feature groups with a `kind`: their sources and entity are resolved here, the rest by the kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.features import DerivedGroup, Feature
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.types import DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.kinds import DerivedFeature, GroupDraft, GroupLowering
from mlsd_framework.lower.request import check_descriptions
from mlsd_framework.lower.scope import GroupScope
from mlsd_framework.spec.derived import DerivedGroupSpec

if TYPE_CHECKING:
    from mlsd_framework.spec.loading import Loc

FindEntity = Callable[[str, DerivedGroupSpec, Source | None], Entity | None]


@dataclass(frozen=True)
class DerivedGroups:
    """What groups with a `kind` are built from; `entity` finds a group's entity in its first source."""

    sources: Mapping[str, Source]
    declared_sources: frozenset[str]
    kinds: Mapping[str, GroupLowering]
    entity: FindEntity
    context: Context

    def lower(self, name: str, spec: DerivedGroupSpec) -> DerivedGroup | None:
        """Return the group, or none where it has faults."""
        at: Loc = ("features", name)
        before = len(self.context.faults)
        sources = [self._source(name, spec, index) for index in range(len(spec.sources))]
        self._lengths(name, spec)
        found = tuple(source for source in sources if source is not None)
        entity = self.entity(name, spec, sources[0])
        if entity is None or len(found) < len(sources) or len(self.context.faults) > before:
            return None
        kind = self.kinds[spec.kind]
        draft = kind.lower(spec, GroupScope(self.context, at, entity, found))
        if draft is None or len(self.context.faults) > before:
            return None
        check_descriptions(name, spec, [one.name for one in draft.features], self.context)
        return DerivedGroup(
            name=name,
            kind=kind.name,
            entity=entity.name,
            key=entity.key,
            readings=draft.readings,
            function=kind.function,
            settings=draft.settings,
            window=draft.window,
            refresh=spec.refresh,
            delay=spec.delay or timedelta(0),
            features=self._features(name, spec, draft),
            defaults=tuple(one.default for one in draft.features),
            span=self.context.span(at, key=True),
        )

    def _source(self, name: str, spec: DerivedGroupSpec, index: int) -> Source | None:
        wanted = spec.sources[index]
        at: Loc = ("features", name, "from", index)
        if wanted in spec.sources[:index]:
            self.context.report("E2010", f"`features.{name}` names the source `{wanted}` twice", at)
        if wanted not in self.sources and wanted not in self.declared_sources:
            what = f"`features.{name}` refers to source `{wanted}`, which is not declared"
            self.context.unknown("E2004", what, at, wanted, self.declared_sources)
        source = self.sources.get(wanted)
        if source is not None and source.event_time is None:
            what = f"`features.{name}` makes snapshots of `{wanted}`, which has no `event_time`"
            self.context.report("E2031", what, at, expected="a source of events")
        return source

    def _lengths(self, name: str, spec: DerivedGroupSpec) -> None:
        if spec.refresh <= timedelta(0):
            what = f"`features.{name}` makes snapshots without time between them"
            self.context.report("E2032", what, ("features", name, "refresh"), expected="a length such as `1d`")

    def _features(self, name: str, spec: DerivedGroupSpec, draft: GroupDraft) -> tuple[Feature, ...]:
        where = self.context.span(("features", name), key=True)
        return tuple(
            Feature(
                one.name, _type(one), spec.describe.get(one.name) or one.describe or one.name.replace("_", " "), where
            )
            for one in draft.features
        )


def _type(one: DerivedFeature) -> DataType:
    return one.type.or_null() if one.default is None else one.type.not_null()
