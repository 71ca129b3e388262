"""Metrics of relevance at k: one value a request, [requests].

All are as trec_eval has them. A request without relevant items has no value: NaN, which `estimates` leaves out and
counts. A request with fewer than k candidates is judged by those; k stays the divisor of precision. The order is the
given one: candidates of equal score are not sorted anew.
"""

from collections.abc import Callable, Mapping

import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, Judged

Metric = Callable[[Judged, int | None], FloatArray]
"""(where relevant items stand, k, or None for the whole ranking) -> [requests]."""


def recall(judged: Judged, k: int | None = None) -> FloatArray:
    """Return the share of a request's relevant items that stand among the first k; all of them are the divisor."""
    return judged.total(judged.shown(k)) / judged.counts


def precision(judged: Judged, k: int | None = None) -> FloatArray:
    """Return the share of the first k that is relevant; k is the divisor though there be fewer candidates.

    Without k the divisor is the number of candidates, and 0 where there are none.
    """
    found = judged.total(judged.shown(k))
    divisor = np.maximum(judged.lengths, 1).astype(np.float64) if k is None else np.full(judged.requests, float(k))
    return _defined(judged, found / divisor)


def hit_rate(judged: Judged, k: int | None = None) -> FloatArray:
    """Return 1 where any relevant item stands among the first k, else 0."""
    return _defined(judged, (judged.total(judged.shown(k)) > 0).astype(np.float64))


def reciprocal_rank(judged: Judged, k: int | None = None) -> FloatArray:
    """Return 1 / the rank of the first relevant item, 0 where none stands among the first k; its mean is MRR@k."""
    first = judged.shown(k) & (judged.place_by_rank == 1)
    return _defined(judged, judged.total(_over(first.astype(np.float64), judged)))


def average_precision(judged: Judged, k: int | None = None) -> FloatArray:
    """Return the sum of the precisions at the ranks of relevant items among the first k, over all relevant items.

    The divisor is the number of relevant items, as trec_eval's `map_cut` has it, also where that is more than k.
    """
    places = np.where(judged.shown(k), judged.place_by_rank, 0).astype(np.float64)
    return judged.total(_over(places, judged)) / judged.counts


def ndcg(judged: Judged, k: int | None = None) -> FloatArray:
    """Return the discounted gain of the first k over that of the best possible ranking's first k.

    A gain counts as it is, divided by log2(1 + rank) (Järvelin and Kekäläinen 2002, as trec_eval's `ndcg_cut`); for the
    exponential variant give gains of 2^grade - 1. The best possible ranking is of all relevant items.
    """
    gain = np.where(judged.shown(k), judged.gains, 0.0) / np.log2(1.0 + np.maximum(judged.ranks, 1))
    in_ideal = judged.place_by_gain <= k if k is not None else np.True_
    best = np.where(in_ideal, judged.gains, 0.0) / np.log2(1.0 + judged.place_by_gain)
    ideal = judged.total(best)
    return _defined(judged, judged.total(gain) / np.where(ideal > 0, ideal, 1.0))


METRICS: Mapping[str, Metric] = {
    "recall": recall,
    "precision": precision,
    "hit_rate": hit_rate,
    "mrr": reciprocal_rank,
    "map": average_precision,
    "ndcg": ndcg,
}
"""By the name that a mean over requests goes by."""


def per_request(name: str, judged: Judged) -> FloatArray:
    """Return the metric written as `name@k`, or `name` for whole rankings: [requests]; raises E6322 for another."""
    base, at, number = name.partition("@")
    depth = int(number) if number.isascii() and number.isdigit() else 0
    if base not in METRICS or (at and depth < 1):
        known = ", ".join(f"{one}@k" for one in sorted(METRICS))
        raise RunError.of("E6322", f"metric `{name}` is not known", expected=f"one of {known}")
    return METRICS[base](judged, depth if at else None)


def _over(values: FloatArray, judged: Judged) -> FloatArray:
    """Divide by ranks; what is not shown is 0 already."""
    return values / np.maximum(judged.ranks, 1)


def _defined(judged: Judged, values: FloatArray) -> FloatArray:
    return np.where(np.isnan(judged.counts), np.nan, values)
