"""What a ranking is worth beyond relevance: how novel, how diverse and how surprising its first k items are.

One value a request, [requests]; NaN where the value is not defined, which `estimates` leaves out and counts.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, IntArray, Judged, Relevant, judge, sums_by
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, offsets_of

_CELLS = 4_000_000  # numbers of item vectors held at once: 32 MB


def novelty(ranked: Candidates, k: int, seen: IntArray, users: int) -> FloatArray:
    """Return the mean self-information of the first k items in bits, -log2(seen / users) (Zhou et al. 2010).

    `seen` [catalogue] counts the users who met each item before, among `users`. An item that nobody met counts as met
    by one, the rarest that the log can tell. NaN without candidates.
    """
    return mean_of_items(ranked, k, np.log2(users) - np.log2(np.maximum(seen, 1)))


def mean_of_items(ranked: Candidates, k: int, values: FloatArray | IntArray) -> FloatArray:
    """Return the mean over the first k items of a value of items, [catalogue]; NaN without candidates."""
    top = ranked.top(k)
    return _share(sums_by(top.request_of, values[top.items], top.requests), top.lengths)


def intra_list_diversity(ranked: Candidates, k: int, vectors: NDArray[np.floating]) -> FloatArray:
    """Return 1 - the mean cosine of all pairs among the first k items (Ziegler et al. 2005, Smyth and McClave 2001).

    `vectors` are [catalogue, dimensions]; one of length 0 has a cosine of 0 with all. NaN for fewer than two items.
    """
    top = ranked.top(k)
    cosines = np.concatenate([_cosines(*part, vectors) for part in _parts(top, vectors.shape[1])] or [np.zeros(0)])
    pairs = top.lengths * (top.lengths - 1) // 2
    return np.asarray(1 - _share(cosines, pairs), np.float64)


def serendipity(ranked: Candidates, relevant: Relevant, expected: Candidates, k: int) -> FloatArray:
    """Return the share of the first k that is relevant and not expected: |(top k - expected) & relevant| / k.

    `expected` are candidates that a primitive recommender gives for the same requests, the most popular items or what
    the user met before; all of its rows count, so cut it with `top`. The definition of Adamopoulos and Tuzhilin (2014)
    after Ge et al. (2010). NaN for requests without relevant items, whether expected or not.
    Raises E6381 and E6382.
    """
    judged = judge(ranked, relevant)
    unexpected = judge(expected, judged.relevant).ranks == 0
    return _over_k(judged, judged.shown(k) & unexpected, k)


def _over_k(judged: Judged, kept: NDArray[np.bool_], k: int) -> FloatArray:
    return np.where(np.isnan(judged.counts), np.nan, judged.total(kept) / k)


def _parts(top: Candidates, dimensions: int) -> Iterator[tuple[IntArray, Codes]]:
    """Yield the lengths and the items of some whole requests at a time, so that their vectors fit into memory."""
    most = max(1, _CELLS // max(dimensions, 1))
    begin = 0
    while begin < top.requests:
        last = int(np.searchsorted(top.offsets, top.offsets[begin] + most, "right")) - 1
        end = min(max(last, begin + 1), top.requests)
        yield top.lengths[begin:end], top.items[top.offsets[begin] : top.offsets[end]]
        begin = end


def _cosines(lengths: IntArray, items: Codes, vectors: NDArray[np.floating]) -> FloatArray:
    """Return the sum of the cosines of each request's pairs: (|sum of unit vectors|^2 - sum of |unit vector|^2) / 2."""
    picked = vectors[items].astype(np.float64)
    norms = np.linalg.norm(picked, axis=1, keepdims=True)
    units = np.divide(picked, norms, out=np.zeros_like(picked), where=norms > 0)
    full = np.flatnonzero(lengths)
    sums, selves = np.zeros((len(lengths), vectors.shape[1])), np.zeros(len(lengths))
    if len(full):
        starts = offsets_of(lengths)[full]
        sums[full] = np.add.reduceat(units, starts, axis=0)
        selves[full] = np.add.reduceat((units**2).sum(axis=1), starts)
    return np.asarray(((sums**2).sum(axis=1) - selves) / 2, np.float64)


def _share(sums: FloatArray, counts: IntArray) -> FloatArray:
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
