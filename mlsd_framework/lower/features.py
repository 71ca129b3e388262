"""Lower `features`: window groups, table groups, and request groups in order of need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.features import Aggregate, Feature, FeatureGroup, TableGroup, WindowGroup, window_label
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.sources import Column, Source
from mlsd_framework.ir.types import INTEGERS, DataType
from mlsd_framework.lower.aggregates import TypedAggregate, lower_aggregate
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.derived_features import DerivedGroups
from mlsd_framework.lower.kinds import AggregateLowering, GroupLowering
from mlsd_framework.lower.request import check_descriptions, expand_columns
from mlsd_framework.lower.request_features import RequestGroups
from mlsd_framework.lower.scope import NameScope
from mlsd_framework.spec.derived import DerivedGroupSpec
from mlsd_framework.spec.features import FeatureGroupSpec
from mlsd_framework.spec.quantities import write_duration

if TYPE_CHECKING:
    from mlsd_framework.spec.loading import Loc

Windows = tuple[timedelta | None, ...]

_SHORTEST: Final = timedelta(milliseconds=1)


@dataclass
class FeatureLowering:
    """What groups are built from, and the groups built so far."""

    sources: Mapping[str, Source]
    declared_sources: frozenset[str]
    entities: Mapping[str, Entity]
    label: Label | None
    aggregates: Mapping[str, AggregateLowering]
    context: Context
    kinds: Mapping[str, GroupLowering] = field(default_factory=dict)
    groups: dict[str, FeatureGroup] = field(default_factory=dict)

    def lower(self, specs: Mapping[str, FeatureGroupSpec | DerivedGroupSpec]) -> dict[str, FeatureGroup]:
        """Return the groups that have no faults, in the order of the file."""
        derived = DerivedGroups(self.sources, self.declared_sources, self.kinds, self._entity, self.context)
        for name, spec in specs.items():
            if isinstance(spec, DerivedGroupSpec):
                group: FeatureGroup | None = derived.lower(name, spec)
            else:
                group = None if spec.at == "request" else self._stored(name, spec)
            if group is not None:
                self.groups[name] = group
        own = {name: spec for name, spec in specs.items() if isinstance(spec, FeatureGroupSpec)}
        requests = RequestGroups(own, self.sources, self.label, self.groups, self.context)
        for name, spec in own.items():
            if spec.at == "request" and self._source(name, spec) is not None:
                requests.lower(name)
        return {name: self.groups[name] for name in specs if name in self.groups}

    def _stored(self, name: str, spec: FeatureGroupSpec) -> FeatureGroup | None:
        at: Loc = ("features", name)
        source = self._source(name, spec)
        entity = self._entity(name, spec, source)
        if spec.compute:
            self.context.report(
                "E2042",
                f"`features.{name}` computes expressions but is not `at: request`",
                (*at, "compute"),
                key=True,
                expected="`at: request`",
            )
        if bool(spec.aggregate) == bool(spec.columns):
            how = "both" if spec.aggregate else "neither"
            self.context.report(
                "E2042",
                f"`features.{name}` has {how} of `aggregate` and `columns`",
                at,
                key=True,
                expected="one of the two",
            )
            return None
        if source is None or entity is None:
            return None
        return self._windows(name, spec, source, entity) if spec.aggregate else self._table(name, spec, source, entity)

    def _source(self, name: str, spec: FeatureGroupSpec) -> Source | None:
        at: Loc = ("features", name)
        if spec.source is None:
            self.context.report(
                "E2042",
                f"`features.{name}` does not say where its values come from",
                at,
                key=True,
                expected="`from:` with the name of a source",
            )
            return None
        if spec.source not in self.sources and spec.source not in self.declared_sources:
            what = f"`features.{name}` refers to source `{spec.source}`, which is not declared"
            self.context.unknown("E2004", what, (*at, "from"), spec.source, self.declared_sources)
        return self.sources.get(spec.source)

    def _entity(self, name: str, spec: FeatureGroupSpec | DerivedGroupSpec, source: Source | None) -> Entity | None:
        at: Loc = ("features", name, "entity")
        if spec.entity is None:
            self.context.report(
                "E2042",
                f"`features.{name}` does not say what it is about",
                at[:2],
                key=True,
                expected="`entity:`, or `at: request`",
            )
            return None
        if unknown := [one for one in spec.entity if one not in self.entities]:
            what = f"`features.{name}` refers to entity `{unknown[0]}`, which is not declared"
            self.context.unknown("E2005", what, at, unknown[0], self.entities)
            return None
        key = tuple(dict.fromkeys(column for one in spec.entity for column in self.entities[one].key))
        for column in key:
            if source is not None and source.column(column) is None:
                what = f"the entity of `features.{name}` is known by `{column}`, which `sources.{source.name}` lacks"
                self.context.unknown(
                    "E2003", what, at, column, [one.name for one in source.columns], once=spec.entity[0]
                )
                return None
            found = source.column(column) if source is not None else None
            if found is not None and not _is_key(found.type):
                what = f"the entity of `features.{name}` is known by `{column}` of type `{found.type}`"
                self.context.report("E2031", what, at, expected="text, a whole number or a bool")
                return None
        return Entity("_".join(spec.entity), key)

    def _windows(self, name: str, spec: FeatureGroupSpec, source: Source, entity: Entity) -> WindowGroup | None:
        at: Loc = ("features", name)
        before = len(self.context.faults)
        if source.event_time is None:
            self.context.report(
                "E2031",
                f"`features.{name}` has windows over `{source.name}`, which has no `event_time`",
                (*at, "from"),
                expected="a source of events",
            )
        if not spec.windows:
            self.context.report(
                "E2042",
                f"`features.{name}` aggregates over no windows",
                (*at, "aggregate"),
                key=True,
                expected="`windows: [1d, 7d]`",
            )
        windows = tuple(None if window == "lifetime" else window for window in spec.windows)
        for index, window in enumerate(windows):
            if window is not None and (window <= timedelta(0) or window % _SHORTEST):
                what = f"a window of `features.{name}` is empty or no whole number of milliseconds"
                self.context.report("E2032", what, (*at, "windows", index), expected="1ms or more")
            if window in windows[:index]:
                self.context.report("E2010", f"`features.{name}` names a window twice", (*at, "windows", index))
        scope = self._event_scope(source)
        lowered = [
            lower_aggregate(name, key, text, scope, self.aggregates, self.context)
            for key, text in spec.aggregate.items()
        ]
        found = [one for one in lowered if one is not None]
        if len(self.context.faults) > before:
            return None
        features = tuple(self._window_features(entity.name, spec, found, windows))
        twice = [one.name for index, one in enumerate(features) if one.name in {two.name for two in features[:index]}]
        if twice:
            what = f"two aggregates of `features.{name}` give the feature `{twice[0]}`"
            self.context.report("E2010", what, (*at, "aggregate"), key=True, help="give one of them another name")
        check_descriptions(name, spec, [*spec.aggregate, *(one.name for one in features)], self.context)
        return WindowGroup(
            name, entity.name, entity.key, source.name, windows, tuple(one.aggregate for one in found),
            spec.refresh, spec.delay or timedelta(0), features, self._resolution(name, spec),
            source.stream is not None and spec.refresh is None, self.context.span(at, key=True),
        )  # fmt: skip

    def _resolution(self, name: str, spec: FeatureGroupSpec) -> timedelta | None:
        if not isinstance(spec.resolution, timedelta):
            return None
        shortest = min((window for window in spec.windows if isinstance(window, timedelta)), default=None)
        if spec.resolution <= timedelta(0) or (shortest is not None and spec.resolution > shortest):
            limit = f"at most {write_duration(shortest)}, its shortest window" if shortest is not None else "above 0"
            what = f"the resolution of `features.{name}` is {write_duration(spec.resolution)}"
            self.context.report("E2032", what, ("features", name, "resolution"), expected=limit)
        return spec.resolution

    def _window_features(
        self, entity: str, spec: FeatureGroupSpec, found: list[TypedAggregate], windows: Windows
    ) -> Iterator[Feature]:
        for one in found:
            for window in windows:
                full = f"{one.aggregate.name}_{window_label(window)}"
                words = (
                    spec.describe.get(full)
                    or spec.describe.get(one.aggregate.name)
                    or _in_words(one.aggregate, entity, window)
                )
                yield Feature(full, one.type, words, one.aggregate.span)

    def _event_scope(self, source: Source) -> NameScope:
        scope = NameScope()
        for column in source.columns:
            scope.add(None, column.name, column.type)
        if self.label is not None and self.label.of == source.name:
            scope.add(None, self.label.name, self.label.type.or_null() if self.label.join else self.label.type)
        known = {column.name for column in source.columns}
        for group in self.groups.values():  # a second pass: what groups above say of the event's own moment
            if isinstance(group, WindowGroup | TableGroup) and known.issuperset(group.key):
                for feature in group.features:
                    scope.add(group.name, feature.name, feature.type)
        return scope

    def _table(self, name: str, spec: FeatureGroupSpec, source: Source, entity: Entity) -> TableGroup | None:
        for key in ("windows", "refresh", "delay", "resolution"):
            if getattr(spec, key) and key in spec.model_fields_set:
                what = f"`features.{name}` takes columns as they are and has `{key}`"
                self.context.report("E2042", what, ("features", name, key), key=True, expected="`columns` alone")
        columns = expand_columns(name, spec, source, self.context)
        if columns is None:
            return None
        check_descriptions(name, spec, columns, self.context)
        features = tuple(self._table_feature(name, spec, source.columns, column) for column in columns)
        return TableGroup(
            name,
            entity.name,
            entity.key,
            source.name,
            columns,
            features,
            self.context.span(("features", name), key=True),
        )

    def _table_feature(self, group: str, spec: FeatureGroupSpec, columns: tuple[Column, ...], name: str) -> Feature:
        column = next(one for one in columns if one.name == name)
        words = spec.describe.get(name) or column.describe or name.replace("_", " ")
        at: Loc = ("features", group, "columns")
        written = spec.columns.index(name) if name in spec.columns else None
        span = self.context.span((*at, written)) if written is not None else self.context.span(at, key=True)
        return Feature(name, column.type.or_null(), words, span)


def _is_key(type_: DataType) -> bool:
    return type_.text or type_.name == "bool" or type_.name in INTEGERS


def _in_words(aggregate: Aggregate, entity: str, window: timedelta | None) -> str:
    """Say a windowed feature in words: `spend mean of the card in 7 days`."""
    span = "ever" if window is None else f"in {_length_in_words(window)}"
    return f"{aggregate.name.replace('_', ' ')} of the {entity.replace('_', ' ')} {span}"


def _length_in_words(length: timedelta) -> str:
    seconds = length.total_seconds()
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"
