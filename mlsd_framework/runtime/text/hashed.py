"""Vectors of texts from their words and parts of words, hashed into few dimensions: nothing is downloaded or learned.

Words that share a part are near each other (`tomato`, `tomatoes`); that two words mean the same is not seen.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.text.distinct import Vectors, each_once

WIDTH: Final = 512
"""Dimensions: the product of two vectors errs by about 0.04, and by less in the principal axes that are kept."""

_WORD: Final = re.compile(r"\w+")
_PARTS: Final = (3, 4, 5)
"""Characters of a part of a word, whose ends count as characters."""

_Hashes: TypeAlias = NDArray[np.uint64]
_NONE: Final[_Hashes] = np.empty(0, np.uint64)


def vectors(texts: Sequence[str | None]) -> Vectors:
    """Return the vector of each text; one without any word has zeros."""
    return each_once(texts, embed)


def embed(texts: Sequence[str]) -> Vectors:
    """Return vectors of tf-idf over words and parts of words: [texts, WIDTH].

    What is in fewer of these texts weighs more. Each word or part stands in one dimension with a sign, both by its
    hash, so that those which share a dimension cancel out rather than add up (Weinberger et al. 2009).
    """
    known: dict[str, _Hashes] = {}
    grams = [_grams(text, known) for text in texts]
    row_of = np.repeat(np.arange(len(texts)), [len(one) for one in grams])
    distinct, code_of = np.unique(np.concatenate([_NONE, *grams]), return_inverse=True)
    pairs, counts = np.unique(row_of * max(len(distinct), 1) + code_of, return_counts=True)
    rows, codes = np.divmod(pairs, max(len(distinct), 1))
    frequency = np.bincount(codes, minlength=len(distinct))
    rarity = np.log((1 + len(texts)) / (1 + frequency)) + 1.0
    sign = np.where(distinct >> np.uint64(63), 1.0, -1.0)
    places = (distinct % np.uint64(WIDTH)).astype(np.int64)
    found = np.zeros((len(texts), WIDTH), np.float32)
    np.add.at(found, (rows, places[codes]), ((1.0 + np.log(counts)) * (rarity * sign)[codes]).astype(np.float32))
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    found /= np.maximum(lengths, np.finfo(np.float32).tiny)
    return found


def _grams(text: str, known: dict[str, _Hashes]) -> _Hashes:
    """Return the hashes of a text's words and of their parts, repeated as they repeat; `known` are words seen."""
    words = _WORD.findall(text.casefold())
    for word in words:
        if word not in known:
            ended = f"<{word}>"
            parts = [ended[at : at + size] for size in _PARTS for at in range(len(ended) - size + 1)]
            # Not Python's own hash, which is another one in every process.
            digests = b"".join(blake2b(one.encode(), digest_size=8).digest() for one in (f"={word}", *parts))
            known[word] = np.frombuffer(digests, "<u8").astype(np.uint64)
    return np.concatenate([_NONE, *(known[word] for word in words)])
