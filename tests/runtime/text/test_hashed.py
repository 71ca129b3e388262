"""Hashed texts beside the plainest tf-idf, and their bytes in other processes."""

import hashlib
import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.text.hashed import WIDTH, embed, vectors

ROOT = Path(__file__).parents[3]
TEXTS = ["Fluid milk, white only", "MILK, white; flavored", "Tomatoes", "tomato, cherry", "Größe 12 küche", "a"]


def _grams(text: str) -> Counter[str]:
    """Return how often each word, and each of its parts of 3 to 5 characters, is there."""
    found: Counter[str] = Counter()
    for word in re.findall(r"\w+", text.casefold()):
        found[f"={word}"] += 1
        ended = f"<{word}>"
        found.update(ended[at : at + size] for size in (3, 4, 5) for at in range(len(ended) + 1 - size))
    return found


def _plain(texts: list[str]) -> np.ndarray:
    """Return the vectors, one text and one part of a word after another."""
    counted = [_grams(text) for text in texts]
    holds = Counter(gram for one in counted for gram in one)
    found = np.zeros((len(texts), WIDTH))
    for row, one in enumerate(counted):
        for gram, count in one.items():
            number = int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest(), "little")
            weight = (1 + math.log(count)) * (math.log((1 + len(texts)) / (1 + holds[gram])) + 1)
            found[row, number % WIDTH] += weight if number >= 2**63 else -weight
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(lengths > 0, lengths, 1)


@given(st.lists(st.text("ab ,Äß1", max_size=8), max_size=6))
@settings(max_examples=60, deadline=None)
def test_vectors_are_tf_idf_of_words_and_their_parts(texts: list[str]) -> None:
    """Each is what the formula gives, one part of a word after another; length 1, or zeros without a word."""
    assert embed(texts) == pytest.approx(_plain(texts), abs=1e-5)


def test_sentences_have_the_vectors_of_the_formula() -> None:
    """Longer words, several of them, umlauts."""
    assert embed(TEXTS) == pytest.approx(_plain(TEXTS), abs=1e-5)


def test_like_texts_are_nearer_than_unlike_ones() -> None:
    """A shared word or part of a word counts, and case does not."""
    cosines = embed(TEXTS) @ embed(TEXTS).T
    assert cosines[0, 1] > 0.4
    assert cosines[2, 3] > 0.3
    assert max(abs(cosines[0, 2]), abs(cosines[0, 4]), abs(cosines[2, 4])) < 0.2


def test_a_text_is_counted_once_however_many_items_have_it() -> None:
    """Rarity is among distinct texts; null and blank ones have zeros."""
    found = vectors(["milk", None, "milk", "bread", ""])
    assert found[[0, 3]].tolist() == embed(["milk", "bread"]).tolist()
    assert found[2].tolist() == found[0].tolist()
    assert not found[[1, 4]].any()


def test_vectors_are_the_same_in_every_process() -> None:
    """Another seed of Python's own hashes changes no byte."""
    code = (
        "import hashlib; from mlsd_framework.runtime.text.hashed import embed; "
        f"print(hashlib.sha256(embed({TEXTS!a}).tobytes()).hexdigest())"
    )
    found = set()
    for seed in ("0", "1", "2"):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        found.add(subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout)
    assert len(found) == 1
