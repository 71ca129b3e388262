"""Lower request groups: expressions over the request, over fetched features, and over each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlsd_framework.ir.features import Computed, Feature, FeatureGroup, RequestGroup
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.types import NULL, DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.request import check_descriptions, expand_columns, request_columns
from mlsd_framework.spec.features import FeatureGroupSpec

if TYPE_CHECKING:
    from mlsd_framework.spec.loading import Loc

Name = tuple[str, str]


@dataclass
class RequestGroups:
    """All request groups at once: a feature is lowered when another one first needs its type."""

    specs: Mapping[str, FeatureGroupSpec]
    sources: Mapping[str, Source]
    label: Label | None
    groups: dict[str, FeatureGroup]
    context: Context
    done: dict[Name, Computed | None] = field(default_factory=dict)
    open: list[Name] = field(default_factory=list)
    echoes: int = 0

    def lower(self, group: str) -> None:
        """Lower the group `group` and put it among `groups` where it has no faults."""
        spec, at = self.specs[group], ("features", group)
        source = self.sources[spec.source or ""]
        for key in ("entity", "windows", "aggregate", "refresh", "delay"):
            if getattr(spec, key):
                self.context.report(
                    "E2042",
                    f"`features.{group}` is `at: request` and has `{key}`",
                    (*at, key),
                    key=True,
                    expected="`columns` and `compute`",
                )
        if not spec.columns and not spec.compute:
            self.context.report(
                "E2042",
                f"`features.{group}` has neither `columns` nor `compute`",
                at,
                key=True,
                expected="one of the two, or both",
            )
        taken = expand_columns(group, spec, source, self.context)
        for name in spec.compute:
            if taken is not None and name in taken:
                what = f"`features.{group}` takes the column `{name}` and computes `{name}`"
                help_ = "give what is computed another name"
                self.context.report("E2010", what, (*at, "compute", name), key=True, help=help_)
                return
        computed = [self._computed((group, name)) for name in spec.compute]
        if taken is None or any(one is None for one in computed):
            return
        allowed = {column.name for column in request_columns(source, self.label)}
        for index, column in enumerate(taken):
            if column not in allowed and not any("*" in pattern for pattern in spec.columns):
                what = f"`features.{group}` takes the column `{column}`, which is not known when the request comes"
                self.context.report("E2102", what, (*at, "columns", index))
        kept = tuple(column for column in taken if column in allowed)
        check_descriptions(group, spec, [*kept, *spec.compute], self.context)
        ordered = [self.done[name] for name in self.done if name[0] == group]
        features = [self._column_feature(spec, source, column) for column in kept]
        features += [self._computed_feature(spec, one) for one in computed if one is not None]
        self.groups[group] = RequestGroup(
            group,
            source.name,
            kept,
            tuple(one for one in ordered if one is not None),
            tuple(features),
            self.context.span(at, key=True),
        )

    def lookup(self, qualifier: str | None, name: str) -> DataType | None:
        """Return the type of a name inside the expression that is being lowered."""
        group = self.open[-1][0]
        spec = self.specs[group]
        if qualifier is None or qualifier == group:
            if name in spec.compute:
                return self._type((group, name))
            source = self.sources[spec.source or ""]
            return next((column.type for column in request_columns(source, self.label) if column.name == name), None)
        other = self.specs.get(qualifier)
        if other is not None and other.at == "request":
            return self._type((qualifier, name)) if name in other.compute else None
        if other is not None and qualifier not in self.groups:
            self.echoes += 1
            return NULL  # declared with faults, which have been reported
        stored = self.groups.get(qualifier)
        return next((feature.type for feature in stored.features if feature.name == name), None) if stored else None

    def names(self) -> list[str]:
        """Return every name that could be meant there."""
        group = self.open[-1][0]
        spec = self.specs[group]
        bare = [column.name for column in request_columns(self.sources[spec.source or ""], self.label)] + list(
            spec.compute
        )
        return bare + [f"{one.name}.{feature.name}" for one in self.groups.values() for feature in one.features]

    def _type(self, name: Name) -> DataType:
        computed = self._computed(name)
        if computed is None:
            self.echoes += 1
            return NULL
        return computed.expression.type

    def _computed(self, name: Name) -> Computed | None:
        if name in self.done:
            return self.done[name]
        at: Loc = ("features", name[0], "compute", name[1])
        if name in self.open:
            ring = [*self.open[self.open.index(name) :], name]
            source = self.sources.get(self.specs[name[0]].source or "")
            hidden = len(ring) == 2 and source is not None and source.column(name[1]) is not None  # noqa: PLR2004 - itself
            self.context.report(
                "E2007",
                "features compute each other in a circle: " + " → ".join(f"`{g}.{n}`" for g, n in ring),
                at,
                key=True,
                help=f"`{name[1]}` means the feature there, not the column; name it otherwise" if hidden else None,
            )
            return None
        self.open.append(name)
        before = len(self.context.faults)
        expression = self.context.expression(self.specs[name[0]].compute[name[1]], at, self)
        self.open.pop()
        found = (
            Computed(name[1], expression, self.context.span(at, key=True))
            if expression and len(self.context.faults) == before
            else None
        )
        self.done[name] = found
        return found

    def _column_feature(self, spec: FeatureGroupSpec, source: Source, name: str) -> Feature:
        column = source.column(name)
        if column is None:
            raise KeyError(name)
        return Feature(
            name, column.type, spec.describe.get(name) or column.describe or name.replace("_", " "), column.span
        )

    def _computed_feature(self, spec: FeatureGroupSpec, one: Computed) -> Feature:
        return Feature(
            one.name, one.expression.type, spec.describe.get(one.name) or one.name.replace("_", " "), one.span
        )
