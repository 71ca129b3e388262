"""Kernels over factors of items that lie column by column, [F, items], so that a sum over F runs along the items.

Written out rather than left to a BLAS: for one request its threads cost more than they bring, and a sum's order would
depend on the machine.
"""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.candidates import Codes

_BLOCK = 4096
"""Items whose sums stay in the fastest cache meanwhile."""


def spread_over(factors: NDArray[np.float32], codes: Codes, items: int) -> NDArray[np.float32]:
    """Return the factors of some items as rows of all, zeros for the others: [F, scored] to [items, F]."""
    rows = np.zeros((items, len(factors)), np.float32)
    rows[codes] = factors.T
    return rows


@compiled
def product(factors: NDArray[np.float32], query: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return each item's product with the query: [F, items] and [F] to [items]."""
    width, items = factors.shape
    total = np.zeros(items, np.float32)
    for first in range(0, items, _BLOCK):
        block = total[first : first + _BLOCK]
        for factor in range(width):
            weight = np.float32(query[factor])
            column = factors[factor, first : first + _BLOCK]
            for place in range(len(block)):
                block[place] += weight * column[place]
    return total


@compiled
def mean_of(
    factors: NDArray[np.float32], places: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted sum of some items' factors, brought to length 1: [F]; zeros where it is zero."""
    total = np.zeros(len(factors))
    for factor in range(len(factors)):
        for row in range(len(places)):
            total[factor] += weights[row] * factors[factor, places[row]]
    length = np.sqrt((total**2).sum())
    return total / length if length > 0.0 else total


@compiled
def solved_user(
    gram: NDArray[np.float64], factors: NDArray[np.float32], places: NDArray[np.int64], trust: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return x [F] with (gram + sum of trust y y^T) x = sum of (1 + trust) y over some items' factors y."""
    width = len(gram)
    square = gram.copy()
    right = np.zeros(width)
    own = np.empty(width)
    for row in range(len(places)):
        for factor in range(width):
            own[factor] = factors[factor, places[row]]
        right += (1.0 + trust[row]) * own
        for factor in range(width):
            square[factor, : factor + 1] += (trust[row] * own[factor]) * own[: factor + 1]
    return _solved(square, right)


@compiled
def _solved(lower: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve a positive definite system by Cholesky, in place; only the lower half of the square is read."""
    width = len(right)
    for column in range(width):
        for before in range(column):
            lower[column:, column] -= lower[column:, before] * lower[column, before]
        lower[column:, column] /= np.sqrt(lower[column, column])
    for row in range(width):
        for before in range(row):
            right[row] -= lower[row, before] * right[before]
        right[row] /= lower[row, row]
    for row in range(width - 1, -1, -1):
        for after in range(row + 1, width):
            right[row] -= lower[after, row] * right[after]
        right[row] /= lower[row, row]
    return right
