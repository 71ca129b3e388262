"""No leakage: the training set before a moment, made again with everything after that moment changed, is the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from mlsd_framework.runtime.features.dtypes import Value
from mlsd_framework.runtime.verify.parity import said
from mlsd_framework.runtime.verify.planting import Plant, planted
from mlsd_framework.runtime.verify.subject import Examples, Subject
from mlsd_framework.runtime.verify.thinning import thinned
from mlsd_framework.runtime.verify.values import plain

_CUTS = (0.5, 0.85)
_SHOWN = 50
_LABEL_AT = "__label_known"


@dataclass(frozen=True, slots=True)
class Leak:
    """A value of a row before the cut that a change after the cut has changed, or a row that it has removed."""

    column: str
    row: Mapping[str, object]
    moment: str
    cut: str
    before: Value
    after: Value


@dataclass(slots=True)
class Leakage:
    """What came of the plants: how many rows and columns were compared, what was planted, what has changed.

    `sample` says what part of the system was tried, where it is one. `held_out` is whether what has changed is what
    `cuts` name as held out, and not what is known from the moments `cuts` on.
    """

    rows: int = 0
    columns: int = 0
    sample: str = ""
    cuts: list[str] = field(default_factory=list)
    plants: list[Plant] = field(default_factory=list)
    leaking: int = 0
    leaks: list[Leak] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    held_out: bool = False

    @property
    def holds(self) -> bool:
        """Whether nothing before a cut has changed."""
        return not self.leaking


def leakage(subject: Subject, examples: Examples, seed: int = 3) -> tuple[Leakage, pl.DataFrame]:
    """Make the training set of a part of the log with and without the plants; return what differs, and that set."""
    frames, draw = thinned(subject, examples), np.random.default_rng(seed)
    rows = examples.make(*(frames[name].lazy() for name in examples.reads))
    result = Leakage(columns=rows.width)
    time = subject.log(examples.source).table.event_time
    if time is None:
        result.notes.append(f"`{examples.source}` has no event time: its rows have no order in which to leak")
        return result, rows
    for name in examples.reads:
        log = subject.log(name)
        if log.table.event_time is None:
            result.notes.append(f"`{name}` has no event time: nothing of it can be from the future")
        elif log.ingest_time is None:
            result.notes.append(f"`{name}` has no ingest time: a row counts as known when it happened")
    known = _with_label_times(rows, subject, examples, frames)
    stamps = rows.get_column(time).to_physical()
    for cut in sorted({int(stamps.quantile(part, "nearest") or 0) for part in _CUTS}):
        changed, plants = planted(subject, examples, frames, cut, draw)
        result.cuts.append(said(cut))
        result.plants += plants
        again = examples.make(*(changed[name].lazy() for name in examples.reads))
        _compare(known, again, subject, examples, cut, result)
    return result, rows


def _with_label_times(
    rows: pl.DataFrame, subject: Subject, examples: Examples, frames: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Put beside each example when its label was known: with itself, where nothing else is said."""
    own = str(subject.log(examples.source).table.event_time)
    reported = subject.log(examples.labels).table.event_time
    if examples.join is None or reported is None:
        return rows.with_columns(pl.col(own).alias(_LABEL_AT))
    times = frames[examples.labels].select(examples.join, pl.col(reported).alias(_LABEL_AT))
    return rows.join(times, on=examples.join, how="left", maintain_order="left")


def _compare(
    rows: pl.DataFrame, again: pl.DataFrame, subject: Subject, examples: Examples, cut: int, result: Leakage
) -> None:
    log = subject.log(examples.source)
    table, time = log.table, str(log.table.event_time)
    # A row that was written after the cut is itself from the future, whenever it happened.
    times = [name for name in (time, log.ingest_time) if name is not None]
    before = rows.filter(pl.all_horizontal(pl.col(name).to_physical() < cut for name in times))
    result.rows += before.height
    key = [name for name in table.key if name in rows.columns]
    names = [name for name in before.columns if name != _LABEL_AT]
    if key:
        there = again.with_columns(pl.lit(value=True).alias("__there"))
        beside = before.select(key).join(there, on=key, how="left", maintain_order="left")
    else:
        there = again.filter(pl.col(time).to_physical() < cut).with_columns(pl.lit(value=True).alias("__there"))
        beside = there.head(before.height)
    lost = beside.get_column("__there").is_null()
    shown = key or [time]
    if beside.height != before.height or lost.any():
        gone = before.filter(lost) if beside.height == before.height else before[beside.height :]
        result.leaking += abs(before.height - beside.height) + int(lost.sum())
        _show(gone, gone.clear(), "(row)", shown, time, cut, result)
        return
    for name in names:
        left, right = before.get_column(name), beside.get_column(name)
        differs = left.ne_missing(right)
        if name == examples.label:  # a label that is known after the cut is the future itself
            differs &= before.get_column(_LABEL_AT).to_physical().fill_null(cut) < cut
        if differs.any():
            result.leaking += int(differs.sum())
            _show(before.filter(differs), beside.filter(differs), name, shown, time, cut, result)


def _show(
    before: pl.DataFrame, after: pl.DataFrame, name: str, shown: Sequence[str], time: str, cut: int, result: Leakage
) -> None:
    moments = before.get_column(time).to_physical().to_list()
    for at, row in enumerate(before.select(shown).head(5).iter_rows(named=True)):
        if len(result.leaks) >= _SHOWN:
            return
        old = plain(before.select(name))[at][0] if name in before.columns else "there"
        new = plain(after.select(name))[at][0] if name in after.columns and after.height else "gone"
        result.leaks.append(
            Leak(name, {key: str(value) for key, value in row.items()}, said(moments[at]), said(cut), old, new)
        )
