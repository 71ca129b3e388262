"""Slots: ranks among the first k of a list that may show an item from behind them, and what is logged of it.

Only what stands in a slot changes; the rest of the first k stays where it is. The pool of a request are its rows behind
the first k that may be explored: those before are shown anyway. Rows that give way stand right behind the first k.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.reranking.orders import BoolArray, FloatArray, Rows, check_k, check_rows, permuted
from mlsd_framework.runtime.reranking.seeds import Seeds
from mlsd_framework.runtime.retrieval.candidates import Candidates, Offsets


class Shown(NamedTuple):
    """What a stage with slots fills, [rows] each: the new order, and `propensity` and `explored` (`logged`)."""

    order: Rows
    propensity: FloatArray
    explored: BoolArray


@dataclass(frozen=True, slots=True)
class Slots:
    """The ranks, from 1, of the first `k` in which items are explored; ValueError where they are not among them.

    `pool` is how many rows of a request are explored at most: those nearest behind the first k.
    """

    ranks: Sequence[int]
    k: int
    pool: int = np.iinfo(np.int64).max

    def __post_init__(self) -> None:
        """Check the ranks."""
        check_k(self.k)
        if len(set(self.ranks)) < len(self.ranks) or any(not 1 <= rank <= self.k for rank in self.ranks):
            raise ValueError(f"slots are different ranks from 1 to {self.k}, not {list(self.ranks)}")
        if self.pool < 1:
            raise ValueError(f"a pool has 1 row at least, not {self.pool}")

    @property
    def places(self) -> NDArray[np.int64]:
        """The slots from 0, first ones first: [slots]."""
        return np.sort(np.array(self.ranks, np.int64)) - 1


def check(candidates: Candidates, explorable: BoolArray, seeds: Seeds | None = None) -> None:
    """Raise ValueError where there is not a flag a row, or not a seed a request."""
    check_rows(candidates, "what may be explored", explorable)
    if seeds is not None and len(seeds) != candidates.requests:
        raise ValueError(f"there are {candidates.requests} requests and {len(seeds)} seeds")


def unexplored(
    candidates: Candidates, explorable: BoolArray, slots: Slots
) -> tuple[FloatArray, NDArray[np.int64], Rows]:
    """Return what one request shows without exploring, [ranks, rows], its slots from 0, and its pool.

    ValueError for more than one request.
    """
    check(candidates, explorable)
    if candidates.requests != 1:
        raise ValueError(f"chances are of one request, not {candidates.requests}")
    found = np.eye(min(slots.k, len(candidates.items)), len(candidates.items))
    pool = pool_of(candidates.offsets, explorable, 0, slots.k, slots.pool)
    return found, slots.places[slots.places < len(found)], pool


def unfilled(candidates: Candidates) -> Shown:
    """Return arrays to fill."""
    rows = len(candidates.items)
    return Shown(np.empty(rows, np.int64), np.full(rows, np.nan), np.zeros(rows, np.bool_))


def logged(candidates: Candidates, shown: Shown) -> Candidates:
    """Return rows in their new order with what is to be logged of each: [rows], of the new order.

    `propensity` is the probability, over the draws of the request and nothing else, that this item stands at this
    rank; NaN behind the first k. `explored` tells which rows a slot brought.
    """
    found = permuted(candidates, shown.order)
    return found.with_columns(propensity=shown.propensity, explored=shown.explored)


def unlogged(candidates: Candidates) -> Candidates:
    """Return rows as they stand with the columns of `logged`, where nothing was drawn: no chance is known."""
    return logged(candidates, unfilled(candidates)._replace(order=np.arange(len(candidates.items))))


@compiled
def pool_of(offsets: Offsets, explorable: BoolArray, request: int, k: int, most: int) -> Rows:
    """Return the rows of one request that may be explored, in order."""
    first, last = min(offsets[request] + k, offsets[request + 1]), offsets[request + 1]
    return np.asarray(first + np.flatnonzero(explorable[first:last])[:most])
