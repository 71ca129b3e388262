"""New orders of candidates' rows, and what the stages that make them check alike."""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.candidates import Candidates

Rows = NDArray[np.int64]
"""Places in a table of rows, such as an order of them: [rows]."""

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def permuted(candidates: Candidates, order: Rows) -> Candidates:
    """Return all rows in a new order, each among those of its request: [rows]."""
    columns = {name: column[order] for name, column in candidates.columns.items()}
    return Candidates(candidates.offsets, candidates.items[order], columns)


def scores_of(candidates: Candidates, score: str) -> FloatArray:
    """Return a column of scores as numbers: [rows]; a null is NaN."""
    return np.ascontiguousarray(candidates.columns[score], np.float64)


def check_k(k: int) -> None:
    """Raise ValueError for k < 1."""
    if k < 1:
        raise ValueError(f"a list is arranged down to rank 1 at least, not {k}")


def check_rows(candidates: Candidates, name: str, values: NDArray[np.generic]) -> None:
    """Raise ValueError where `values` are not one a row."""
    if len(values) != len(candidates.items):
        raise ValueError(f"there are {len(candidates.items)} rows and {len(values)} values of {name}")


@compiled
def fill(first: int, last: int, shown: Rows, order: Rows) -> None:
    """Fill a request's part of `order` where `shown` are the rows of its first k: those, then the others in order."""
    free = np.ones(last - first, np.bool_)
    for place in range(len(shown)):
        order[first + place] = shown[place]
        free[shown[place] - first] = False
    end = first + len(shown)
    for row in range(first, last):
        if free[row - first]:
            order[end] = row
            end += 1
