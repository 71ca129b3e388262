"""Examples of a ranker: the candidates that retrieval returns in parts of a log, and what came of them.

A part's sources of candidates are fitted on what is known in it, and its features are of that too. A candidate's label
is true where its user has an event with it among those that say what comes of the part's requests.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.training.parts import Part

AT = "at"
REQUEST = "request"
PART = "part"
_ROW = "__row"


def interactions(
    events: pl.LazyFrame,
    catalogue: Catalogue,
    *,
    user: str,
    item: str,
    time: str,
    written: str | None = None,
    row: str | None = None,
) -> Interactions:
    """Return the log of who met which item, in the order of time; events of items outside the catalogue are left out.

    Users are codes in the order of their keys. `written` is the column that says when an event became known, `row` the
    one that numbers the rows of the source; without one they are numbered as they stand. Says how many events are left
    out.
    """
    columns = [user, item, time, *([] if written is None else [written])]
    number = pl.int_range(pl.len(), dtype=pl.Int64) if row is None else pl.col(row)
    rows = events.select(*columns, number.alias(_ROW)).drop_nulls().sort(time, maintain_order=True).collect()
    codes = catalogue.codes(rows[item])
    known = codes >= 0
    if not known.all():
        print(f"{int((~known).sum()):,} of {len(codes):,} events are of items that are not in the catalogue")
    users = rows[user].rank("dense").to_numpy().astype(np.int32)[known] - 1
    times = rows[time].dt.timestamp("us").to_numpy()[known]
    keys = tuple(rows[user].unique().sort().to_list())
    stamps = None if written is None else rows[written].dt.timestamp("us").to_numpy()[known]
    numbers = rows[_ROW].to_numpy().astype(np.int64)[known]
    return Interactions(users, codes[known], times, len(keys), len(catalogue), keys, stamps, numbers)


@dataclass(frozen=True)
class Asked:
    """The requests of one part, a row each in `rows` (the user's key and `at`), and what came of them."""

    rows: pl.DataFrame
    relevant: Relevant
    part: Part


def asked(events: pl.LazyFrame, log: Interactions, part: Part, *, user: str) -> Asked:
    """Return a request for each user with events that say what comes of the part's requests, in the order of keys.

    `events` are those of which the log is made: users are of the type that they have there.
    """
    came = part.came(log)
    pairs = np.unique(log.users[came].astype(np.int64) * log.item_count + log.items[came])
    asking, requests = np.unique(pairs // log.item_count, return_inverse=True)
    keys = pl.Series([log.user_keys[code] for code in asking.tolist()], dtype=events.collect_schema()[user])
    at = pl.lit(part.at).cast(pl.Datetime("us", "UTC"))
    rows = pl.DataFrame({user: keys}).with_columns(at.alias(AT))
    items = (pairs % log.item_count).astype(np.int32)
    return Asked(rows, Relevant.of_pairs(requests, items, rows.height), part)


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
    if one.part.name == "train":
        rows = np.flatnonzero(_taught(found, outcome, sampling))
    request_of = found.request_of[rows]
    columns = {name: pl.Series(column[rows]) for name, column in found.columns.items()}
    beside: dict[str, pl.Series] = {
        REQUEST: pl.Series(request_of + first),
        PART: pl.Series([one.part.name]).new_from_index(0, len(rows)),
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
