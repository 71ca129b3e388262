"""Beta posteriors of items' success rates, on a grid: what Thompson sampling draws from, and exact order statistics.

A rate p is seen as the angle arcsin(sqrt(p)), in which a posterior's standard deviation is near 1 / (2 sqrt(n))
whatever the rate (Anscombe 1948). Cells of equal angle cover where any of the posteriors has mass; in a cell each has
the mass of its density at the middle, spread evenly. Draws and probabilities are of these same distributions, so the
probabilities are exact for the draws; how near the grid is to Beta is a matter of cells: they are a 256th of the range.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.orders import FloatArray
from mlsd_framework.runtime.reranking.seeds import uniform

CELLS = 256
_SPAN = 8.0  # standard deviations to either side of a posterior's mean
_SMALL = 1e-14  # of a posterior's mass in a cell: what is left out sums to less than 1e-11
_FEW, _MANY = (np.polynomial.legendre.leggauss(count) for count in (4, 16))
_NARROW = 0.05  # mass in a cell from which the many nodes are used
_POINTS_4, _WEIGHTS_4 = (_FEW[0] + 1) / 2, _FEW[1] / 2
_POINTS_16, _WEIGHTS_16 = (_MANY[0] + 1) / 2, _MANY[1] / 2


def posteriors_of(
    successes: NDArray[np.number], showings: NDArray[np.number], prior: tuple[float, float] = (1.0, 1.0)
) -> FloatArray:
    """Return alpha and beta of each item's Beta posterior from its counts, [n] each, to [2, n].

    A null (NaN) counts as 0: the item is as unknown as the prior says. A prior of the mean rate of all items, such as
    (1, 30), explores less than the even (1, 1). Raises E6392 for counts that contradict each other, and ValueError for
    a prior that is not above 0.
    """
    if not (prior[0] > 0 and prior[1] > 0 and math.isfinite(sum(prior))):
        raise ValueError(f"a prior has two numbers above 0, not {prior}")
    good = np.nan_to_num(successes.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    all_ = np.nan_to_num(showings.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    fine = (good >= 0) & (all_ >= good) & np.isfinite(all_)
    if not fine.all():
        at = int(np.argmin(fine))
        raise RunError.of(
            "E6392",
            f"item {at} of the counts has {good[at]:g} successes in {all_[at]:g} showings",
            expected="0 <= successes <= showings",
        )
    return np.stack([prior[0] + good, prior[1] + all_ - good])


@compiled
def grid_of(alpha: FloatArray, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mass of each posterior in each cell, and below each cell: [items, CELLS], [items, CELLS + 1]."""
    low, high = math.pi / 2, 0.0
    for item in range(len(alpha)):
        total = alpha[item] + beta[item]
        middle, span = math.asin(math.sqrt(alpha[item] / total)), _SPAN / (2 * math.sqrt(total))
        low, high = min(low, middle - span), max(high, middle + span)
    low, high = max(low, 0.0), min(high, math.pi / 2)
    width = (high - low) / CELLS
    sines, cosines = np.empty(CELLS), np.empty(CELLS)
    for cell in range(CELLS):
        sines[cell] = math.log(math.sin(low + (cell + 0.5) * width))
        cosines[cell] = math.log(math.cos(low + (cell + 0.5) * width))
    mass = np.empty((len(alpha), CELLS))
    below = np.zeros((len(alpha), CELLS + 1))
    for item in range(len(alpha)):
        # Beta's density times the angle's Jacobian: sin^(2a - 1) cos^(2b - 1).
        logs = (2 * alpha[item] - 1) * sines + (2 * beta[item] - 1) * cosines
        mass[item] = np.exp(logs - logs.max())
        mass[item] /= mass[item].sum()
        for cell in range(CELLS):
            below[item, cell + 1] = below[item, cell] + mass[item, cell]
    return mass, below


@compiled
def draw(mass: FloatArray, below: FloatArray, item: int, seed: np.uint64, number: int) -> float:
    """Return a draw from one posterior in the unit of cells, which orders as rates do."""
    at = uniform(seed, number) * below[item, CELLS]
    cell = min(int(np.searchsorted(below[item], at, "right")) - 1, CELLS - 1)
    return float(cell + (at - below[item, cell]) / mass[item, cell])


@compiled
def rank_chance(mass: FloatArray, below: FloatArray, item: int, rank: int) -> float:
    """Return the probability that a draw of one posterior is the `rank`-th largest, from 0, of a draw of each.

    The sum over cells of the integral of its density times the probability that `rank` others lie above (a Poisson
    binomial), a polynomial within a cell: by Gauss and Legendre, exact to rounding for 7 others with mass in the cell,
    31 where one has much of its mass there; for more, the polynomial's high powers are small.
    """
    found = 0.0
    above = np.empty(rank + 1)
    for cell in range(CELLS):
        if mass[item, cell] < _SMALL:
            continue
        narrow = mass[:, cell].max() > _NARROW
        points, weights = (_POINTS_16, _WEIGHTS_16) if narrow else (_POINTS_4, _WEIGHTS_4)
        for node in range(len(points)):
            above[:] = 0.0
            above[0] = 1.0
            for other in range(len(mass)):
                if other == item:
                    continue
                over = max(0.0, 1.0 - below[other, cell] - mass[other, cell] * points[node])
                for count in range(rank, 0, -1):
                    above[count] += over * (above[count - 1] - above[count])
                above[0] -= over * above[0]
            found += mass[item, cell] * weights[node] * above[rank]
    return found
