"""Exact SHAP values of every leaf of an oblivious tree, computed once when a model is exported.

All rows of a leaf answer all splits alike, so they share their SHAP values. For a set of features S that is known, the
path-dependent expectation follows the leaf's own way at splits on S and averages both ways, by the training weight
below, at the others. SHAP values are the Shapley values of that game.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.compiled import compiled, inlined

# Work and memory grow as 4 ** depth.
MAX_SHAP_DEPTH = 10


@inlined
def _weights_below(weights: NDArray[np.float64], depth: int) -> NDArray[np.float64]:
    """Return [level, node] the weight below every node; CatBoost walks from the last split to the first.

    A node is named by the bits of its leaves from `level` upwards.
    """
    below = np.zeros((depth + 1, weights.size))
    below[0] = weights
    for level in range(depth):
        for node in range(weights.size >> (level + 1)):
            below[level + 1, node] = below[level, 2 * node] + below[level, 2 * node + 1]
    return below


@inlined
def _average_unknown(
    game: NDArray[np.float64], below: NDArray[np.float64], slots: NDArray[np.int64], known: int
) -> None:
    """Turn leaf values into expectations for the set `known`, in place.

    Before a level, the index's bits from it upwards are the node, those below the leaf's own answers: known levels
    need no work.
    """
    for level in range(slots.size):
        if known >> slots[level] & 1:
            continue
        bit = 1 << level
        for left in range(game.size):
            if left & bit:
                continue
            node = left >> (level + 1)
            total = below[level + 1, node]
            mean = 0.0
            if total > 0.0:
                mean = (below[level, 2 * node] * game[left] + below[level, 2 * node + 1] * game[left | bit]) / total
            game[left] = mean
            game[left | bit] = mean


@inlined
def _shares(players: int) -> NDArray[np.float64]:
    """Return |S|! (players - |S| - 1)! / players! for every size of S."""
    shares = np.empty(players)
    share = 1.0 / players
    for size in range(players):
        shares[size] = share
        share *= (size + 1.0) / max(players - 1.0 - size, 1.0)
    return shares


@compiled("float64[:, ::1](int64[::1], float64[::1], float64[::1], int64)")
def shapley_of_tree(
    slots: NDArray[np.int64], values: NDArray[np.float64], weights: NDArray[np.float64], players: int
) -> NDArray[np.float64]:
    """Return SHAP values [leaf, player] of one tree and one output.

    `slots` [depth] is the player (distinct feature) of each level, `values` and `weights` [2 ** depth] those of the
    leaves. A leaf that no training weight reached counts as zero, as in CatBoost.
    """
    below = _weights_below(weights, slots.size)
    games = np.empty((1 << players, values.size))
    for known in range(1 << players):
        games[known] = np.where(weights > 0.0, values, 0.0)
        _average_unknown(games[known], below, slots, known)
    shares = _shares(players)
    result = np.zeros((values.size, players))
    for known in range(1 << players):
        size = 0
        for player in range(players):
            size += known >> player & 1
        for player in range(players):
            if not known >> player & 1:
                result[:, player] += shares[size] * (games[known | 1 << player] - games[known])
    return result


def shap_tables(
    trees: Sequence[NDArray[np.int64]],
    leaf_values: NDArray[np.float64],
    leaf_weights: NDArray[np.float64],
    scale: float,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Return (offsets [trees + 1], features, values) as `TreeArrays` holds them.

    `trees` gives the feature of each level, tree after tree; `leaf_values` [leaves, outputs] and `leaf_weights`
    [leaves] are those of all trees.
    """
    features: list[NDArray[np.int64]] = []
    tables: list[NDArray[np.float64]] = []
    first = 0
    for levels in trees:
        last = first + (1 << levels.size)
        distinct, slots = np.unique(levels, return_inverse=True)
        slots = np.ascontiguousarray(slots, np.int64)
        weights = np.ascontiguousarray(leaf_weights[first:last])
        outputs = [
            shapley_of_tree(slots, np.ascontiguousarray(column), weights, distinct.size)
            for column in leaf_values[first:last].T
        ]
        features.append(distinct)
        tables.append(np.stack(outputs, axis=-1).reshape(-1) * scale)
        first = last
    offsets = np.zeros(len(trees) + 1, np.int32)
    offsets[1:] = np.cumsum([distinct.size for distinct in features])
    return (
        offsets,
        np.concatenate([np.empty(0, np.int64), *features]).astype(np.int32),
        np.concatenate([np.empty(0), *tables]),
    )
