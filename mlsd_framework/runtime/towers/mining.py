"""Hard negatives: of each row the items that are nearest to its user, which that user never met."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.compiled import compiled
from mlsd_framework.runtime.index.door import Vectors
from mlsd_framework.runtime.index.vector_index import build_index
from mlsd_framework.runtime.towers.negatives import Negatives

_SLICE = 4_096  # users that are searched for at a time


@dataclass(frozen=True, slots=True)
class Met:
    """What the user of each row met: of user `u` the items `items[offsets[u]:offsets[u + 1]]`, rising, each once.

    `users` are the users of the rows: [rows].
    """

    users: NDArray[np.int64]
    offsets: NDArray[np.int64]
    items: NDArray[np.int64]

    @classmethod
    def of(cls, users: NDArray[np.integer], items: NDArray[np.integer]) -> "Met":
        """Return what events say, [events] each, with the events themselves as the rows."""
        pairs = np.unique(np.stack([users, items]).astype(np.int64), axis=1)
        offsets = np.searchsorted(pairs[0], np.arange(int(users.max(initial=-1)) + 2))
        return cls(users.astype(np.int64), offsets, np.ascontiguousarray(pairs[1]))

    def take(self, rows: NDArray[np.integer]) -> "Met":
        """Return some of the rows."""
        return Met(self.users[rows], self.offsets, self.items)


def mined_items(users: Vectors, items: Vectors, met: Met, negatives: Negatives) -> NDArray[np.int64]:
    """Return the hard items of each row: [rows, at most mined_pool], the nearest first, -1 where there are fewer.

    `users` are the vectors of the rows, [rows, dimension], and `items` those of the catalogue. Of the items that a
    row's user never met, the first `skipped` are passed over. Raises RunError E6801 where vectors have become NaN.
    """
    index = build_index(np.arange(len(items)), items, fingerprint="in training", kind=negatives.engine)
    counts = np.diff(met.offsets)[met.users]
    order = np.argsort(counts, kind="stable")  # so that those who met much do not make all others be searched deeper
    found = np.full((len(users), min(negatives.mined_pool, len(items))), -1, np.int64)
    for first in range(0, len(order), _SLICE):
        rows = order[first : first + _SLICE]
        deep = negatives.skipped + negatives.mined_pool + int(counts[rows[-1]])
        near, _ = index.search(users[rows], min(deep, len(items)))
        found[rows] = _unmet(near, met.users[rows], met.offsets, met.items, negatives.skipped, found.shape[1])
    return found


@compiled("int64[:, ::1](int64[:, ::1], int64[::1], int64[::1], int64[::1], int64, int64)")
def _unmet(
    near: NDArray[np.int64],
    users: NDArray[np.int64],
    offsets: NDArray[np.int64],
    items: NDArray[np.int64],
    skipped: int,
    wanted: int,
) -> NDArray[np.int64]:
    found = np.full((len(near), wanted), -1, np.int64)
    for row in range(len(near)):
        met = items[offsets[users[row]] : offsets[users[row] + 1]]
        passed = 0
        for item in near[row]:
            if item < 0 or passed == skipped + wanted:
                break
            place = np.searchsorted(met, item)
            if place < len(met) and met[place] == item:
                continue
            if passed >= skipped:
                found[row, passed - skipped] = item
            passed += 1
    return found
