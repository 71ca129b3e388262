"""What is proved: a system's logs, its stored groups, its examples and its expressions, as its script declares them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.features.materialisation import Group
from mlsd_framework.runtime.features.windows import WindowGroup, column_names
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.training.impressions import Impressions
from mlsd_framework.runtime.training.parts import Parts

Events = Callable[..., pl.LazyFrame]
"""A function of whole sources, in a declared order."""

Frames = Callable[..., pl.DataFrame]
"""The same, for what is in memory in the end."""

Row = dict[str, Any]
"""One row of the training set, moments and lengths of time as microseconds."""


@dataclass(frozen=True, slots=True)
class Log:
    """The rows of a source as they were read and checked."""

    table: SourceTable
    rows: pl.DataFrame
    ingest_time: str | None = None

    @property
    def name(self) -> str:
        """The source's name."""
        return self.table.name


@dataclass(frozen=True, slots=True)
class Stored:
    """A group that the online store keeps; `events` makes its events of the sources `reads`, its own the first.

    `live` is the source with its live groups as the updater has it, where the group is one of them.
    """

    group: Group
    reads: tuple[str, ...]
    events: Events = lambda rows, *_: rows
    live: LiveSource | None = None

    @property
    def name(self) -> str:
        """The group's name."""
        return self.group.name

    @property
    def features(self) -> tuple[str, ...]:
        """The names of its features, in order."""
        match self.group:
            case WindowGroup():
                return column_names(self.group)
            case DerivedGroup():
                return tuple(column.name for column in self.group.columns)
        return self.group.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """How the training set is made of the sources `reads`: its rows are those of `source` whose `label` is known.

    `labels` is the source that says the label, by the column `join` where it is another one.
    """

    make: Frames
    reads: tuple[str, ...]
    source: str
    label: str
    labels: str
    join: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """The source of what users were shown, and how it is read."""

    source: str
    impressions: Impressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """How examples of a ranker are made of the sources `reads`: `make(*sources, part)` for the requests of one part.

    The events of `source` say which `user` met which `item`, and by `label` whether a candidate is met by what comes of
    a request, as `parts` has it. `fitted` names what is fitted anew for each. With `shown` the requests of training and
    validation are those of a log of impressions.
    """

    make: Frames
    reads: tuple[str, ...]
    source: str
    user: str
    item: str
    label: str
    parts: Parts
    fitted: tuple[str, ...]
    shown: Shown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expressions:
    """What a request computes, in its two homes; `inputs` are the columns that it is computed from.

    `inputs` say which may be null. `frame` adds the columns `outputs` to rows, `request` adds them to one row.
    """

    inputs: Mapping[str, bool]
    outputs: tuple[str, ...]
    frame: Callable[[pl.DataFrame], pl.DataFrame]
    request: Callable[[Row], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A system as its script declares it.

    `definitions` is the fingerprint of its sources, entities, features and label, `features` that of what is stored.
    """

    system: str
    definitions: str
    features: str
    logs: tuple[Log, ...]
    stored: tuple[Stored, ...] = ()
    examples: Examples | None = None
    candidates: Candidates | None = None
    expressions: Expressions | None = None

    @property
    def entities(self) -> frozenset[str]:
        """The columns that make the keys of all entities."""
        return frozenset(name for one in self.stored for name in one.group.entity)

    def log(self, name: str) -> Log:
        """Return a source that is known to exist."""
        return next(one for one in self.logs if one.name == name)

    def frames(self, names: Sequence[str], changed: Mapping[str, pl.DataFrame] | None = None) -> list[pl.DataFrame]:
        """Return the rows of sources in order; those of `changed` in place of theirs."""
        return [(changed or {}).get(name, self.log(name).rows) for name in names]
