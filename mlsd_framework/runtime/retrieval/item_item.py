"""Item to item: what stands together with the items of the history, more than chance would have it.

Similarities are those of Sarwar et al. (2001) and Deshpande and Karypis (2004), shrunk as by Bell and Koren (2007);
the log-likelihood ratio is Dunning's (1993).
"""

from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.best import best
from mlsd_framework.runtime.retrieval.candidates import Codes, Offsets, offsets_of
from mlsd_framework.runtime.retrieval.common_items import common_items, known_rows
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.profile import Profiles, Weighting
from mlsd_framework.runtime.retrieval.source import ModelSource, Scores, fault_in_offsets

Similarity: TypeAlias = Literal["cosine", "jaccard", "lift", "llr"]
SIMILARITIES: Final[tuple[Similarity, ...]] = ("cosine", "jaccard", "lift", "llr")
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class ItemItem(ModelSource):
    """The neighbours of place `i` are places `neighbours[offsets[i]:offsets[i + 1]]`, best first, with similarities."""

    KIND: ClassVar = "item-item"
    ARRAYS: ClassVar = {
        "codes": (np.int32, 1),
        "offsets": (np.int64, 1),
        "neighbours": (np.int32, 1),
        "similarities": (np.float32, 1),
    }
    SETTINGS: ClassVar = {"half_life": int, "amount": str}
    FLOOR: ClassVar = 0.0

    codes: Codes
    offsets: Offsets
    neighbours: Codes
    similarities: NDArray[np.float32]
    half_life: int
    amount: str

    @classmethod
    def fit(
        cls,
        log: Interactions,
        *,
        similarity: Similarity = "cosine",
        shrinkage: float = 10.0,
        neighbours: int = 200,
        least: int = 2,
        fade: int = 0,
        sessions: int = 0,
        weighting: Weighting | None = None,
    ) -> Self:
        """Count what stands together with one user, or in one basket where the log has baskets for its users.

        An event counts half as much after `fade` microseconds (0: always the same), a pair by the geometric mean of
        its two. With `sessions` it is what stands together in one session of a user, which ends with a pause of so many
        microseconds. A similarity is multiplied by c / (c + `shrinkage`), c being what the pair counts. Items of fewer
        than `least` users, or sessions, are left out. `weighting` is for the histories that are asked about, not for
        what is learned.
        """
        how = weighting or Weighting()
        profiles = Weighting(fade).of_users(log.sessions(sessions) if sessions else log)
        codes = common_items(profiles, log.item_count, log.item_count, least)
        users, places, weights = known_rows(profiles, codes, log.item_count)
        order = np.argsort(places, kind="stable")
        items = offsets_of(np.bincount(places, minlength=len(codes)))
        user_of = np.repeat(np.arange(len(users) - 1), np.diff(users))[order]
        lengths, near, alike = _neighbours(
            (users, places, np.sqrt(weights)),
            (items, user_of, np.sqrt(weights)[order]),
            _total(profiles),
            SIMILARITIES.index(similarity),
            shrinkage,
            neighbours,
        )
        return cls(codes, offsets_of(lengths), near, alike, how.half_life, how.amount)

    def scores(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> Scores:
        """Return the sum of the similarities to the history's items, by weight: [scored]."""
        return _summed(self.offsets, self.neighbours, self.similarities, places, weights)

    def fault_of_model(self) -> str | None:
        """Check that neighbours are places and similarities finite."""
        count = len(self.codes)
        if len(self.neighbours) != len(self.similarities):
            return "`neighbours` and `similarities` differ in number"
        if len(self.neighbours) and not 0 <= self.neighbours.min() <= self.neighbours.max() < count:
            return "`neighbours` name a place that is not there"
        if not np.isfinite(self.similarities).all():
            return "`similarities` hold a value that is not finite"
        return fault_in_offsets("offsets", self.offsets, count, len(self.neighbours))


def _total(profiles: Profiles) -> float:
    """Return what all users count, each as much as the heaviest event; those whose items are all left out too."""
    some = np.diff(profiles.offsets) > 0
    return float(np.maximum.reduceat(profiles.weights, profiles.offsets[:-1][some]).sum()) if some.any() else 0.0


_Rows = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


@compiled
def _neighbours(
    by_user: _Rows, by_item: _Rows, total: float, similarity: int, shrinkage: float, most: int
) -> tuple[NDArray[np.int64], Codes, NDArray[np.float32]]:
    """Return how many neighbours each item has, and all of them with their similarities, item after item.

    `by_user` has the offsets of users, then items and roots of weights; `by_item` those of items, then users and roots.
    """
    users, items, user_roots = by_user
    offsets, user_of, item_roots = by_item
    count = len(offsets) - 1
    single = np.zeros(count)
    for item in range(count):
        single[item] = (item_roots[offsets[item] : offsets[item + 1]] ** 2).sum()
    together = np.zeros(count)
    places = np.arange(count).astype(np.int32)
    lengths = np.zeros(count, np.int64)
    near = np.empty(1024, np.int32)
    alike = np.empty(1024, np.float32)
    end = 0
    for item in range(count):
        together[:] = 0.0
        for row in range(offsets[item], offsets[item + 1]):
            user = user_of[row]
            root = item_roots[row]
            for other in range(users[user], users[user + 1]):
                together[items[other]] += root * user_roots[other]
        together[item] = 0.0
        for other in range(count):
            if together[other] > 0.0:
                both = together[other]
                value = _similarity(similarity, both, single[item], single[other], total)
                together[other] = value * both / (both + shrinkage)
        found, scores = best(together, places, most, 0.0)
        if end + len(found) > len(near):
            near = np.concatenate((near, np.empty(len(near) + len(found), np.int32)))
            alike = np.concatenate((alike, np.empty(len(alike) + len(found), np.float32)))
        near[end : end + len(found)] = found
        alike[end : end + len(found)] = scores
        end += len(found)
        lengths[item] = len(found)
    return lengths, near[:end].copy(), alike[:end].copy()


@compiled
def _similarity(kind: int, both: float, one: float, other: float, total: float) -> float:
    if kind == 0:
        return float(both / np.sqrt(one * other))
    if kind == 1:
        return both / (one + other - both)
    if kind == 2:  # noqa: PLR2004 - its place in SIMILARITIES
        return both * total / (one * other)
    # Geometric means of events that fade can add up to more than one of the two items alone.
    both = min(both, one, other)
    if both * total <= one * other * (1.0 + _ROUNDING):
        return 0.0  # together no more often than by chance
    cells = _entropy(both) + _entropy(one - both) + _entropy(other - both) + _entropy(total - one - other + both)
    margins = _entropy(one) + _entropy(total - one) + _entropy(other) + _entropy(total - other)
    return max(0.0, 2.0 * (cells - margins + _entropy(total)))


@compiled
def _entropy(count: float) -> float:
    return float(count * np.log(count)) if count > 0.0 else 0.0


@compiled
def _summed(
    offsets: Offsets,
    neighbours: Codes,
    similarities: NDArray[np.float32],
    places: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    total = np.zeros(len(offsets) - 1)
    for number in range(len(places)):
        for row in range(offsets[places[number]], offsets[places[number] + 1]):
            total[neighbours[row]] += weights[number] * similarities[row]
    return total
