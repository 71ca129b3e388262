"""The search for fair orders: a sum of discounted scores as large as can be, under least exposures of groups.

An integer program, solved by branch and bound (Land and Doig 1960) under a Lagrangian bound (Fisher, Management Science
1981). For weights a group on top of scores the best order without constraints is a plain sort by score + weight, and
its sum less weight * what is asked bounds every order that keeps the shares. Weights are found group by group by
bisection; the search goes down rank by rank, best by score + weight first, and leaves a branch that cannot keep the
shares or cannot be better than the best order found. Where that finds no order, a second search gives each rank to the
group that lacks most first (longest processing time, Graham 1969), which fills shares that leave hardly any room.

At a rank only the first row left of all, or of a group that still lacks exposure, can be right: another could be
exchanged for the first of all, which gains score, and no group would lack anything for it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.orders import BoolArray, FloatArray, Rows, fill
from mlsd_framework.runtime.retrieval.candidates import Offsets

_NEAR = 1e-9
_ROUNDS, _HALVINGS = 3, 30
_SLACKS = (0.0, 0.001, 0.01, 0.05)  # parts of what is asked that are let off, the first with which an order is found
_Integers = NDArray[np.int64]


class Problem(NamedTuple):
    """What is known of one request: its groups, the last of which asks for nothing, and what its ranks are worth.

    `scores` [rows] never rise. `members` [groups, ranks] are the first rows of each group, `sizes` [groups] how many.
    `needs` [groups - 1] are in the unit of `discount` [ranks]; `sums` [ranks + 1] are of the first discounts.
    """

    scores: FloatArray
    members: _Integers
    sizes: _Integers
    needs: FloatArray
    discount: FloatArray
    sums: FloatArray


@compiled
def arrange(
    offsets: Offsets,
    scores: FloatArray,
    groups: _Integers,
    shares: FloatArray,
    k: int,
    most_steps: int,
    order: Rows,
    shortfall: FloatArray,
) -> None:
    """Fill the order of each request, and its groups' shortfalls; `groups` are 0 to len(shares), the last unasked."""
    for request in range(len(offsets) - 1):
        first, last = offsets[request], offsets[request + 1]
        length = min(k, last - first)
        shown = np.arange(first, first + length)
        if length > 0:
            problem = _problem(scores[first:last], groups[first:last], shares, length)
            given = _given(groups[shown], problem.discount, len(shares))
            if (given < problem.needs - _NEAR).any():
                shown = first + _most_fair(problem, most_steps)
                given = _given(groups[shown], problem.discount, len(shares))
            short = shares - given / problem.sums[-1]
            shortfall[request] = np.where(short > _NEAR, short, 0.0)
        fill(first, last, shown, order)


@compiled
def never_rising(scores: FloatArray) -> FloatArray:
    """Return scores of one request, each at least as large as those behind it; unknown last ones as the lowest."""
    found = scores.copy()
    behind, lowest = -np.inf, np.inf
    for row in range(len(found) - 1, -1, -1):
        if math.isfinite(found[row]):
            behind, lowest = max(behind, found[row]), min(lowest, found[row])
        found[row] = behind
    found[found == -np.inf] = lowest if lowest < np.inf else 0.0
    return found


@compiled
def _problem(scores: FloatArray, groups: _Integers, shares: FloatArray, length: int) -> Problem:
    """Return the problem of one request; a group needs what it asks, at most what its rows get on the first ranks."""
    members = np.zeros((len(shares) + 1, length), np.int64)
    sizes = np.zeros(len(shares) + 1, np.int64)
    for row in range(len(groups)):
        group = groups[row]
        if sizes[group] < length:
            members[group, sizes[group]] = row
            sizes[group] += 1
    discount = 1 / np.log2(np.arange(length) + 2.0)
    sums = np.zeros(length + 1)
    sums[1:] = np.cumsum(discount)
    needs = np.minimum(shares * sums[-1], sums[sizes[:-1]])
    return Problem(never_rising(scores), members, sizes, needs, discount, sums)


@compiled
def _given(groups: _Integers, discount: FloatArray, count: int) -> FloatArray:
    given = np.zeros(count + 1)
    for place in range(len(groups)):
        given[groups[place]] += discount[place]
    return given[:count]


@compiled
def _best(problem: Problem, heads: _Integers, weights: FloatArray) -> int:
    """Return the group whose next row is best by score + weight, of equals the earliest row; -1 where none is left."""
    pick, best = -1, 0.0
    for group in range(len(heads)):
        if heads[group] < problem.sizes[group]:
            row = problem.members[group, heads[group]]
            value = problem.scores[row] + weights[group]
            if pick < 0 or value > best or (value == best and row < problem.members[pick, heads[pick]]):
                pick, best = group, value
    return pick


@compiled
def _sort(
    problem: Problem, heads: _Integers, weights: FloatArray, rank: int, got: FloatArray, path: _Integers
) -> float:
    """Fill `path` with the groups of the ranks from `rank` on, by score + weight; add their exposures to `got`.

    Returns the sum of discounted scores and weights.
    """
    heads = heads.copy()
    total = 0.0
    for place in range(rank, len(path)):
        group = _best(problem, heads, weights)
        path[place] = group
        got[group] += problem.discount[place]
        total += problem.discount[place] * (problem.scores[problem.members[group, heads[group]]] + weights[group])
        heads[group] += 1
    return total


@compiled
def _enough(problem: Problem, weights: FloatArray, group: int, path: _Integers) -> bool:
    """Tell whether a sort by score + weight gives a group what it needs."""
    got = np.zeros(len(weights))
    _sort(problem, np.zeros(len(weights), np.int64), weights, 0, got, path)
    return bool(got[group] >= problem.needs[group] - _NEAR)


