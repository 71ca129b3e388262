"""No leakage into examples that are impressions: a request is the same with everything after it changed.

Sources are fitted at the moment of the part, histories and features are as of each request. Everything after a cut
among the requests is changed: those before it have to keep their items, what sources say of these, and all features.
Then everything after the last outcome of the part is changed: outcomes have to stay too.
"""

from datetime import timedelta

import numpy as np
import polars as pl

from mlsd_framework.runtime.training.candidate_examples import AT
from mlsd_framework.runtime.training.impressions import ITEM, USER, WHEN
from mlsd_framework.runtime.training.parts import Moment, Moments
from mlsd_framework.runtime.verify.candidate_changes import Change, compare
from mlsd_framework.runtime.verify.candidate_leakage import EVENTS, Cut, free, known_later, later, made
from mlsd_framework.runtime.verify.leakage import Leakage
from mlsd_framework.runtime.verify.made_rows import new_values
from mlsd_framework.runtime.verify.parity import said
from mlsd_framework.runtime.verify.planting import planted
from mlsd_framework.runtime.verify.subject import Candidates, Examples, Log, Shown, Subject
from mlsd_framework.runtime.verify.thinning import thinned

_FIRST = 0.25  # of the requests of the part, those before the first cut


def impression_leakage(
    subject: Subject, candidates: Candidates, shown: Shown, moments: Moments, result: Leakage, seed: int = 5
) -> None:
    """Make the examples of one moment, with and without the plants, and add what differs to the result."""
    as_examples = Examples(
        make=candidates.make,
        reads=candidates.reads,
        source=candidates.source,
        label=candidates.label,
        labels=candidates.source,
    )
    draw = np.random.default_rng(seed)
    log, views = subject.log(candidates.source), subject.log(shown.source)
    # As many events as leave no more impressions than that: of each event there may be several.
    most = max(EVENTS * log.rows.height // max(log.rows.height, views.rows.height), 1)
    frames = thinned(subject, as_examples, most)
    waits = round((shown.impressions.within or timedelta(0)) / timedelta(microseconds=1))
    last = max(_last(frames[one.name], one) for one in (log, views))
    moment = last + 1 - 2 * moments.horizon - waits
    moment = free(moment, None if log.ingest_time is None else frames[log.name].get_column(log.ingest_time))
    asked = shown.impressions.pages.within(frames[views.name].lazy(), moment, moment + moments.horizon)
    first = int(asked.get_column(WHEN).quantile(_FIRST, "nearest") or moment)
    cuts = (
        Cut(first, moment, labels=shown.impressions.outcome is not None),
        Cut(moment + moments.horizon + waits, moment, labels=True),
    )
    frames[views.name] = _whole(frames[views.name], views, shown, [cut.at for cut in cuts])
    part = Moment(moment, "validate", moments.horizon)  # of a validation, which leaves no example out
    rows = made(candidates, frames, part)
    requests = rows.select(candidates.user, AT).n_unique()
    result.sample += f"; shown to them in {requests:,} requests from then on"
    for cut in cuts:
        changed, plants = planted(subject, as_examples, frames, cut.at, draw)
        changed = later(changed, subject, cut.at)
        changed[views.name] = _apart(changed[views.name], views, shown, cut.at)
        result.cuts.append(said(cut.at))
        result.plants += plants
        again = made(candidates, changed, part)
        unknown = pl.concat(
            [_written_later(one[views.name], views, shown, cut, candidates) for one in (frames, changed)]
        )
        before = [_without(one.filter(pl.col(AT).to_physical() < cut.at), unknown) for one in (rows, again)]
        late = known_later(subject, candidates, (frames, changed), cut)
        change = Change(said(moment), said(cut.at), cut.labels, by=(AT,))
        compare(before[0], before[1], candidates, change, late, result)


def _last(frame: pl.DataFrame, log: Log) -> int:
    return max(frame.get_column(str(log.table.event_time)).to_physical().to_list(), default=0)


def _known(log: Log) -> pl.Expr:
    """Return when each row was known."""
    times = [name for name in (log.table.event_time, log.ingest_time) if name is not None]
    return pl.max_horizontal(pl.col(name).to_physical() for name in times)


def _whole(frame: pl.DataFrame, log: Log, shown: Shown, cuts: list[int]) -> pl.DataFrame:
    """Leave out requests of which some rows were known before a cut and some after."""
    pages = shown.impressions.pages
    keys = [pages.user, pages.request or pages.time]
    first, last = _known(log).min().over(keys), _known(log).max().over(keys)
    return frame.filter(~pl.any_horizontal((first < cut) & (last >= cut) for cut in cuts))


def _apart(frame: pl.DataFrame, log: Log, shown: Shown, cut: int) -> pl.DataFrame:
    """Let each row that is known after the cut be of a request of its own: a copy is of none that there was before."""
    request = shown.impressions.pages.request
    if request is None:
        return frame
    fresh = new_values(log.rows.get_column(request), frame.height).alias("__fresh")
    own = pl.when(_known(log) >= cut).then("__fresh").otherwise(request).alias(request)
    return frame.with_columns(fresh).with_columns(own).drop("__fresh")


def _written_later(frame: pl.DataFrame, log: Log, shown: Shown, cut: Cut, candidates: Candidates) -> pl.DataFrame:
    """Return user, item and moment of what was shown before the cut and written after it."""
    rows = frame.lazy().filter(_known(log) >= cut.at)
    found = shown.impressions.pages.within(rows, 0, cut.at)
    return found.select(
        pl.col(USER).alias(candidates.user),
        pl.col(ITEM).alias(candidates.item),
        pl.col(WHEN).cast(pl.Datetime("us", "UTC")).alias(AT),
    )


def _without(rows: pl.DataFrame, unknown: pl.DataFrame) -> pl.DataFrame:
    return rows.join(unknown, on=unknown.columns, how="anti")
