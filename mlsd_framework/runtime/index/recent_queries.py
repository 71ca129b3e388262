"""The last queries that an index was asked, kept to measure another index on what is really asked."""

import numpy as np

from mlsd_framework.runtime.index.door import Vectors


class RecentQueries:
    """The last `size` queries of so many dimensions. Several threads may add: which of two stays does not matter."""

    def __init__(self, dim: int, size: int = 512) -> None:
        """Hold none yet."""
        self._held: Vectors = np.zeros((size, dim), np.float32)
        self._added = 0

    def __len__(self) -> int:
        """Return how many are held."""
        return min(self._added, len(self._held))

    def add(self, queries: Vectors) -> None:
        """Hold some more, [q, dim], in the place of the oldest."""
        new = queries[-len(self._held) :]
        places = (self._added + np.arange(len(new))) % len(self._held)
        self._held[places] = new
        self._added += len(new)

    def sample(self) -> Vectors:
        """Return those that are held: [q, dim]."""
        return self._held[: len(self)].copy()
