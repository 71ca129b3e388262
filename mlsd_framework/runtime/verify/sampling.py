"""The questions that every home of a group is asked: some keys with all their events, and moments of every kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.features.windows import WindowGroup
from mlsd_framework.runtime.verify import moments as at
from mlsd_framework.runtime.verify.made_rows import at_edges, is_countable, new_values, ordinary, with_own_keys
from mlsd_framework.runtime.verify.subject import Log, Stored, Subject

MOMENT, CASE = "__moment", "__case"
_KEYS = 28
_EVENTS = 4_000
_OTHERS = 50_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A part of a group's log with every event of its keys, and what is asked of it.

    `rows` are the source's, as a stream gives them; `events` have the values that aggregates read; `others` are the
    further sources of a derived group. `questions` have
    the entity's columns, a MOMENT in microseconds and the CASE that it stands for, in order of the moments.
    """

    stored: Stored
    log: Log
    rows: pl.DataFrame
    events: pl.DataFrame
    questions: pl.DataFrame
    made: int
    others: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def frames(self) -> pl.DataFrame | dict[str, pl.DataFrame]:
        """What materialisation takes: the events, or for a derived group every source that it reads."""
        derived = isinstance(self.stored.group, DerivedGroup)
        return {self.log.name: self.events, **self.others} if derived else self.events

    @property
    def keys(self) -> list[tuple[object, ...]]:
        """The key of each question."""
        return self.questions.select(self.stored.group.entity).rows()

    @property
    def moments(self) -> list[int]:
        """The moment of each question, in microseconds UTC."""
        return self.questions.get_column(MOMENT).to_list()


def sampled(subject: Subject, stored: Stored, rows: int, seed: int = 0) -> Sample:
    """Draw keys and questions, about `rows` of them; the same seed gives the same sample."""
    draw = np.random.default_rng(seed)
    log, group = subject.log(stored.reads[0]), stored.group
    keys = _keys(log.rows, group.entity, draw)
    part = log.rows.join(keys, on=group.entity, how="semi", maintain_order="left")
    made = 0
    others: dict[str, pl.DataFrame] = {}
    if isinstance(group, ColumnGroup):
        grid = at.of_table(part, group, draw)
        events = part
    elif isinstance(group, DerivedGroup):
        grid = at.of_snapshots(part, group)
        events = part
        others = {name: subject.log(name).rows.head(_OTHERS) for name in stored.reads[1:]}
    elif stored.live:
        added = with_own_keys(ordinary(part, log, group, draw), log)
        part, made, grid = pl.concat([part, added]), added.height, ()
        events = _events(part, subject, stored)
    else:
        grid = at.grid(part, group)
        events = _events(part, subject, stored)
        added = with_own_keys(
            pl.concat([ordinary(events, log, group, draw), at_edges(events, log, group, grid, draw)]), log
        )
        events, made = pl.concat([events, added]), added.height
    asked = _questions(events, stored, grid, rows, draw)
    return Sample(stored, log, part, events, asked, made, others)


def _events(part: pl.DataFrame, subject: Subject, stored: Stored) -> pl.DataFrame:
    return stored.events(*(rows.lazy() for rows in (part, *subject.frames(stored.reads[1:])))).collect()


def _keys(rows: pl.DataFrame, entity: Sequence[str], draw: np.random.Generator) -> pl.DataFrame:
    """Return the busiest key that is not too busy, the quietest ones, and others at random."""
    counted = rows.group_by(entity).len("__number").drop_nulls(entity).sort("__number", *entity)
    counted = counted.filter(pl.col("__number") <= _EVENTS)
    number = counted.height
    if not number:
        return rows.select(entity).clear()
    chosen = {number - 1, *range(min(3, number)), *draw.integers(0, number, _KEYS).tolist()}
    taken = counted[sorted(chosen, reverse=True)]
    return taken.filter(pl.col("__number").cum_sum() <= 4 * _EVENTS).select(entity)


def _questions(
    events: pl.DataFrame, stored: Stored, grid: Sequence[int], rows: int, draw: np.random.Generator
) -> pl.DataFrame:
    group = stored.group
    if stored.live and isinstance(group, WindowGroup):
        asked = at.around_events(events, group, rows, draw)
    else:
        asked = at.on_grid(events, group, grid, rows, draw)
    some = asked.get_column(MOMENT).to_list() or [0]
    strangers = [
        _stranger(asked, events, group.entity, some, draw),
        _without_key(asked, events, group.entity, some, draw),
    ]
    asked = pl.concat([asked, *(one for one in strangers if one is not None)])
    return asked.sort(MOMENT, maintain_order=True)


def _stranger(
    asked: pl.DataFrame, events: pl.DataFrame, entity: Sequence[str], some: list[int], draw: np.random.Generator
) -> pl.DataFrame | None:
    """Return questions about keys that the log does not have."""
    name = next((one for one in entity if is_countable(events.schema[one])), None)
    if name is None or not asked.height:
        return None
    taken: list[int] = draw.integers(0, asked.height, 12).tolist()
    picked = asked[taken]
    known = events.get_column(name)
    if known.dtype.is_integer() and (known.max() or 0) > 2**62:  # type: ignore[operator] # integers
        return None
    return picked.with_columns(
        new_values(known, picked.height),
        pl.Series(MOMENT, draw.choice(some, picked.height), pl.Int64),
        pl.lit("unseen key").alias(CASE),
    )


def _without_key(
    asked: pl.DataFrame, events: pl.DataFrame, entity: Sequence[str], some: list[int], draw: np.random.Generator
) -> pl.DataFrame | None:
    """Return questions whose key, or a part of it, is null."""
    if not asked.height:
        return None
    parts: list[pl.DataFrame] = []
    for name in entity:
        taken: list[int] = draw.integers(0, asked.height, 4).tolist()
        picked = asked[taken]
        parts.append(
            picked.with_columns(
                pl.lit(None, events.schema[name]).alias(name),
                pl.Series(MOMENT, draw.choice(some, picked.height), pl.Int64),
                pl.lit("null key").alias(CASE),
            )
        )
    return pl.concat(parts)
