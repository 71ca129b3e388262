"""Vectors of many texts, each distinct one embedded once."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
"""A vector of length 1 for each text: [texts, D]; zeros for a text that has none."""

Embed: TypeAlias = Callable[[Sequence[str]], Vectors]
"""What makes a vector of each text: [texts, D], for no texts [0, D]."""


def each_once(texts: Sequence[str | None], embed: Embed) -> Vectors:
    """Return the vector of each text; one that is null or blank has zeros, and is not embedded."""
    places: dict[str, int] = {}
    for text in texts:
        if text is not None and text.strip():
            places.setdefault(text, len(places))
    distinct = embed(list(places))
    rows = np.array([-1 if text is None else places.get(text, -1) for text in texts], np.int64)
    vectors = np.zeros((len(texts), distinct.shape[1]), np.float32)
    vectors[rows >= 0] = distinct[rows[rows >= 0]]
    return vectors
