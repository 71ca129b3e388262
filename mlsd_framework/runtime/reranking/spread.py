"""Spread: items of one category, brand or seller kept apart from each other in what is seen first."""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.orders import Rows, check_k, check_rows, permuted
from mlsd_framework.runtime.retrieval.candidates import Candidates, Offsets


def spread(candidates: Candidates, values: NDArray[np.integer], gap: int, k: int) -> Candidates:
    """Let at least `gap` other rows stand between two of one value in the first k; `values` [rows] are codes.

    Place by place the best row is taken that is of none of the last `gap` rows' values; codes below 0 (nulls) always
    fit. Where none is left that fits, the one whose value was shown longest ago is taken, the best of equals: nothing
    looks ahead, so a list that is mostly of one value may end in a run of it. The rest follows in its order. Rows come
    from behind the first k too; after a cap, take the first k before. Raises ValueError for k < 1 or a gap below 0.
    """
    check_k(k)
    check_rows(candidates, "what is spread", values)
    if gap < 0:
        raise ValueError(f"a gap is 0 or more rows, not {gap}")
    order = np.empty(len(candidates.items), np.int64)
    _spread(candidates.offsets, values.astype(np.int64, copy=False), gap, k, order)
    return permuted(candidates, order)


@compiled
def _spread(offsets: Offsets, values: NDArray[np.int64], gap: int, k: int, order: Rows) -> None:
    for request in range(len(offsets) - 1):
        first, last = offsets[request], offsets[request + 1]
        left = np.arange(first, last)
        count = last - first
        end = first
        while end - first < k and count > 0:
            pick, furthest = 0, -1
            for place in range(count):
                value = values[left[place]]
                ago = gap + 1
                for back in range(1, min(gap, end - first) + 1):
                    if value >= 0 and values[order[end - back]] == value:
                        ago = back
                        break
                if ago > furthest:
                    pick, furthest = place, ago
                if ago > gap:
                    break
            order[end] = left[pick]
            end += 1
            for place in range(pick, count - 1):
                left[place] = left[place + 1]
            count -= 1
        order[end:last] = left[:count]
