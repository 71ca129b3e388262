"""Caps: at most so many items of a category, a brand or a seller in what is seen first.

Rows are taken best first, each that no cap forbids, until k are taken: for one cap the k best scores that it allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.orders import Rows, check_k, check_rows
from mlsd_framework.runtime.retrieval.candidates import Candidates, Offsets, offsets_of

_FREE, _TAKEN, _OVER = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` rows of one value among the first k; `values` [rows] are codes (`codes_of`), below 0 uncapped."""

    values: NDArray[np.integer]
    most: int


def capped(
    candidates: Candidates, caps: Sequence[Cap], k: int, *, overflow: Literal["behind", "drop"] = "behind"
) -> Candidates:
    """Keep every cap in the first k of each request, and move what is over a cap behind them or drop it.

    Behind the first k stand the rest in their order, the overflow among them, and no cap counts there. Where fewer than
    k rows are allowed, overflow behind makes the list up to k all the same, best first: a page is rather monotonous
    than short; dropped, the list is shorter. Raises ValueError for k < 1 or a cap below 0.
    """
    check_k(k)
    for cap in caps:
        check_rows(candidates, "a cap", cap.values)
        if cap.most < 0:
            raise ValueError(f"a cap is 0 or more, not {cap.most}")
    if not caps:
        return candidates
    values = np.stack([cap.values.astype(np.int64) for cap in caps])
    most = np.array([cap.most for cap in caps], np.int64)
    # Made here, where memory comes as untouched pages: only the counts of values that occur are ever met.
    counts = np.zeros((len(caps), 1 + int(values.max(initial=-1))), np.int64)
    order = np.empty(len(candidates.items), np.int64)
    lengths = np.empty(candidates.requests, np.int64)
    _cap(candidates.offsets, values, most, k, overflow == "drop", counts, order, lengths)
    kept = order[: lengths.sum()]
    columns = {name: column[kept] for name, column in candidates.columns.items()}
    return Candidates(offsets_of(lengths), candidates.items[kept], columns)


@compiled
def _cap(
    offsets: Offsets,
    values: NDArray[np.int64],
    most: NDArray[np.int64],
    k: int,
    drop: bool,  # noqa: FBT001 - kernels take their arguments by place
    counts: NDArray[np.int64],
    order: Rows,
    lengths: NDArray[np.int64],
) -> None:
    """Fill `order` with the rows to keep, `lengths` with how many; `counts` [caps, values] are 0 before and after."""
    end = 0
    for request in range(len(offsets) - 1):
        first, last = offsets[request], offsets[request + 1]
        state = np.full(last - first, _FREE, np.int8)
        begin = end
        for row in range(first, last):
            if end - begin == k:
                break
            if _allowed(values, most, counts, row):
                state[row - first] = _TAKEN
                order[end] = row
                end += 1
                _count(values, counts, row, 1)
            else:
                state[row - first] = _OVER
        for place in range(begin, end):
            _count(values, counts, order[place], -1)
        for row in range(first, last):
            if state[row - first] == _FREE or (state[row - first] == _OVER and not drop):
                order[end] = row
                end += 1
        lengths[request] = end - begin


@compiled
def _allowed(values: NDArray[np.int64], most: NDArray[np.int64], counts: NDArray[np.int64], row: int) -> bool:
    for cap in range(len(most)):
        value = values[cap, row]
        if value >= 0 and counts[cap, value] >= most[cap]:
            return False
    return True


@compiled
def _count(values: NDArray[np.int64], counts: NDArray[np.int64], row: int, by: int) -> None:
    for cap in range(len(values)):
        if values[cap, row] >= 0:
            counts[cap, values[cap, row]] += by
