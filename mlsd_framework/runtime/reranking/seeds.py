"""Chance that replays: numbers drawn from a request's id alone, the same in every process and for any batch."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled

Seeds = NDArray[np.uint64]
"""One a request: [requests]."""


def seeds_of(request_ids: Iterable[str], salt: str = "") -> Seeds:
    """Return a seed for each request, from its id and a salt (BLAKE2b): [requests].

    Give every stage that draws a salt of its own, such as its name, or their draws go together.
    """
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    digests = [hashlib.blake2b(one.encode(), digest_size=8, key=key).digest() for one in request_ids]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


@compiled
def uniform(seed: np.uint64, number: int) -> float:
    """Return the draw of a number under a seed, in [0, 1): the stream of splitmix64 (Steele et al. 2014)."""
    x = seed + np.uint64(number + 1) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((x ^ (x >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
