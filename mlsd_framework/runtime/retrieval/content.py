"""Content: the items nearest to the mean of the history's items, by vectors that come from elsewhere."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Codes
from mlsd_framework.runtime.retrieval.factors import mean_of, product, spread_over
from mlsd_framework.runtime.retrieval.profile import Weighting
from mlsd_framework.runtime.retrieval.source import ModelSource, Scores


@dataclass(frozen=True)
class Content(ModelSource):
    """`vectors` [D, scored] of length 1, of the items that have one."""

    KIND: ClassVar = "content"
    ARRAYS: ClassVar = {"codes": (np.int32, 1), "vectors": (np.float32, 2)}
    SETTINGS: ClassVar = {"half_life": int, "amount": str}

    codes: Codes
    vectors: NDArray[np.float32]
    half_life: int
    amount: str

    @classmethod
    def fit(
        cls, vectors: NDArray[np.floating], *, dimensions: int | None = None, weighting: Weighting | None = None
    ) -> Self:
        """Take the vectors of all items of the catalogue: [items, D]; one of zeros, or with a NaN, is no vector.

        `dimensions` keeps the first principal axes alone, about the origin: answering takes time with their number.
        """
        how = weighting or Weighting()
        wide = np.asarray(vectors, np.float64)
        lengths = np.linalg.norm(wide, axis=1)
        codes = np.flatnonzero(lengths > 0).astype(np.int32)
        kept = wide[codes] / lengths[codes, None]
        if dimensions is not None and dimensions < kept.shape[1]:
            _, axes = np.linalg.eigh(kept.T @ kept)
            kept = kept @ axes[:, ::-1][:, :dimensions]
            kept /= np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return cls(codes, np.ascontiguousarray(kept.T, np.float32), how.half_life, how.amount)

    def scores(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> Scores:
        """Return the cosine of each item's vector and the weighted mean of the history's: [scored]."""
        return product(self.vectors, mean_of(self.vectors, places, weights))

    def item_vectors(self, items: int) -> NDArray[np.float32]:
        """Return the vectors of all items of a catalogue, zeros for those without: [items, D]."""
        return spread_over(self.vectors, self.codes, items)

    def fault_of_model(self) -> str | None:
        """Check that each code has a finite vector."""
        if self.vectors.shape[1] != len(self.codes):
            return f"`vectors` have the shape {self.vectors.shape} for {len(self.codes)} codes"
        return None if np.isfinite(self.vectors).all() else "`vectors` hold a value that is not finite"
