"""Which items a whole set of rankings puts before users: coverage of the catalogue, popularity bias, shares of groups.

Exposure of an item is how often it stands among the first k, or the same with ranks discounted.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.beyond_relevance import mean_of_items
from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, IntArray, sums_by
from mlsd_framework.runtime.retrieval.candidates import Candidates


def exposure(ranked: Candidates, k: int, catalogue: int, *, discounted: bool = False) -> FloatArray:
    """Return the exposure of each item of the catalogue, which has so many: [catalogue].

    Each showing among the first k counts 1, or 1 / log2(1 + rank) where `discounted` (Singh and Joachims 2018).
    """
    top = ranked.top(k)
    if not discounted:
        return np.bincount(top.items, minlength=catalogue).astype(np.float64)
    return sums_by(top.items.astype(np.int64), 1 / np.log2(2 + top.place_of), catalogue)


def catalogue_coverage(shown: FloatArray) -> float:
    """Return the share of the catalogue that is shown to anybody, from exposures [catalogue]; NaN for no catalogue."""
    return float(np.count_nonzero(shown) / len(shown)) if len(shown) else float("nan")


def gini(shown: FloatArray) -> float:
    """Return the Gini coefficient of exposures [catalogue], items never shown included.

    0 where all items are shown alike, towards 1 where one item takes all: with n items 1 - 1/n. NaN where none is
    shown.
    """
    total = shown.sum()
    if not total > 0:
        return float("nan")
    count = len(shown)
    steps = 2 * np.arange(1, count + 1) - count - 1
    return float(np.sum(steps * np.sort(shown)) / (count * total))


def average_popularity(ranked: Candidates, k: int, popularity: FloatArray | IntArray) -> FloatArray:
    """Return the mean popularity of each request's first k items (ARP, Yin et al. 2012): [requests].

    `popularity` [catalogue] counts interactions before the evaluation. NaN without candidates.
    """
    return mean_of_items(ranked, k, popularity)


def popularity_lift(recommended: FloatArray, profile: FloatArray) -> FloatArray:
    """Return how much more popular what is shown is than what users took by themselves: shown / taken - 1, [requests].

    Both are mean popularities, [requests]: of `average_popularity` of the ranking and of the histories. NaN where
    a request has no history (Abdollahpouri et al. 2020).
    """
    lift = np.divide(recommended, profile, out=np.full(len(profile), np.nan), where=profile > 0)
    return np.asarray(lift - 1, np.float64)


def shares(shown: FloatArray, groups: NDArray[np.generic]) -> Mapping[str, float]:
    """Return the share of all exposure that each group of items gets, largest first; 0 each where none is shown.

    `shown` and `groups` are [catalogue]; None is a group of its own, `null`.
    """
    names = np.array(["null" if one is None else str(one) for one in groups.tolist()])
    values, member = np.unique(names, return_inverse=True)
    sums = sums_by(member, shown, len(values)) / (shown.sum() or 1.0)
    return {str(values[at]): float(sums[at]) for at in np.argsort(-sums, kind="stable").tolist()}
