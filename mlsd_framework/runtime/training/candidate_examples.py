"""Examples of a ranker: the candidates that retrieval returns at moments of the past, and what came of them.

A moment's sources of candidates are fitted on what was before it, and its features are as of it. A candidate's label is
true where its user has an event with it within the horizon after the moment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Interactions

Part = Literal["train", "validate", "test"]
AT = "at"
REQUEST = "request"
PART = "part"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in microseconds UTC, and the part that its requests belong to."""

    at: int
    part: Part


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
        parts: list[Part] = [*(["train"] * (self.count - 2)), "validate", "test"]  # type: ignore[list-item] # literals
        yield from (Moment(first + place * step, part) for place, part in enumerate(parts))

    @property
    def horizon(self) -> int:
        """How long outcomes count, in microseconds."""
        return round(self.within / timedelta(microseconds=1))


def interactions(
    events: pl.LazyFrame, catalogue: Catalogue, *, user: str, item: str, time: str, written: str | None = None
) -> Interactions:
    """Return the log of who met which item, in the order of time; events of items outside the catalogue are left out.

    Users are codes in the order of their keys. `written` is the column that says when an event became known. Says how
    many events are left out.
    """
    columns = [user, item, time, *([] if written is None else [written])]
    rows = events.select(columns).drop_nulls().sort(time, maintain_order=True).collect()
    codes = catalogue.codes(rows[item])
    known = codes >= 0
    if not known.all():
        print(f"{int((~known).sum()):,} of {len(codes):,} events are of items that are not in the catalogue")
    users = rows[user].rank("dense").to_numpy().astype(np.int32)[known] - 1
    times = rows[time].dt.timestamp("us").to_numpy()[known]
    keys = tuple(rows[user].unique().sort().to_list())
    stamps = None if written is None else rows[written].dt.timestamp("us").to_numpy()[known]
    return Interactions(users, codes[known], times, len(keys), len(catalogue), keys, stamps)


@dataclass(frozen=True)
class Asked:
    """The requests of one moment, a row each in `rows` (the user's key and `at`), and what came of them."""

    rows: pl.DataFrame
    relevant: Relevant
    moment: Moment


def asked(
    events: pl.LazyFrame, catalogue: Catalogue, moment: Moment, horizon: int, *, user: str, item: str, time: str
) -> Asked:
    """Return a request for each user that has events within the horizon after the moment, in the order of keys."""
    at = pl.lit(moment.at).cast(pl.Datetime("us", "UTC"))
    after = pl.col(time).dt.timestamp("us") - moment.at
    within = events.filter((after >= 0) & (after < horizon))
    came = within.select(user, item).drop_nulls().unique().sort(user, item).collect()
    came = came.with_columns(pl.Series("code", catalogue.codes(came[item]))).filter(pl.col("code") >= 0)
    rows = came.select(pl.col(user).unique(maintain_order=True)).with_columns(at.alias(AT))
    requests = came[user].rank("dense").to_numpy().astype(np.int64) - 1
    return Asked(rows, Relevant.of_pairs(requests, came["code"].to_numpy(), rows.height), moment)


def outcomes(found: Candidates, relevant: Relevant) -> NDArray[np.bool_]:
    """Return whether each candidate is relevant to its request: [rows]."""
    wide = int(max(found.items.max(initial=0), relevant.items.max(initial=0))) + 1
    return np.isin(found.request_of * wide + found.items, relevant.request_of * wide + relevant.items)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many candidates without the outcome a training request keeps, drawn with a seed; none for all of them."""

    negatives: int | None = None
    seed: int = 0


def examples_of(
    one: Asked, found: Candidates, catalogue: Catalogue, *, item: str, label: str, first: int, sampling: Sampling
) -> pl.DataFrame:
    """Return a row a candidate: its request's columns and number, its item, what retrieval says of it, its label.

    Requests are numbered from `first` on.
    Requests of training without any outcome, or with nothing but outcomes, teach a ranker nothing and are left out;
    so are candidates beyond those that are sampled.
    """
    outcome = outcomes(found, one.relevant)
    rows = np.arange(len(found.items))
    if one.moment.part == "train":
        rows = np.flatnonzero(_taught(found, outcome, sampling))
    request_of = found.request_of[rows]
    columns = {name: pl.Series(column[rows]) for name, column in found.columns.items()}
    beside: Mapping[str, pl.Series] = {
        REQUEST: pl.Series(request_of + first),
        PART: pl.Series([one.moment.part]).new_from_index(0, len(rows)),
        item: catalogue.taken(found.items[rows]),
        **columns,
        label: pl.Series(outcome[rows]),
    }
    asked_rows = one.rows[request_of]
    return asked_rows.with_columns(**{name: series.alias(name) for name, series in beside.items()})


def _taught(found: Candidates, outcome: NDArray[np.bool_], sampling: Sampling) -> NDArray[np.bool_]:
    request_of = found.request_of
    positives = np.bincount(request_of[outcome], minlength=found.requests)
    teaching = (positives > 0) & (positives < found.lengths)
    kept = teaching[request_of]
    if sampling.negatives is None:
        return kept
    draw = np.random.default_rng(sampling.seed).random(len(found.items))
    draw[outcome] = -1.0
    order = np.lexsort((draw, request_of))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(found.offsets[:-1], found.lengths)
    return kept & (place < (positives + sampling.negatives)[request_of])
