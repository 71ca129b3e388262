"""Epsilon-greedy slots: now and then an item from further behind, any of those that may be explored alike.

Sutton and Barto, "Reinforcement learning", 2nd ed. 2018, section 2.2, slot by slot and without showing an item twice.
"""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.chances import Chances
from mlsd_framework.runtime.reranking.orders import BoolArray, FloatArray, fill
from mlsd_framework.runtime.reranking.seeds import Seeds, uniform
from mlsd_framework.runtime.reranking.slots import Shown, Slots, check, logged, pool_of, unexplored, unfilled
from mlsd_framework.runtime.retrieval.candidates import Candidates, Offsets


def epsilon_greedy(
    candidates: Candidates, explorable: BoolArray, seeds: Seeds, slots: Slots, epsilon: float
) -> Candidates:
    """Let each slot show, with probability epsilon, a row of the pool drawn evenly; else what stands there.

    `explorable` [rows] tells which rows may be drawn, `seeds` [requests] decide. An empty pool leaves a list as it is,
    and one that runs out leaves later slots as they are. Adds the columns `propensity` and `explored` (`slots.logged`).
    Raises ValueError for an epsilon outside 0 to 1.
    """
    check(candidates, explorable, seeds)
    _check(epsilon)
    found = unfilled(candidates)
    _draw(candidates.offsets, explorable, seeds, slots.places, slots.k, slots.pool, epsilon, found)
    return logged(candidates, found)


def chances(candidates: Candidates, explorable: BoolArray, slots: Slots, epsilon: float) -> FloatArray:
    """Return the probability of each row of one request at each rank shown: [ranks, rows]; each rank sums to 1.

    What `off_policy` asks of a policy that did not write the log. ValueError for more than one request.
    """
    _check(epsilon)
    found, places, pool = unexplored(candidates, explorable, slots)
    for place, chance in zip(places, explore_chances(len(places), len(pool), epsilon), strict=True):
        found[place, place] = 1 - chance
        found[place, pool] = chance / max(len(pool), 1)
    return found


def all_chances(candidates: Candidates, explorable: BoolArray, slots: Slots, epsilon: float) -> Chances:
    """Return `chances` of many requests; `explorable` [rows] tells which rows may be drawn."""
    return Chances.of_each(candidates, lambda one, rows: chances(one, explorable[rows], slots, epsilon))


@compiled
def explore_chances(slots: int, pool: int, epsilon: float) -> FloatArray:
    """Return the probability that each slot explores, from a pool of so many: [slots].

    It is epsilon as long as the pool cannot have run out before: the number explored so far is binomial, cut there.
    """
    chance = np.zeros(slots)
    so_far = np.zeros(slots + 1)
    so_far[0] = 1.0
    for slot in range(slots):
        for count in range(min(slot, pool - 1), -1, -1):
            moved = epsilon * so_far[count]
            chance[slot] += moved
            so_far[count] -= moved
            so_far[count + 1] += moved
    return chance


@compiled
def _draw(
    offsets: Offsets,
    explorable: BoolArray,
    seeds: Seeds,
    places: NDArray[np.int64],
    k: int,
    most: int,
    epsilon: float,
    found: Shown,
) -> None:
    for request in range(len(offsets) - 1):
        first, last = offsets[request], offsets[request + 1]
        shown = np.arange(first, min(first + k, last))
        found.propensity[first : first + len(shown)] = 1.0
        pool = pool_of(offsets, explorable, request, k, most)
        chance = explore_chances(len(places), len(pool), epsilon)
        count = 0
        for slot in range(len(places)):
            place = places[slot]
            if place >= len(shown):
                break
            found.propensity[first + place] = 1 - chance[slot]
            if count < len(pool) and uniform(seeds[request], 2 * slot) < epsilon:
                drawn = count + int(uniform(seeds[request], 2 * slot + 1) * (len(pool) - count))
                shown[place], pool[drawn] = pool[drawn], pool[count]
                count += 1
                found.propensity[first + place] = chance[slot] / len(pool)
                found.explored[first + place] = True
        fill(first, last, shown, found.order)


def _check(epsilon: float) -> None:
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon is a probability, not {epsilon}")