@compiled
def _weights(problem: Problem, path: _Integers) -> FloatArray:
    """Return a weight for each group, about the least ones with which a sort gives each what it needs."""
    weights = np.zeros(len(problem.sizes))
    spread = problem.scores[0] - problem.scores[-1]
    for _ in range(_ROUNDS):
        moved = False
        for group in range(len(problem.needs)):
            if _enough(problem, weights, group, path):
                continue
            moved = True
            low, high = weights[group], weights.max() + spread * (1 + _NEAR) + _NEAR
            for _ in range(_HALVINGS):
                weights[group] = (low + high) / 2
                if _enough(problem, weights, group, path):
                    high = weights[group]
                else:
                    low = weights[group]
            weights[group] = high
        if not moved:
            break
    return weights


@compiled
def _reachable(problem: Problem, heads: _Integers, lacks: FloatArray, rank: int) -> bool:
    """Tell whether the ranks from `rank` on may be enough: for each group by itself, and for all lacks together."""
    together = 0.0
    for group in range(len(lacks)):
        if lacks[group] > _NEAR:
            end = min(rank + problem.sizes[group] - heads[group], len(problem.discount))
            if lacks[group] > problem.sums[end] - problem.sums[rank] + _NEAR:
                return False
            together += lacks[group]
    return bool(together <= problem.sums[-1] - problem.sums[rank] + _NEAR)


@compiled
def _bound(problem: Problem, heads: _Integers, lacks: FloatArray, weights: FloatArray, rank: int) -> float:
    """Return a number that no sum of discounted scores from `rank` on exceeds where all lacks are met."""
    active, asked = np.zeros(len(heads)), 0.0
    for group in range(len(lacks)):
        if lacks[group] > _NEAR:
            active[group] = weights[group]
            asked += weights[group] * lacks[group]
    path = np.empty(len(problem.discount), np.int64)
    return _sort(problem, heads, active, rank, np.zeros(len(heads)), path) - asked


@compiled
def _next(
    problem: Problem,
    heads: _Integers,
    lacks: FloatArray,
    weights: FloatArray,
    tried: BoolArray,
    by_lack: bool,  # noqa: FBT001 - kernels take their arguments by place
) -> int:
    """Return the group to try next at a rank, best by score + weight or of the largest lack; -1 where all were."""
    first = _best(problem, heads, np.zeros(len(heads)))
    pick, best = -1, 0.0
    for group in range(len(heads)):
        lacking = group < len(lacks) and lacks[group] > _NEAR
        if tried[group] or heads[group] == problem.sizes[group] or not (lacking or group == first):
            continue
        value = problem.scores[problem.members[group, heads[group]]]
        if lacking:
            value += weights[group]
        if by_lack:
            value = lacks[group] if lacking else 0.0
        if pick < 0 or value > best or (value == best and group == first):
            pick, best = group, value
    return pick


@compiled
def _most_fair(problem: Problem, most_steps: int) -> Rows:
    """Return the rows of the first ranks by all needs, or by a little less where no order is found that meets them."""
    scores, members, sizes, needs, discount, sums = problem
    path = np.zeros(len(discount), np.int64)
    for slack in _SLACKS:
        for by_lack in (False, True):
            eased = Problem(scores, members, sizes, needs * (1 - slack), discount, sums)
            path, found = _search(eased, most_steps, by_lack)
            if found:
                return _rows(problem, path)
    return _rows(problem, path)


@compiled
def _search(
    problem: Problem,
    most_steps: int,
    by_lack: bool,  # noqa: FBT001 - kernels take their arguments by place
) -> tuple[_Integers, bool]:
    """Return the groups of the ranks, and True; without an order that meets all needs, by score + weight, and False."""
    length = len(problem.discount)
    best_path, path = np.zeros(length, np.int64), np.zeros(length, np.int64)
    weights = _weights(problem, path)
    heads, lacks = np.zeros(len(weights), np.int64), np.zeros(len(weights))
    lacks[:-1] = problem.needs
    _sort(problem, heads, weights, 0, np.zeros(len(weights)), best_path)
    values, best = np.zeros(length + 1), -np.inf
    tried = np.zeros((length + 1, len(weights)), np.bool_)
    rank, steps = 0, 0
    while steps < most_steps:
        group = _next(problem, heads, lacks[:-1], weights, tried[rank], by_lack) if rank < length else -1
        goes_on = group >= 0
        if goes_on:
            steps += 1
            tried[rank, group] = True
            path[rank] = group
            values[rank + 1] = (
                values[rank] + problem.discount[rank] * problem.scores[problem.members[group, heads[group]]]
            )
            lacks[group] -= problem.discount[rank]
            heads[group] += 1
            rank += 1
            goes_on = _reachable(problem, heads, lacks[:-1], rank) and (
                values[rank] + _bound(problem, heads, lacks[:-1], weights, rank) > best + _NEAR
            )
        elif rank == length:
            best = values[length]
            best_path[:] = path
        if not goes_on:
            tried[rank] = False
            if rank == 0:
                break
            rank -= 1
            heads[path[rank]] -= 1
            lacks[path[rank]] += problem.discount[rank]
    return best_path, best > -np.inf


@compiled
def _rows(problem: Problem, path: _Integers) -> Rows:
    heads = np.zeros(len(problem.sizes), np.int64)
    rows = np.empty(len(path), np.int64)
    for place in range(len(path)):
        rows[place] = problem.members[path[place], heads[path[place]]]
        heads[path[place]] += 1
    return rows
