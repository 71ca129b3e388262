"""Vectors of items that came or changed after a version was made, beside those that the version has."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Codes

_LEAST = 256


@dataclass(frozen=True, slots=True)
class LaterVectors:
    """The vector of the item `codes[i]`, which rise, is `held[rows[i]]`: [m], [m] and [capacity, D].

    Rows of `held` are written once. A step writes behind those that are `used`, so that whoever has an earlier step
    goes on seeing what that one saw; one writer at a time, each from the last step.
    """

    codes: Codes
    rows: NDArray[np.int64]
    held: NDArray[np.float32]
    used: int = 0

    @classmethod
    def none(cls, dimension: int) -> "LaterVectors":
        """Return what there is before the first change."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int64), np.empty((0, dimension), np.float32))

    def with_rows(self, codes: Codes, vectors: NDArray[np.float32]) -> "LaterVectors":
        """Return it with the vectors of some items, or others in their place: [rows], each item once, [rows, D]."""
        end = self.used + len(codes)
        held = self.held if end <= len(self.held) else self._larger(end)
        held[self.used : end] = vectors
        kept = ~np.isin(self.codes, codes)
        every = np.concatenate([self.codes[kept], codes]).astype(np.int32)
        rows = np.concatenate([self.rows[kept], np.arange(self.used, end)])
        order = np.argsort(every)
        return LaterVectors(every[order], rows[order], held, end)

    def of(self, items: Codes, base: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of items, [rows, D]: those in `base`, [items, D], where nothing came later."""
        places = np.searchsorted(self.codes, items)
        places[places == len(self.codes)] = 0
        later = self.codes[places] == items if len(self.codes) else np.zeros(len(items), np.bool_)
        found = base[np.where(later, 0, items)] if len(base) else np.zeros((len(items), base.shape[1]), np.float32)
        found[later] = self.held[self.rows[places[later]]]
        return found

    def _larger(self, rows: int) -> NDArray[np.float32]:
        larger = np.empty((max(_LEAST, 2 * rows), self.held.shape[1]), np.float32)
        larger[: self.used] = self.held[: self.used]
        return larger
