"""Thompson sampling: slots for new items, each shown as often as it may be the best by what is known of it.

Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika 1933; Chapelle and Li, "An
empirical evaluation of Thompson sampling", NIPS 2011. The propensities are computed, not simulated (`posteriors`).
"""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.chances import Chances
from mlsd_framework.runtime.reranking.orders import BoolArray, FloatArray, check_rows, fill
from mlsd_framework.runtime.reranking.posteriors import draw, grid_of, rank_chance
from mlsd_framework.runtime.reranking.seeds import Seeds
from mlsd_framework.runtime.reranking.slots import Shown, Slots, check, logged, pool_of, unexplored, unfilled
from mlsd_framework.runtime.retrieval.candidates import Candidates, Offsets


def thompson(
    candidates: Candidates, explorable: BoolArray, posteriors: FloatArray, seeds: Seeds, slots: Slots
) -> Candidates:
    """Give the slots to the rows of the pool with the largest draws from their posteriors, the first to the largest.

    `explorable` [rows] tells which rows are in the pool, `posteriors` are [2, rows] (`posteriors_of`), `seeds`
    [requests] decide. A pool of fewer rows than slots leaves the last slots as they are. Adds the columns `propensity`
    and `explored` (`slots.logged`); sums over a rank are 1 within 1e-6. Costs grow with the pool times the slots
    squared: keep the pool (`Slots.pool`) to some dozens.
    """
    check(candidates, explorable, seeds)
    check_rows(candidates, "posteriors", posteriors[0])
    found = unfilled(candidates)
    known = np.ascontiguousarray(posteriors)
    _draw(candidates.offsets, explorable, known, seeds, slots.places, slots.k, slots.pool, found)
    return logged(candidates, found)


def chances(candidates: Candidates, explorable: BoolArray, posteriors: FloatArray, slots: Slots) -> FloatArray:
    """Return the probability of each row of one request at each rank shown: [ranks, rows]; each rank sums to 1.

    What `off_policy` asks of a policy that did not write the log. ValueError for more than one request.
    """
    found, places, pool = unexplored(candidates, explorable, slots)
    places = places[: len(pool)]
    if len(pool):
        mass, below = grid_of(posteriors[0, pool], posteriors[1, pool])
        for rank, place in enumerate(places):
            found[place] = 0.0
            found[place, pool] = [rank_chance(mass, below, item, rank) for item in range(len(pool))]
    return found


def all_chances(candidates: Candidates, explorable: BoolArray, posteriors: FloatArray, slots: Slots) -> Chances:
    """Return `chances` of many requests; `explorable` [rows] and `posteriors` [2, rows] as there."""
    return Chances.of_each(
        candidates, lambda one, rows: chances(one, explorable[rows], np.ascontiguousarray(posteriors[:, rows]), slots)
    )


@compiled
def _draw(
    offsets: Offsets,
    explorable: BoolArray,
    posteriors: FloatArray,
    seeds: Seeds,
    places: NDArray[np.int64],
    k: int,
    most: int,
    found: Shown,
) -> None:
    for request in range(len(offsets) - 1):
        first, last = offsets[request], offsets[request + 1]
        shown = np.arange(first, min(first + k, last))
        found.propensity[first : first + len(shown)] = 1.0
        pool = pool_of(offsets, explorable, request, k, most)
        if len(pool) > 0 and len(places) > 0:
            mass, below = grid_of(posteriors[0][pool], posteriors[1][pool])
            draws = np.empty(len(pool))
            for item in range(len(pool)):
                draws[item] = draw(mass, below, item, seeds[request], item)
            for slot in range(min(len(places), len(pool))):
                # A pool means that the list goes on behind the first k, so each slot is among them.
                place, item = places[slot], int(np.argmax(draws))
                draws[item] = -1.0
                shown[place] = pool[item]
                found.propensity[first + place] = rank_chance(mass, below, item, slot)
                found.explored[first + place] = True
        fill(first, last, shown, found.order)
