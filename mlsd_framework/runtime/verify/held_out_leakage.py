"""No held-out event in what is known: examples of a ranker are the same with every event that is held out changed.

Two parts are tried, a fold of training and the test. What is held out of a part is changed into other events of other
users, items and values: the candidates of each request, what their sources say of them, and all features have to stay;
what comes of it are those events themselves. For the fold everything that the test holds out is changed as well: then
requests and labels have to stay too.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.training.candidate_examples import interactions
from mlsd_framework.runtime.training.parts import Fold, HoldOut
from mlsd_framework.runtime.verify.candidate_changes import Change, compare
from mlsd_framework.runtime.verify.candidate_leakage import EVENTS
from mlsd_framework.runtime.verify.leakage import Leakage
from mlsd_framework.runtime.verify.planting import Plant, other_value
from mlsd_framework.runtime.verify.subject import Candidates, Examples, Log, Subject
from mlsd_framework.runtime.verify.thinning import thinned


def held_out_leakage(subject: Subject, candidates: Candidates, parts: HoldOut, seed: int = 3) -> Leakage:
    """Retrieve in two parts, with and without the changes, and return what differs."""
    as_examples = Examples(
        make=candidates.make,
        reads=candidates.reads,
        source=candidates.source,
        label=candidates.label,
        labels=candidates.source,
    )
    frames, draw = thinned(subject, as_examples, EVENTS), np.random.default_rng(seed)
    log = subject.log(candidates.source)
    fold, test = _tried(frames[log.name], candidates, log, parts)
    parts_by_name = {"a fold of training": fold, "the test": test}
    made = {name: _made(candidates, frames, part) for name, part in parts_by_name.items()}
    users = max(rows.get_column(candidates.user).n_unique() for rows in made.values())
    result = Leakage(columns=made["the test"].width, held_out=True)
    for name, tried in (("a fold of training", ["a fold of training"]), ("the test", list(parts_by_name))):
        held, numbers = f"what is held out of {name}", parts_by_name[name].held
        changed = {**frames, log.name: _changed(frames[log.name], candidates, log, numbers, draw)}
        result.cuts.append(held)
        result.plants.append(Plant(log.name, f"{held}, changed", len(numbers)))
        for one in tried:
            again = _made(candidates, changed, parts_by_name[one])
            compare(made[one], again, candidates, Change(one, held, labels=one != name), None, result)
    fitted = f"fitted on {frames[log.name].height:,} of {log.rows.height:,} events: {', '.join(candidates.fitted)}"
    result.sample = f"asked for {users:,} users in a fold of training and in the test, {fitted}"
    return result


def _tried(events: pl.DataFrame, candidates: Candidates, log: Log, parts: HoldOut) -> tuple[Fold, Fold]:
    """Return the first fold and the test; the fold is asked as a test is, which leaves no example out."""
    known = interactions(
        events.lazy(),
        Catalogue.of(events, candidates.item),
        user=candidates.user,
        item=candidates.item,
        time=str(log.table.event_time),
        written=log.ingest_time,
        row=parts.row,
    )
    return replace(next(parts.of(known)), name="test"), parts.test(known)


def _made(candidates: Candidates, frames: Mapping[str, pl.DataFrame], part: Fold) -> pl.DataFrame:
    return candidates.make(*(frames[name].lazy() for name in candidates.reads), part)


def _changed(
    events: pl.DataFrame, candidates: Candidates, log: Log, numbers: NDArray[np.int64], draw: np.random.Generator
) -> pl.DataFrame:
    """Return the events with those of some numbers turned into others: their number, place and time stay.

    They change hands among their users, so that the same users ask, and are about items of any events.
    """
    row = log.table.row_number
    number = np.arange(events.height) if row is None else events.get_column(row).to_numpy()
    at = np.flatnonzero(np.isin(number, numbers))
    fixed = {log.table.event_time, log.ingest_time, row}
    drawn = {candidates.user: draw.permutation(at), candidates.item: draw.integers(0, events.height, len(at))}
    columns = [
        events.get_column(name).gather(drawn[name])
        if name in drawn
        else events[at].select(other_value(name, dtype).cast(dtype).alias(name)).to_series()
        for name, dtype in events.schema.items()
        if name not in fixed
    ]
    return events.with_columns(events.get_column(column.name).scatter(at, column) for column in columns)
