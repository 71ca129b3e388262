"""Metrics of one request, written as their definitions read, and strategies of rankings and relevant items."""

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from mlsd_framework.runtime.ranking_metrics.estimates import Estimate
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of

Request = tuple[list[int], dict[int, float]]
"""What is ranked, best first, and the gains of what was judged."""

ITEMS = 12
RANKED = st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=ITEMS)
GAINS = st.dictionaries(st.integers(0, ITEMS - 1), st.sampled_from([-1.0, 0.0, 1.0, 1.0, 2.0, 3.0]), max_size=6)
REQUESTS = st.lists(st.tuples(RANKED, GAINS), min_size=1, max_size=5)


def candidates(rankings: Sequence[Sequence[int]]) -> Candidates:
    """Return candidates of several requests from lists of items."""
    return Candidates(
        offsets_of(np.array([len(one) for one in rankings], np.int64)),
        np.array([item for one in rankings for item in one], np.int32),
    )


def relevant(judged: Sequence[dict[int, float]]) -> Relevant:
    """Return relevant items of several requests from their gains."""
    return Relevant(
        offsets_of(np.array([len(one) for one in judged], np.int64)),
        np.array([item for one in judged for item in one], np.int32),
        np.array([gain for one in judged for gain in one.values()], np.float64),
    )


def alike(one: Estimate, other: Estimate) -> bool:
    """Tell whether two estimates are the same but for rounding, as products of other shapes are."""
    ends = [[each.value, *((each.interval.low, each.interval.high) if each.interval else ())] for each in (one, other)]
    counts = [(each.requests, each.left_out) for each in (one, other)]
    return counts[0] == counts[1] and len(ends[0]) == len(ends[1]) and np.allclose(*ends, equal_nan=True)


def plain(name: str, request: Request, k: int) -> float:
    """Return a metric of one request; NaN where nothing is relevant to it."""
    ranked, judged = request
    best = sorted((gain for gain in judged.values() if gain > 0), reverse=True)
    if not best:
        return math.nan
    gains = [max(judged.get(item, 0.0), 0.0) for item in ranked[:k]]
    hits = [gain > 0 for gain in gains]
    ranks = [rank for rank, hit in enumerate(hits, 1) if hit]
    return {
        "recall": sum(hits) / len(best),
        "precision": sum(hits) / k,
        "hit_rate": float(any(hits)),
        "mrr": 1 / ranks[0] if ranks else 0.0,
        "map": sum(sum(hits[:rank]) / rank for rank in ranks) / len(best),
        "ndcg": _discounted(gains) / _discounted(best[:k]),
    }[name]


def _discounted(gains: list[float]) -> float:
    return sum(gain / math.log2(1 + rank) for rank, gain in enumerate(gains, 1))
