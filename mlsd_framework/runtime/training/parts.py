"""Parts of a log: what is known in each, and which events say what comes of its requests.

A part of time is a moment: known is what was before it, and what comes is what happens within a horizon after. A part
of chance is a fold: the events that are held out are what comes, and known are events that are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.interactions import Interactions

PartName = Literal["train", "validate", "test"]
_ROW = "__row"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment and the `horizon` behind it, in microseconds (UTC), and what its requests are for."""

    at: int
    name: PartName
    horizon: int

    def known(self, log: Interactions) -> Interactions:
        """Return what was known at the moment, as a log of its own."""
        return log.as_of(self.at)

    def came(self, log: Interactions) -> NDArray[np.bool_]:
        """Return whether each event says what comes of a request: [events]."""
        return (log.times >= self.at) & (log.times < self.at + self.horizon)


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments `every` so often, the last one `within` before the end of the log, so that all outcomes are known.

    The last is for the test, the one before it for validation, the others for training. Outcomes of a moment are those
    of `[moment, moment + within)`; `every` is at least as long, so that no part sees another's.
    """

    count: int
    within: timedelta
    every: timedelta

    def of(self, log: Interactions) -> Iterator[Moment]:
        """Yield them in the order of time; raises RunError E6245 where the log is too short for them."""
        end = int(log.times[-1]) + 1 if len(log.times) else 0
        first = end - self.horizon - (self.count - 1) * round(self.every / timedelta(microseconds=1))
        if not len(log.times) or first <= log.times[0]:
            days = (end - int(log.times[0])) / 86_400_000_000 if len(log.times) else 0.0
            raise RunError.of(
                "E6245",
                f"the log is {days:.0f} days long, and {self.count} moments begin before it does",
                help="take fewer `moments`, or an older log",
            )
        step = round(self.every / timedelta(microseconds=1))
        for place, name in enumerate(_names(self.count)):
            yield Moment(first + place * step, name, self.horizon)

    @property
    def horizon(self) -> int:
        """How long outcomes count, in microseconds."""
        return round(self.within / timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Fold:
    """Events by their number: the `held` are what comes, the `hidden`, `held` among them, are not known.

    Requests are made at the moment `at`, in microseconds (UTC), when the log is over.
    """

    at: int
    name: PartName
    held: NDArray[np.int64]
    hidden: NDArray[np.int64]
    row: str | None = None

    def known(self, log: Interactions) -> Interactions:
        """Return the events that are not hidden, as a log of its own."""
        return log.where(~_among(log, self.hidden))

    def came(self, log: Interactions) -> NDArray[np.bool_]:
        """Return whether each event is held out: [events]."""
        return _among(log, self.held)

    def known_events(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """Return the rows of the log's source that are not hidden."""
        hidden = pl.Series(self.hidden)
        if self.row is not None:
            return events.filter(~pl.col(self.row).is_in(hidden.implode()))
        return events.with_row_index(_ROW).filter(~pl.col(_ROW).cast(pl.Int64).is_in(hidden.implode())).drop(_ROW)


@dataclass(frozen=True, slots=True)
class HoldOut:
    """A share of the events of each user, or item, is the test; `folds` parts of the rest are held out in turn.

    The test is drawn as `python_stratified_split` of the Recommenders project draws it: of the events in the order of
    their numbers. `row` is the column of the source that has these numbers; without one they are places in it.
    """

    share: float
    by: Literal["user", "item"]
    folds: int
    seed: int
    row: str | None = None

    def of(self, log: Interactions) -> Iterator[Fold]:
        """Yield the folds, the last one for validation, and then the test; raises RunError E6245 as `test` does."""
        tested = self._tested(log)
        fold_of = self._fold_of(log, tested)
        for fold in range(self.folds):
            held = fold_of == fold
            yield self._fold(log, "validate" if fold == self.folds - 1 else "train", held, held | tested)
        yield self._fold(log, "test", tested, tested)

    def test(self, log: Interactions) -> Fold:
        """Return what is held out of everything; raises RunError E6245 where that, or the rest, would be nothing."""
        tested = self._tested(log)
        return self._fold(log, "test", tested, tested)

    def _tested(self, log: Interactions) -> NDArray[np.bool_]:
        drawn = np.random.RandomState(self.seed).random_sample(len(log.times))
        counts, places = self._dealt(log, drawn, np.ones(len(log.times), np.bool_))
        tested = places >= np.round(round(1 - self.share, 12) * counts)
        rest = len(tested) - int(tested.sum())
        if not tested.any() or rest < self.folds:
            raise RunError.of(
                "E6245",
                f"{len(tested) - rest:,} events are held out, and {rest:,} left for {self.folds} folds",
                help="take another `share`, fewer `folds`, or a longer log",
            )
        return tested

    def _fold_of(self, log: Interactions, tested: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the fold of each event, -1 for those of the test: as even as can be for each user, or item."""
        draw = np.random.default_rng([self.seed, 1])
        _, places = self._dealt(log, draw.random(len(log.times)), ~tested)
        # Without a place to begin at of its own, whoever has few events would have none in the last folds.
        first = draw.integers(0, self.folds, max(log.user_count, log.item_count))
        return np.where(tested, -1, (places + first[self._stratum(log)]) % self.folds)

    def _dealt(
        self, log: Interactions, drawn: NDArray[np.float64], taken: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many of the events taken are of the same stratum, and the place of each in it by what was drawn.

        The first number drawn is of the first event in the order of their numbers. Events not taken come last.
        """
        stratum = self._stratum(log)
        by_number = np.argsort(_numbers(log), kind="stable")
        number = np.empty(len(drawn))
        number[by_number] = drawn
        order = np.lexsort((number, ~taken, stratum))
        begins = np.searchsorted(stratum[order], np.arange(stratum.max(initial=-1) + 1))
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order)) - begins[stratum[order]]
        counts: NDArray[np.int64] = np.bincount(stratum[taken], minlength=len(begins))
        return counts[stratum], places

    def _stratum(self, log: Interactions) -> NDArray[np.int32]:
        return log.users if self.by == "user" else log.items

    def _fold(self, log: Interactions, name: PartName, held: NDArray[np.bool_], hidden: NDArray[np.bool_]) -> Fold:
        numbers, times = _numbers(log), [log.times, *([] if log.written is None else [log.written])]
        at = max(int(one.max()) for one in times) + 1
        return Fold(at, name, np.sort(numbers[held]), np.sort(numbers[hidden]), self.row)


Part = Moment | Fold
Parts = Moments | HoldOut


def _names(count: int) -> Iterator[PartName]:
    """Yield what each of some parts in order is for."""
    for _ in range(count - 2):
        yield "train"
    yield "validate"
    yield "test"


def _among(log: Interactions, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.isin(_numbers(log), numbers)


def _numbers(log: Interactions) -> NDArray[np.int64]:
    if log.rows is None:
        raise ValueError("the events of the log have no numbers")
    return log.rows
