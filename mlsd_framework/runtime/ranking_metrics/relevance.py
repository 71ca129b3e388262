"""Relevant items of requests, and the ranks at which a ranking shows them: all that metrics of relevance read."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.compiled import compiled
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Offsets, offsets_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Relevant:
    """The rows `offsets[i]:offsets[i + 1]` are the items relevant to request `i`, in any order.

    `gains` [rows] say how relevant; without them each counts 1. A gain of 0 or less is of an item that was judged and
    found not relevant: as in trec_eval it counts as if it were not listed.
    """

    offsets: Offsets
    items: Codes
    gains: FloatArray | None = None

    @classmethod
    def of_pairs(
        cls, requests: NDArray[np.integer], items: Codes, count: int, gains: FloatArray | None = None
    ) -> "Relevant":
        """Return them from pairs of a request's number and an item, in any order, for `count` requests."""
        order = np.argsort(requests, kind="stable")
        offsets = offsets_of(np.bincount(requests, minlength=count))
        return cls(offsets, items[order], None if gains is None else gains[order])

    @property
    def request_of(self) -> IntArray:
        """The request of each row: [rows]."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def where(self, kept: NDArray[np.bool_]) -> "Relevant":
        """Return the rows for which `kept` is true: [rows]."""
        counts = np.bincount(self.request_of[kept], minlength=len(self.offsets) - 1)
        return Relevant(offsets_of(counts), self.items[kept], None if self.gains is None else self.gains[kept])

    def positive(self) -> "Relevant":
        """Return the rows of a gain above 0; raises ValueError where one is NaN or infinite."""
        if self.gains is None:
            return self
        if not np.isfinite(self.gains).all():
            raise ValueError("a gain is no finite number")
        return self.where(self.gains > 0)


@dataclass(frozen=True)
class Judged:
    """Where a ranking shows the relevant items of its requests.

    `ranks` [rows of `relevant`] count from 1; 0 is an item that the ranking does not show. `lengths` [requests] are the
    numbers of candidates. `relevant` has rows of a gain above 0 only.
    """

    relevant: Relevant
    ranks: IntArray
    lengths: IntArray

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return len(self.lengths)

    @cached_property
    def request_of(self) -> IntArray:
        """The request of each relevant item: [rows]."""
        return self.relevant.request_of

    @cached_property
    def counts(self) -> FloatArray:
        """How many items are relevant to each request, NaN for none: the divisor that leaves such requests out."""
        counts = np.diff(self.relevant.offsets).astype(np.float64)
        counts[counts == 0] = np.nan
        return counts

    @cached_property
    def gains(self) -> FloatArray:
        """How relevant each relevant item is: [rows]."""
        gains = self.relevant.gains
        return np.ones(len(self.ranks)) if gains is None else gains

    @cached_property
    def place_by_rank(self) -> IntArray:
        """The place, from 1, of each relevant item among those of its request that are shown, by rank: [rows]."""
        return self._place_by(np.where(self.ranks > 0, self.ranks, np.iinfo(np.int64).max))

    @cached_property
    def place_by_gain(self) -> IntArray:
        """The place, from 1, of each relevant item in the ideal ranking, largest gain first: [rows]."""
        return self._place_by(-self.gains)

    def shown(self, k: int | None) -> NDArray[np.bool_]:
        """Tell which relevant items stand among the first `k`, or anywhere: [rows]; raises ValueError for k < 1."""
        if k is None:
            return self.ranks > 0
        if k < 1:
            raise ValueError(f"a ranking is looked at down to rank 1 at least, not {k}")
        return (self.ranks > 0) & (self.ranks <= k)

    def total(self, values: FloatArray | NDArray[np.bool_]) -> FloatArray:
        """Return the sum over each request's relevant items: [rows] to [requests]."""
        return sums_by(self.request_of, values, self.requests)

    def _place_by(self, keys: NDArray[np.generic]) -> IntArray:
        order = np.lexsort((keys, self.request_of))
        place = np.empty(len(order), np.int64)
        # Sorted rows keep the extent of each request, so its first row is where the request begins.
        place[order] = np.arange(len(order)) - self.relevant.offsets[self.request_of] + 1
        return place


def sums_by(member: IntArray, values: NDArray[Any], count: int) -> FloatArray:
    """Return the sum of the values of each of `count` members: [rows] both, to [count]."""
    return np.bincount(member, values, minlength=count).astype(np.float64, copy=False)


def judge(ranked: Candidates, relevant: Relevant) -> Judged:
    """Return where `ranked` shows the items of `relevant`, which is of the same requests.

    A relevant item that is no candidate counts as not found: metrics are over the whole catalogue, never over a sample
    of negatives, which can turn the order of two systems round (Krichene and Rendle, 2020).

    Raises E6381 where an item stands twice among the candidates of a request, E6382 twice among the relevant ones, and
    ValueError where the requests are not the same in number or a place in the catalogue is below 0.
    """
    relevant = relevant.positive()
    if len(relevant.offsets) != len(ranked.offsets):
        raise ValueError(f"{ranked.requests} requests are ranked and {len(relevant.offsets) - 1} have relevant items")
    if min(ranked.items.min(initial=0), relevant.items.min(initial=0)) < 0:
        raise ValueError("an item's place in the catalogue is below 0")
    catalogue = 1 + max(ranked.items.max(initial=-1), relevant.items.max(initial=-1))
    ranks = np.zeros(len(relevant.items), np.int64)
    listed, shown = _find_ranks(
        np.ascontiguousarray(ranked.offsets, np.int64),
        np.ascontiguousarray(ranked.items, np.int32),
        np.ascontiguousarray(relevant.offsets, np.int64),
        np.ascontiguousarray(relevant.items, np.int32),
        int(catalogue),
        ranks,
    )
    if shown >= 0:
        raise _twice("E6381", "the candidates", ranked.items[shown], ranked.offsets, shown)
    if listed >= 0:
        raise _twice("E6382", "the relevant items", relevant.items[listed], relevant.offsets, listed)
    return Judged(relevant, ranks, ranked.lengths)


def _twice(code: str, among: str, item: np.int32, offsets: Offsets, row: int) -> RunError:
    request = int(np.searchsorted(offsets, row, "right")) - 1
    return RunError.of(
        code, f"item {item} stands twice among {among} of request {request}", expected="each item at most once"
    )


@compiled("UniTuple(int64, 2)(int64[::1], int32[::1], int64[::1], int32[::1], int64, int64[::1])")
def _find_ranks(
    offsets: Offsets, items: Codes, wanted_offsets: Offsets, wanted: Codes, catalogue: int, ranks: IntArray
) -> tuple[int, int]:
    """Fill `ranks` of the wanted rows; return the first wanted row and the first row that repeat an item, or -1."""
    wanted_by = np.full(catalogue, -1, np.int64)
    seen_by = np.full(catalogue, -1, np.int64)
    row_of = np.empty(catalogue, np.int64)
    for request in range(len(offsets) - 1):
        for row in range(wanted_offsets[request], wanted_offsets[request + 1]):
            item = wanted[row]
            if wanted_by[item] == request:
                return row, -1
            wanted_by[item] = request
            row_of[item] = row
        for row in range(offsets[request], offsets[request + 1]):
            item = items[row]
            if seen_by[item] == request:
                return -1, row
            seen_by[item] = request
            if wanted_by[item] == request:
                ranks[row_of[item]] = row - offsets[request] + 1
    return -1, -1
