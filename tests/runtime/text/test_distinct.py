"""Each distinct text is embedded once."""

from collections.abc import Sequence

import numpy as np

from mlsd_framework.runtime.text.distinct import Vectors, each_once


def test_a_text_is_embedded_once_and_null_or_blank_ones_are_not() -> None:
    """Rows with one text have one vector, those without a text have zeros."""
    asked: list[list[str]] = []

    def embed(texts: Sequence[str]) -> Vectors:
        asked.append(list(texts))
        return np.arange(1, len(texts) + 1, dtype=np.float32)[:, None].repeat(2, axis=1)

    found = each_once(["b", "", "a", None, "b", " \t"], embed)
    assert asked == [["b", "a"]]
    assert found.tolist() == [[1, 1], [0, 0], [2, 2], [0, 0], [1, 1], [0, 0]]


def test_without_any_text_all_is_zeros() -> None:
    """The width is that of what embeds."""
    found = each_once([None, ""], lambda texts: np.empty((len(texts), 3), np.float32))
    assert found.tolist() == [[0, 0, 0], [0, 0, 0]]
