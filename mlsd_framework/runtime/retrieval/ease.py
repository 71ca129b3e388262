"""EASE: a linear autoencoder over items, in closed form (Steck, "Embarrassingly Shallow Autoencoders", 2019)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.candidates import Codes
from mlsd_framework.runtime.retrieval.common_items import common_items, known_rows
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.profile import Weighting
from mlsd_framework.runtime.retrieval.source import ModelSource, Scores


@dataclass(frozen=True)
class Ease(ModelSource):
    """`weights` [scored, scored]: row of an item of the history, column of the item that is scored."""

    KIND: ClassVar = "ease"
    ARRAYS: ClassVar = {"codes": (np.int32, 1), "weights": (np.float32, 2)}
    SETTINGS: ClassVar = {"half_life": int, "amount": str}

    codes: Codes
    weights: NDArray[np.float32]
    half_life: int
    amount: str

    @classmethod
    def fit(
        cls,
        log: Interactions,
        *,
        l2: float = 500.0,
        most: int = 5000,
        sessions: int = 0,
        vectors: NDArray[np.floating] | None = None,
        likeness: float = 0.0,
        weighting: Weighting | None = None,
    ) -> Self:
        """Learn from the profiles of all users, on the `most` items that most users have.

        `l2` is the regularisation of the weights, in users. `sessions` learns from sessions that end with a pause of so
        many microseconds, each as if it were a user. `vectors` [items, D] of length 1 say what items are: two that
        are alike count as if `likeness` times their product more users had both (Jeunen et al. 2020). Takes memory for
        `most` squared doubles three times, time with its cube: 5,000 items take some ten seconds.
        """
        how = weighting or Weighting()
        profiles = how.of_users(log.sessions(sessions) if sessions else log)
        codes = common_items(profiles, log.item_count, most)
        gram = _gram(*known_rows(profiles, codes, log.item_count), len(codes))
        if vectors is not None:
            known = np.asarray(vectors, np.float64)[codes]
            gram += likeness * (known @ known.T)
        gram[np.diag_indices(len(codes))] += l2
        inverse = np.linalg.inv(gram)
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return cls(codes, weights.astype(np.float32), how.half_life, how.amount)

    def scores(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> Scores:
        """Return the sum of the rows of the history's items, by weight: [scored]."""
        return _summed(self.weights, places, weights)

    def fault_of_model(self) -> str | None:
        """Check that the weights are a finite square over the codes."""
        if self.weights.shape != (len(self.codes), len(self.codes)):
            return f"`weights` have the shape {self.weights.shape} for {len(self.codes)} codes"
        return None if np.isfinite(self.weights).all() else "`weights` hold a value that is not finite"


@compiled
def _gram(
    offsets: NDArray[np.int64], places: NDArray[np.int64], weights: NDArray[np.float64], items: int
) -> NDArray[np.float64]:
    gram = np.zeros((items, items))
    for user in range(len(offsets) - 1):
        for row in range(offsets[user], offsets[user + 1]):
            for other in range(offsets[user], offsets[user + 1]):
                gram[places[row], places[other]] += weights[row] * weights[other]
    return gram


@compiled
def _summed(
    matrix: NDArray[np.float32], places: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    total = np.zeros(matrix.shape[1], np.float32)
    for number in range(len(places)):
        weight = np.float32(weights[number])
        row = matrix[places[number]]
        for column in range(len(total)):
            total[column] += weight * row[column]
    return total
