"""Recent: what the user dealt with last."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.best import best
from mlsd_framework.runtime.retrieval.candidates import Candidates, Mask
from mlsd_framework.runtime.retrieval.interactions import DAY, Histories
from mlsd_framework.runtime.retrieval.source import FileSource, gathered, looked_up, permitted


@dataclass(frozen=True)
class Recent(FileSource):
    """Distinct items by their last event; there is nothing to learn."""

    KIND: ClassVar = "recent"
    ARRAYS: ClassVar = {}
    SETTINGS: ClassVar = {}

    @classmethod
    def fit(cls) -> "Recent":
        """Return it."""
        return cls()

    def retrieve(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` items of the latest events; the `score` is 1 / (1 + days since)."""
        answers = (permitted(_last(histories.request(one)), allowed) for one in range(histories.requests))
        return gathered([best(scores, items, n, 0.0) for items, scores in answers])

    def score(self, histories: Histories, candidates: Candidates) -> NDArray[np.float64]:
        """Return the score of each candidate, whoever found it: [rows]; NaN where it is not in the history."""
        return looked_up([_last(histories.request(one)) for one in range(histories.requests)], candidates)

    def fault(self) -> str | None:
        """Nothing can be wrong."""
        return None


def _last(history: Histories) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    # The first of an item in reversed order is its last.
    items, places = np.unique(history.items[::-1], return_index=True)
    ages = (history.at[0] - history.times[::-1][places]) / DAY
    return items, 1.0 / (1.0 + np.maximum(ages, 0.0))
