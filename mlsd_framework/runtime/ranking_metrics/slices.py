"""Metrics of relevance on parts of the requests, or of the items, to find for whom and for what a ranking is weak."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.accuracy import per_request
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap, Estimate, means
from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, Relevant, judge
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.training.metrics.slices import SliceBy, masks


@dataclass(frozen=True, slots=True)
class RankingSlice:
    """One slice: what it holds, of how many requests or items, and the means of its metrics."""

    column: str
    value: str
    size: int
    values: Mapping[str, Estimate]


def by_request(
    values: Mapping[str, FloatArray], labels: NDArray[np.generic], by: SliceBy, bootstrap: Bootstrap | None = None
) -> tuple[RankingSlice, ...]:
    """Return the means of each slice of the requests, largest first; slices under `by.min_rows` are left out.

    `values` and `labels` are [requests] each.
    """
    found: list[RankingSlice] = []
    for value, mask in masks(labels, by):
        size = int(np.count_nonzero(mask))
        if size >= by.min_rows:
            part = {name: column[mask] for name, column in values.items()}
            found.append(RankingSlice(by.column, value, size, means(part, bootstrap)))
    return tuple(found)


def by_item(
    metrics: Sequence[str],
    ranked: Candidates,
    relevant: Relevant,
    labels: NDArray[np.generic],
    by: SliceBy,
    bootstrap: Bootstrap | None = None,
) -> tuple[RankingSlice, ...]:
    """Return the metrics with only the items of one slice counted as relevant, against whole rankings.

    `labels` [catalogue] are of items. recall@10 of new items is then the share of relevant new items among the first
    ten of all. `by.min_rows` is of relevant items; requests without one in the slice are left out of its means.
    Raises E6322, E6381 and E6382.
    """
    relevant = relevant.positive()
    of_rows = labels[relevant.items]
    found: list[RankingSlice] = []
    for value, mask in masks(of_rows, by):
        size = int(np.count_nonzero(mask))
        if size >= by.min_rows:
            judged = judge(ranked, relevant.where(mask))
            part = {name: per_request(name, judged) for name in metrics}
            found.append(RankingSlice(by.column, value, size, means(part, bootstrap)))
    return tuple(found)
