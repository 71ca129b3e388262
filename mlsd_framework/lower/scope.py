"""What names mean where an expression stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.expressions import Expression, columns
from mlsd_framework.ir.features import FeatureGroup
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.serving import Stage, Value
from mlsd_framework.ir.sources import Column, Source
from mlsd_framework.ir.types import NULL, DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.base import ExpressionText
from mlsd_framework.spec.loading import Loc

T = TypeVar("T")


@dataclass
class NameScope:
    """Names with their types: `(qualifier or none, name)` to a type; `faulty` are declared, with faults."""

    types: dict[tuple[str | None, str], DataType] = field(default_factory=dict)
    faulty: frozenset[str] = frozenset()
    echoes: int = 0

    def add(self, qualifier: str | None, name: str, type_: DataType) -> None:
        """Let `qualifier.name`, or the bare `name`, mean a value of this type."""
        self.types[qualifier, name] = type_

    def lookup(self, qualifier: str | None, name: str) -> DataType | None:
        """Return the type of a name, or none where it means nothing here.

        A name of something declared with faults is taken as null, so that one fault is reported once.
        """
        if (qualifier or name) in self.faulty:
            self.echoes += 1
            return NULL
        return self.types.get((qualifier, name))

    def names(self) -> Iterable[str]:
        """Return every name as expressions write it."""
        return [name if qualifier is None else f"{qualifier}.{name}" for qualifier, name in self.types]


@dataclass
class GroupScope:
    """What the lowering of a kind of feature group may look at: its entity and its sources, which are known."""

    context: Context
    at: Loc
    entity: Entity
    sources: tuple[Source, ...]

    def column(self, source: Source, name: str, *at: str | int) -> Column | None:
        """Find a column of a source, written at `at` below the group; report a name that it does not have."""
        found = source.column(name)
        if found is None:
            what = f"`{'.'.join(str(part) for part in self.at)}` reads `{name}`, which `sources.{source.name}` lacks"
            self.context.unknown("E2003", what, (*self.at, *at), name, [one.name for one in source.columns])
        return found


@dataclass
class StageScope:
    """What a stage's lowering may look at: names, groups, models, the stages before it.

    `moment` is the column of the request that says when it happened, where it has one. `faulty` are the kinds of stages
    before it that have faults, and so are not among `before`.
    """

    context: Context
    at: Loc
    names: NameScope
    request: tuple[Value, ...]
    entities: Mapping[str, Entity]
    groups: Mapping[str, FeatureGroup]
    models: Mapping[str, Model]
    declared: Mapping[str, frozenset[str]]
    before: tuple[Stage, ...]
    faulty: frozenset[str] = frozenset()
    moment: Value | None = None
    retrievers: Mapping[str, Retriever] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    def retrieves(self, stage: str) -> bool:
        """Return whether there are candidates yet; report it where there are none."""
        if any(value.rows is not None for one in self.before for value in one.writes):
            return True
        if "retrieve" not in self.faulty:  # a faulty one has been reported already
            what = f"`{stage}` works on candidates, and no stage before it retrieves any"
            self.context.report("E2063", what, self.at, expected="`- retrieve: …` before it")
        return False

    def column_type(self, source: str, name: str) -> DataType | None:
        """Return the type of a column of a source, none where it has no such column."""
        column = self.sources[source].column(name) if source in self.sources else None
        return column.type if column is not None else None

    @property
    def rows(self) -> dict[str, Value]:
        """Return the values that each candidate has so far, by their dotted names."""
        return {value.dotted: value for stage in self.before for value in stage.writes if value.rows is not None}

    def expression(self, text: ExpressionText, *at: str | int) -> Expression | None:
        """Lower an expression of the stage, written at `at` below it."""
        return self.context.expression(text, (*self.at, *at), self.names)

    def group(self, name: str, *at: str | int) -> FeatureGroup | None:
        """Return a feature group by name; report it where it is not declared."""
        return self._find("feature group", name, self.groups, "features", "E2001", at)

    def model(self, name: str, *at: str | int) -> Model | None:
        """Return a model by name; report it where it is not declared."""
        return self._find("model", name, self.models, "models", "E2002", at)

    def retriever(self, name: str, *at: str | int) -> Retriever | None:
        """Return a model that finds candidates by name; report it where it is not declared, or finds none."""
        if name in self.models:
            what = (
                f"`{'.'.join(str(part) for part in self.at[:2])}` asks `models.{name}` for candidates, which finds none"
            )
            names = ", ".join(self.retrievers) or "a model such as `{kind: popularity, from: …}`"
            self.context.report("E2002", what, (*self.at, *at), expected=f"one of: {names}")
            return None
        return self._find("model", name, self.retrievers, "models", "E2002", at)

    def reads(self, *expressions: Expression | None, rows: str | None = None) -> tuple[Value, ...]:
        """Return the values that the expressions use, each once, at its first place; `rows` may be of a row set."""
        found: dict[str, Value] = {}
        for expression in expressions:
            for column in columns(expression) if expression is not None else ():
                value = Value(column.qualifier, column.name, column.type, column.span, rows)
                found.setdefault(value.dotted, value)
        return tuple(found.values())

    def _find(
        self, what: str, name: str, known: Mapping[str, T], section: str, code: str, at: tuple[str | int, ...]
    ) -> T | None:
        if name in known:
            return known[name]
        if name not in self.declared[section]:  # a declared one with faults has been reported already
            where = f"`{'.'.join(str(part) for part in self.at[:2])}` refers to {what} `{name}`, which is not declared"
            self.context.unknown(code, where, (*self.at, *at), name, self.declared[section])
        return None
