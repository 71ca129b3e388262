"""No leakage into examples of a ranker: what is retrieved at a moment is the same with everything after it changed.

Two changes are made of a part of the log. One is of everything after the moment: the candidates of each request, what
their sources say of them, and all features have to stay; who asks, and what comes of it, is the future itself. The
other is of everything after the horizon of the outcome: then requests and labels have to stay too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mlsd_framework.runtime.training.parts import Moment, Moments
from mlsd_framework.runtime.verify.candidate_changes import Change, compare
from mlsd_framework.runtime.verify.leakage import Leakage
from mlsd_framework.runtime.verify.parity import said
from mlsd_framework.runtime.verify.planting import planted
from mlsd_framework.runtime.verify.subject import Candidates, Examples, Subject
from mlsd_framework.runtime.verify.thinning import thinned

EVENTS = 60_000


@dataclass(frozen=True, slots=True)
class Cut:
    """From when on everything is changed; `labels` is whether outcomes lie before it."""

    at: int
    moment: int
    labels: bool


def candidate_leakage(subject: Subject, candidates: Candidates, moments: Moments, seed: int = 3) -> Leakage:
    """Retrieve at one moment, with and without the plants, and return what differs."""
    draw = np.random.default_rng(seed)
    as_examples = Examples(
        make=candidates.make,
        reads=candidates.reads,
        source=candidates.source,
        label=candidates.label,
        labels=candidates.source,
    )
    frames = thinned(subject, as_examples, EVENTS)
    log = subject.log(candidates.source)
    events = frames[candidates.source]
    times = events.get_column(str(log.table.event_time)).to_physical().to_list()
    # Beyond the horizon there have to be events, or nothing after it could be changed.
    moment = max(times, default=0) + 1 - 2 * moments.horizon
    moment = free(moment, None if log.ingest_time is None else events.get_column(log.ingest_time))
    requests = Moment(moment, "test", moments.horizon)  # of a test, which leaves no example out
    rows = made(candidates, frames, requests)
    users = rows.get_column(candidates.user).n_unique()
    part = f"fitted on {events.height:,} of {log.rows.height:,} events: {', '.join(candidates.fitted)}"
    result = Leakage(columns=rows.width, sample=f"asked for {users:,} users at {said(moment)}, {part}")
    if log.ingest_time is None:
        result.notes.append(f"`{log.name}` has no ingest time: a row counts as known when it happened")
    for cut in (Cut(moment, moment, labels=False), Cut(moment + moments.horizon, moment, labels=True)):
        changed, plants = planted(subject, as_examples, frames, cut.at, draw)
        result.cuts.append(said(cut.at))
        result.plants += plants
        changed = later(changed, subject, cut.at)
        again = made(candidates, changed, requests)
        late = known_later(subject, candidates, (frames, changed), cut)
        compare(rows, again, candidates, Change(said(moment), said(cut.at), cut.labels), late, result)
    return result


def made(candidates: Candidates, frames: Mapping[str, pl.DataFrame], moment: Moment) -> pl.DataFrame:
    """Return the examples of a moment."""
    return candidates.make(*(frames[name].lazy() for name in candidates.reads), moment)


def free(moment: int, written: pl.Series | None) -> int:
    """Return the first moment from this one on at which nothing was written: what is known at once is no plant."""
    taken = set() if written is None else set(written.to_physical().to_list())
    while moment in taken:
        moment += 1
    return moment


def later(frames: Mapping[str, pl.DataFrame], subject: Subject, cut: int) -> dict[str, pl.DataFrame]:
    """Let what is planted as written at the cut be written just after it: at the cut itself it is known."""
    found = dict(frames)
    for name, frame in frames.items():
        written = subject.log(name).ingest_time
        if written is not None:
            at = pl.col(written).to_physical() == cut
            shifted = pl.when(at).then(pl.col(written) + pl.duration(microseconds=1)).otherwise(pl.col(written))
            found[name] = frame.with_columns(shifted.cast(frame.schema[written]).alias(written))
    return found


def known_later(
    subject: Subject, candidates: Candidates, versions: Sequence[Mapping[str, pl.DataFrame]], cut: Cut
) -> pl.DataFrame | None:
    """Return the users and items of events within the horizon that were written after it: their outcome came later."""
    log = subject.log(candidates.source)
    if log.ingest_time is None or not cut.labels:
        return None
    stamp, written = (pl.col(name).to_physical() for name in (str(log.table.event_time), log.ingest_time))
    late = (stamp >= cut.moment) & (stamp < cut.at) & (written >= cut.at)
    found = [one[log.name].filter(late).select(candidates.user, candidates.item) for one in versions]
    return pl.concat(found).unique()
