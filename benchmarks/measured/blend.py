"""A blend of what sources say: sources picked one by one, with repeats, each time the one that helps NDCG most.

Picks instead of free weights, which would set sources that are alike against each other (Caruana et al., "Ensemble
Selection from Libraries of Models", 2004).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from measured.candidates import Part
from mlsd_framework.runtime.retrieval.candidates import Candidates

PICKS = 12


class Blend:
    """How often each source was picked."""

    def __init__(self) -> None:
        self.picked = np.zeros(0)

    def learn(self, parts: Sequence[Part], pools: Sequence[Candidates], tables: Sequence[NDArray[np.float64]]) -> None:
        """Pick by the mean NDCG over some parts; `tables` [rows, sources] are on one scale within a request."""
        width = tables[0].shape[1]
        best, kept = -1.0, np.zeros(width)
        self.picked = np.zeros(width)
        for _ in range(PICKS):
            values = []
            for source in range(width):
                weights = self.picked + np.eye(width)[source]
                values.append(
                    np.mean(
                        [
                            part.ndcg(_ordered(pool, table, weights))
                            for part, pool, table in zip(parts, pools, tables, strict=True)
                        ]
                    )
                )
            self.picked[int(np.argmax(values))] += 1
            if max(values) > best:
                best, kept = float(max(values)), self.picked.copy()
        self.picked = kept

    def order(self, pool: Candidates, table: NDArray[np.float64]) -> Candidates:
        """Return the candidates in the order of the blend."""
        return _ordered(pool, table, self.picked)


def _ordered(pool: Candidates, table: NDArray[np.float64], weights: NDArray[np.float64]) -> Candidates:
    scored = Candidates(pool.offsets, pool.items, {"score": table @ weights})
    return scored.ordered("score")
