"""Exact SHAP values of every leaf of an oblivious tree, computed once when a model is exported.

All rows of a leaf answer all splits alike, so they share their SHAP values. For a set of features S that is known, the path-dependent expectation follows the
leaf's own way at splits on S and averages both ways, by the training weight below, at the others. SHAP values are the Shapley values of that game.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.compiled import compiled

# Work and memory grow as 4 ** depth.
MAX_SHAP_DEPTH = 10


@compiled("float64[:, ::1](int64[::1], float64[::1], float64[::1], int64)")
def shapley_of_tree(slots: NDArray[np.int64], values: NDArray[np.float64], weights: NDArray[np.float64], players: int) -> NDArray[np.float64]:
    """Return SHAP values [leaf, player] of one tree and one output.

    `slots` [depth] is the player (distinct feature) of each level, `values` and `weights` [2 ** depth] those of the leaves. A leaf
    that no training weight reached counts as zero, as in CatBoost.
    """
    depth, leaves = slots.size, values.size
    # CatBoost walks from the last split to the first: a node on the way is named by the bits from some level upwards.
    below = np.zeros((depth + 1, leaves))
    below[0] = weights
    for level in range(depth):
        for node in range(leaves >> (level + 1)):
            below[level + 1, node] = below[level, 2 * node] + below[level, 2 * node + 1]
    games = np.empty((1 << players, leaves))
    for known in range(1 << players):
        game = games[known]
        for leaf in range(leaves):
            game[leaf] = values[leaf] if weights[leaf] > 0.0 else 0.0
        # Bits above `level` of an index are the node, those below it the leaf's own answers: a level in S needs no work.
        for level in range(depth):
            if known >> slots[level] & 1:
                continue
            bit = 1 << level
            for left in range(leaves):
                if left & bit:
                    continue
                node = left >> (level + 1)
                total = below[level + 1, node]
                rest = below[level, 2 * node] / total if total > 0.0 else 0.0
                share = below[level, 2 * node + 1] / total if total > 0.0 else 0.0
                mean = rest * game[left] + share * game[left | bit]
                game[left] = mean
                game[left | bit] = mean
    shares = np.empty(players)  # |S|! (players - |S| - 1)! / players!
    for size in range(players):
        share = 1.0 / players
        for step in range(size):
            share *= (step + 1.0) / (players - 1.0 - step)
        shares[size] = share
    result = np.zeros((leaves, players))
    for known in range(1 << players):
        size = 0
        for player in range(players):
            size += known >> player & 1
        for player in range(players):
            if not known >> player & 1:
                for leaf in range(leaves):
                    result[leaf, player] += shares[size] * (games[known | 1 << player, leaf] - games[known, leaf])
    return result


def shap_tables(
    trees: Sequence[NDArray[np.int64]], leaf_values: NDArray[np.float64], leaf_weights: NDArray[np.float64], scale: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Return (offsets [trees + 1], features, values) as `TreeArrays` holds them.

    `trees` gives the feature of each level, tree after tree; `leaf_values` [leaves, outputs] and `leaf_weights` [leaves] are those of all trees.
    """
    features: list[NDArray[np.int64]] = []
    tables: list[NDArray[np.float64]] = []
    first = 0
    for levels in trees:
        last = first + (1 << levels.size)
        distinct, slots = np.unique(levels, return_inverse=True)
        slots = np.ascontiguousarray(slots, np.int64)
        weights = np.ascontiguousarray(leaf_weights[first:last])
        outputs = [shapley_of_tree(slots, np.ascontiguousarray(column), weights, distinct.size) for column in leaf_values[first:last].T]
        features.append(distinct)
        tables.append(np.stack(outputs, axis=-1).reshape(-1) * scale)
        first = last
    offsets = np.zeros(len(trees) + 1, np.int32)
    offsets[1:] = np.cumsum([distinct.size for distinct in features])
    return offsets, np.concatenate([np.empty(0, np.int64), *features]).astype(np.int32), np.concatenate([np.empty(0), *tables])
