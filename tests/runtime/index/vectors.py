"""Vectors for tests of indexes: a factor model with items of unequal length, and queries of its users."""

import numpy as np

from mlsd_framework.runtime.index.door import Vectors


def items_and_users(items: int, users: int, dim: int = 16, seed: int = 0) -> tuple[Vectors, Vectors]:
    """Return vectors of items, [items, dim], and of users, [users, dim]."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(8, dim))
    lengths = random.lognormal(0, 0.3, size=(items, 1))
    of_items = (random.normal(size=(items, 8)) @ mixing + 0.3 * random.normal(size=(items, dim))) * lengths
    return of_items.astype(np.float32), (random.normal(size=(users, 8)) @ mixing).astype(np.float32)
