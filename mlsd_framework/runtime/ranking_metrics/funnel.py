"""The funnel: what each source finds, and at which stage relevant items are lost on the way to the final ranking."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.accuracy import per_request
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap, Estimate, means
from mlsd_framework.runtime.ranking_metrics.relevance import IntArray, Judged, Relevant, judge
from mlsd_framework.runtime.retrieval.candidates import Candidates


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage gives: mean number of candidates, and its means of recall (all of its rows, and @k) and ndcg@k.

    `found` counts relevant items that are here, `lost` those that the stage before had and this one has not, `added`
    those that it brings itself: found = found before - lost + added. Before the first stage are all sources together.
    """

    name: str
    candidates: float
    found: int
    lost: int
    added: int
    values: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Source:
    """What one source finds by itself; `unique` counts relevant items that no other source found.

    `kept` counts those of its relevant items, and `unique_kept` those of the unique ones, that the last stage still
    has: what the source is worth in the end.
    """

    name: str
    candidates: float
    found: int
    unique: int
    kept: int
    unique_kept: int
    values: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Funnel:
    """All stages of the same requests; counts are of relevant items, over all requests.

    `relevant` in all = `missed` by every source + those that the sources found together.
    """

    requests: int
    relevant: int
    missed: int
    sources: tuple[Source, ...]
    stages: tuple[Stage, ...]


def funnel(
    sources: Mapping[str, Candidates],
    stages: Mapping[str, Candidates],
    relevant: Relevant,
    k: int,
    bootstrap: Bootstrap | None = None,
) -> Funnel:
    """Return the funnel of `sources`, side by side, and `stages`, in their order: merged, scored, re-ranked.

    All are of the same requests. A stage or source gives `recall`, `recall@k` and `ndcg@k`; with `bootstrap` they have
    intervals. Raises E6381, E6382, and ValueError where there are no sources or the numbers of requests differ.
    """
    if not sources:
        raise ValueError("a funnel begins with one source at least")
    at_source = {name: judge(candidates, relevant) for name, candidates in sources.items()}
    at_stage = {name: judge(candidates, relevant) for name, candidates in stages.items()}
    finds = np.stack([judged.ranks > 0 for judged in at_source.values()])
    by_sources: NDArray[np.bool_] = np.logical_or.reduce(finds, axis=0)
    last: NDArray[np.bool_] = list(at_stage.values())[-1].ranks > 0 if at_stage else by_sources
    only = finds.sum(axis=0) == 1
    return Funnel(
        requests=next(iter(at_source.values())).requests,
        relevant=finds.shape[1],
        missed=int(np.count_nonzero(~by_sources)),
        sources=tuple(
            _source(name, judged, only, last, _values(judged, k, bootstrap)) for name, judged in at_source.items()
        ),
        stages=_stages(at_stage, by_sources, k, bootstrap),
    )


def _source(
    name: str, judged: Judged, only: NDArray[np.bool_], last: NDArray[np.bool_], values: Mapping[str, Estimate]
) -> Source:
    found = judged.ranks > 0
    return Source(
        name,
        _mean(judged.lengths),
        found=_count(found),
        unique=_count(found & only),
        kept=_count(found & last),
        unique_kept=_count(found & only & last),
        values=values,
    )


def _stages(
    judged: Mapping[str, Judged], before: NDArray[np.bool_], k: int, bootstrap: Bootstrap | None
) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for name, one in judged.items():
        here = one.ranks > 0
        lost, added = _count(before & ~here), _count(here & ~before)
        stages.append(Stage(name, _mean(one.lengths), _count(here), lost, added, _values(one, k, bootstrap)))
        before = here
    return tuple(stages)


def _values(judged: Judged, k: int, bootstrap: Bootstrap | None) -> Mapping[str, Estimate]:
    return means({name: per_request(name, judged) for name in ("recall", f"recall@{k}", f"ndcg@{k}")}, bootstrap)


def _count(which: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(which))


def _mean(lengths: IntArray) -> float:
    return float(lengths.mean()) if len(lengths) else float("nan")
