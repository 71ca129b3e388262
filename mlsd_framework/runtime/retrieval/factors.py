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
    width, rows = len(gram), len(places)
    own = np.empty((rows, width))
    for factor in range(width):  # factor by factor: the factors of one item lie far apart
        for row in range(rows):
            own[row, factor] = factors[factor, places[row]]
    square = gram.copy()
    right = np.zeros(width)
    scaled = np.empty((rows, width))
    for row in range(rows):
        for factor in range(width):
            right[factor] += (1.0 + trust[row]) * own[row, factor]
            scaled[row, factor] = trust[row] * own[row, factor]
    for first in range(0, rows - 3, 4):
        _add_four(square, scaled[first : first + 4], own[first : first + 4])
    for row in range(rows - rows % 4, rows):
        for factor in range(width):
            weight = own[row, factor]
            for other in range(factor, width):
                square[factor, other] += scaled[row, other] * weight
    return _solved(square, right)


@compiled
def _add_four(square: NDArray[np.float64], scaled: NDArray[np.float64], own: NDArray[np.float64]) -> None:
    """Add four products of rows to the upper half, one after another: the square is written once for them."""
    one, two, three, four = scaled[0], scaled[1], scaled[2], scaled[3]
    for factor in range(square.shape[0]):
        line = square[factor]
        first, second, third, fourth = own[0, factor], own[1, factor], own[2, factor], own[3, factor]
        for other in range(factor, len(line)):
            line[other] = (
                line[other] + one[other] * first + two[other] * second + three[other] * third + four[other] * fourth
            )


@compiled
def _solved(upper: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve a positive definite system by Cholesky, in place; only the upper half of the square is read."""
    width = len(right)
    for row in range(width):
        for before in range(row):
            weight = upper[before, row]
            for column in range(row, width):
                upper[row, column] -= upper[before, column] * weight
        root = np.sqrt(upper[row, row])
        for column in range(row, width):
            upper[row, column] /= root
    for row in range(width):
        for before in range(row):
            right[row] -= upper[before, row] * right[before]
        right[row] /= upper[row, row]
    for row in range(width - 1, -1, -1):
        for after in range(row + 1, width):
            right[row] -= upper[row, after] * right[after]
        right[row] /= upper[row, row]
    return right
