"""With which probability a pipeline shows which item in which place: what estimates from another policy's log ask."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.reranking.orders import FloatArray
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chances:
    """A row for each item that may be shown in a place, with its probability above 0: [entries] all.

    `requests` count from 0 and rise, and so do `places`.
    """

    requests: IntArray
    places: IntArray
    items: Codes
    chances: FloatArray

    @classmethod
    def certain(cls, shown: Candidates) -> "Chances":
        """Return those of lists in which nothing is drawn: each item stands where it stands."""
        return cls(shown.request_of, shown.place_of, shown.items, np.ones(len(shown.items)))

    @classmethod
    def of_each(cls, candidates: Candidates, table: Callable[[Candidates, slice], FloatArray]) -> "Chances":
        """Return those of requests one by one: `table` gives [places, rows] of one of them, of the rows `slice`."""
        bare = Candidates(candidates.offsets, candidates.items)
        parts: list[tuple[IntArray, IntArray, Codes, FloatArray]] = []
        for request in range(bare.requests):
            one = bare.between(request, request + 1)
            found = table(one, slice(bare.offsets[request], bare.offsets[request + 1]))
            places, rows = np.nonzero(found)
            parts.append((np.full(len(rows), request), places, one.items[rows], found[places, rows]))
        if not parts:
            return cls.certain(bare)
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def at(self, requests: IntArray, places: IntArray, items: Codes) -> FloatArray:
        """Return the probability that each request shows an item in a place: [rows]; 0 where it never does."""
        wide = int(max(self.items.max(initial=0), items.max(initial=0))) + 1
        high = int(max(self.places.max(initial=0), places.max(initial=0))) + 1
        keys = (self.requests * high + self.places) * wide + self.items
        wanted = (requests * high + places) * wide + items
        order = np.argsort(keys)
        found = np.minimum(np.searchsorted(keys, wanted, sorter=order), max(len(keys) - 1, 0))
        if not len(keys):
            return np.zeros(len(wanted))
        there = (keys[order[found]] == wanted) & (items >= 0)
        return np.where(there, self.chances[order[found]], 0.0)

    def expected(self, requests: IntArray, places: IntArray, values: FloatArray) -> FloatArray:
        """Return the mean of a value of each entry, [entries], in places of requests: [rows]; 0 where none is shown."""
        high = int(max(self.places.max(initial=0), places.max(initial=0))) + 1
        count = (int(max(self.requests.max(initial=0), requests.max(initial=0))) + 1) * high
        sums = np.bincount(self.requests * high + self.places, self.chances * values, minlength=count)
        found: FloatArray = sums[requests * high + places]
        return found
