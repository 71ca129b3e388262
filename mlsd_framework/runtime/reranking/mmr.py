"""Maximal marginal relevance: the first k chosen one by one, each as relevant and as unlike those before as can be.

Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing summaries",
SIGIR 1998. The similarity is the cosine of item vectors.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.orders import BoolArray, FloatArray, Rows, check_k, fill, permuted, scores_of
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Offsets

Units = NDArray[np.float32]
"""Item vectors of length 1, or 0 for an item without one: [catalogue, dimensions]."""

Later = Callable[[Codes], NDArray[np.floating]]
"""Vectors of items, [rows] to [rows, dimensions], of any length."""


def units_of(vectors: NDArray[np.floating]) -> Units:
    """Return vectors at length 1, [catalogue, dimensions], once for a catalogue.

    A vector that is 0 or has a number that is not finite becomes 0: its cosine with all is 0.
    """
    wide = vectors.astype(np.float64)
    wide[~np.isfinite(wide).all(axis=1)] = 0.0
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    units = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0)
    return np.asarray(units, np.float32)


def unlike_all(items: Codes) -> Units:
    """Return vectors of items that are like no other: [rows, 1], which go for any dimension."""
    return np.zeros((len(items), 1), np.float32)


def diversified(
    candidates: Candidates,
    units: Units,
    k: int,
    balance: float,
    *,
    score: str = "score",
    scaled: bool = False,
    later: Later | None = None,
) -> Candidates:
    """Choose the first k of each request by balance * score - (1 - balance) * the largest cosine with those chosen.

    `balance` is MMR's lambda: 1 orders by score, 0 by unlikeness alone, from the first row on. Scores and cosines are
    weighed as they are, so scores belong between 0 and 1, or on whatever scale makes a cosine of 1 worth a point;
    `scaled` brings them there first, request by request (`scaled_scores`), and leaves the column as it is. Of equals
    the earlier row is taken. Rows without a score (NaN) come after all that have one. Behind the first k stand the rest
    in their order. Where items may have come after the vectors were made, `later` gives those of the ones beyond.

    Raises E6391 for an item beyond the vectors without `later`, ValueError for k < 1 or a balance outside 0 to 1.
    """
    check_k(k)
    if not 0 <= balance <= 1:
        raise ValueError(f"the balance of score and diversity is from 0 to 1, not {balance}")
    items, known = candidates.items, units
    beyond, below = items >= len(units), items < 0
    if below.any() or (beyond.any() and later is None):
        raise RunError.of(
            "E6391",
            f"candidate {items[np.argmax(beyond | below)]} has no vector",
            expected=f"an item of the {len(units)} that have a row of vectors",
        )
    if beyond.any() and later is not None:
        items, known = _of_candidates(items, units, beyond, later)
    scores = scaled_scores(candidates, score) if scaled else scores_of(candidates, score)
    worth = np.where(np.isfinite(scores), balance * scores, np.where(np.isnan(scores), -np.inf, scores))
    order = np.empty(len(candidates.items), np.int64)
    _choose(candidates.offsets, items, worth, known, k, 1 - balance, order)
    return permuted(candidates, order)


def _of_candidates(items: Codes, units: Units, beyond: BoolArray, later: Later) -> tuple[Codes, Units]:
    """Return places in an array of the candidates' own vectors, and that array: [rows], [rows, dimensions]."""
    known = np.empty((len(items), units.shape[1]), np.float32)
    known[~beyond] = units[items[~beyond]]
    known[beyond] = units_of(later(items[beyond]))
    return np.arange(len(items), dtype=np.int32), known


def scaled_scores(candidates: Candidates, score: str) -> FloatArray:
    """Return scores with each request's least at 0 and its largest at 1: [rows]; all at 1 where they are equal.

    Neither a constant that is added to all nor a factor changes what comes of it, so scores of any scale will do. Those
    that are not finite do not count: an infinite one becomes 0 or 1, NaN stays.
    """
    scores = scores_of(candidates, score)
    finite = np.isfinite(scores)
    request_of = candidates.request_of
    least, most = np.full(candidates.requests, np.inf), np.full(candidates.requests, -np.inf)
    np.minimum.at(least, request_of[finite], scores[finite])
    np.maximum.at(most, request_of[finite], scores[finite])
    low, span = least[request_of], (most - least)[request_of]
    with np.errstate(invalid="ignore", divide="ignore"):  # of scores that are not finite, or all equal
        within = np.where(span > 0, (scores - low) / span, 1.0)
    beyond = np.where(np.isnan(scores), np.nan, np.where(scores > 0, 1.0, 0.0))
    return np.where(finite, within, beyond)


@compiled
def _choose(
    offsets: Offsets, items: Codes, worth: FloatArray, units: Units, k: int, weight: float, order: Rows
) -> None:
    for request in range(len(offsets) - 1):
        first, last = offsets[request], offsets[request + 1]
        across = _across(items[first:last], units)
        free = np.ones(last - first, np.bool_)
        nearest = np.zeros(last - first, np.float32)
        shown = np.empty(min(k, last - first), np.int64)
        for place in range(len(shown)):
            pick = _best(worth[first:last], nearest, weight, free)
            free[pick] = False
            shown[place] = first + pick
            _meet(across, pick, nearest, place == 0)
        fill(first, last, shown, order)


@compiled
def _across(items: Codes, units: Units) -> Units:
    """Return vectors dimension by dimension, [dimensions, rows]: many rows' cosines sum side by side, each in order."""
    across = np.empty((units.shape[1], len(items)), np.float32)
    for row in range(len(items)):
        for axis in range(units.shape[1]):
            across[axis, row] = units[items[row], axis]
    return across


@compiled
def _best(worth: FloatArray, nearest: Units, weight: float, free: BoolArray) -> int:
    pick, best = -1, -np.inf
    for row in range(len(worth)):
        if free[row]:
            value = worth[row] - weight * nearest[row]
            if pick < 0 or value > best:
                pick, best = row, value
    return pick


@compiled
def _meet(across: Units, pick: int, nearest: Units, first: bool) -> None:  # noqa: FBT001 - as kernels take arguments
    """Take one more chosen row into each row's largest cosine with those chosen."""
    cosines = np.zeros(len(nearest), np.float32)
    for axis in range(len(across)):
        part = across[axis, pick]
        for row in range(len(nearest)):
            cosines[row] += across[axis, row] * part
    for row in range(len(nearest)):
        nearest[row] = cosines[row] if first else max(nearest[row], cosines[row])
