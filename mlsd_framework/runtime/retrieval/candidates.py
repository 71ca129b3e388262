"""Candidates of requests: a set of rows for each, side by side, as every stage of a pipeline takes and gives them.

Online there is one request, in batch there are many; the stages are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Offsets: TypeAlias = NDArray[np.int64]
"""Where the rows of each request begin, and where the last ones end: [requests + 1]."""

Codes: TypeAlias = NDArray[np.int32]
"""Items by their place in the catalogue: [rows]."""

Column: TypeAlias = NDArray[Any]

Mask: TypeAlias = NDArray[np.bool_]
"""Which items may be answered, by their place in the catalogue: [items]; places beyond it may not."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows `offsets[i]:offsets[i + 1]` are those of request `i`: items, best first, and columns beside them.

    An item stands at most once among the rows of a request.
    """

    offsets: Offsets
    items: Codes
    columns: Mapping[str, Column] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many rows each request has: [requests]."""
        return np.diff(self.offsets)

    @property
    def request_of(self) -> NDArray[np.int64]:
        """The request of each row: [rows]."""
        return np.repeat(np.arange(self.requests), self.lengths)

    @property
    def place_of(self) -> NDArray[np.int64]:
        """The place of each row in its request, from 0: [rows]."""
        return np.arange(len(self.items)) - np.repeat(self.offsets[:-1], self.lengths)

    def of(self, request: int) -> Codes:
        """Return the items of one request, best first."""
        return self.items[self.offsets[request] : self.offsets[request + 1]]

    def between(self, first: int, last: int) -> "Candidates":
        """Return the rows of the requests from `first` up to `last`, which is none of them."""
        offsets = self.offsets[first : last + 1]
        rows = slice(offsets[0], offsets[-1])
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Candidates(offsets - offsets[0], self.items[rows], columns)

    def with_columns(self, **columns: Column) -> "Candidates":
        """Return them with more columns, or others in their place: [rows] each."""
        return Candidates(self.offsets, self.items, {**self.columns, **columns})

    def take(self, rows: NDArray[np.int64]) -> "Candidates":
        """Return some of the rows in a new order; those of one request have to stay together, requests in order."""
        counts = np.bincount(self.request_of[rows], minlength=self.requests) if self.requests != 1 else [len(rows)]
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Candidates(offsets_of(counts), self.items[rows], columns)

    def where(self, kept: NDArray[np.bool_]) -> "Candidates":
        """Return the rows for which `kept` is true: [rows]."""
        return self.take(np.flatnonzero(kept))

    def ordered(self, by: str) -> "Candidates":
        """Return each request's rows by a column, largest first, NaN last; equal ones keep their order."""
        keys = self.columns[by].astype(np.float64)
        if self.requests == 1:
            return self.take(np.argsort(-keys, kind="stable"))
        return self.take(np.lexsort((-keys, self.request_of)))

    def top(self, number: int) -> "Candidates":
        """Return the first rows of each request, at most so many."""
        if self.requests == 1:
            columns = {name: column[:number] for name, column in self.columns.items()}
            return Candidates(np.minimum(self.offsets, number), self.items[:number], columns)
        return self.where(self.place_of < number)


def offsets_of(lengths: "NDArray[np.integer] | Sequence[int]") -> Offsets:
    """Return the offsets of rows of which each request has so many: [requests] to [requests + 1]."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
