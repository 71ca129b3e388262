"""Exact search: products in blocks, of which only the few best columns are looked at."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.index.door import Kind, Rows, Scores, Vectors

LEAST_ROWS, MOST_ROWS = 32_768, 131_072  # of a block
BLOCK_CELLS = 4_194_304  # 16 MiB of scores at once
FOLDS = 32  # a block's columns are folded so often before the best are sought


class ExactEngine:
    """Every query against every row: the fastest for small catalogues, and what others are measured against."""

    kind: Kind = "exact"

    def __init__(self, vectors: Vectors) -> None:
        """Take the rows, which may lie in a file: [rows, dim]."""
        self._vectors = vectors

    def search(self, queries: Vectors, k: int, threads: int = 1) -> tuple[Rows, Scores]:  # noqa: ARG002 - BLAS has its own
        """Return the `k` nearest rows of each query."""
        return exact_search(self._vectors, queries, k)

    def effort(self, k: int) -> float:  # noqa: ARG002 - it looks at all of them for any
        """Return the number of rows."""
        return float(len(self._vectors))

    def settings(self) -> Mapping[str, int]:
        """Return nothing: there is nothing to set."""
        return {}

    def save(self, folder: Path) -> None:
        """Write the vectors."""
        np.save(folder / "dataset.npy", self._vectors, allow_pickle=False)


def exact_search(
    vectors: Vectors, queries: Vectors, k: int, keep: NDArray[np.bool_] | None = None
) -> tuple[Rows, Scores]:
    """Return rows and scores of the `k` nearest of each query, [q, k]; -1 and -inf where fewer.

    `keep` says which rows may be answered: [rows]. Ties are taken in any order.
    """
    rows = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    if not len(vectors) or (keep is not None and not keep.any()):
        return rows, scores
    width = min(len(vectors), max(LEAST_ROWS, min(MOST_ROWS, BLOCK_CELLS // max(1, len(queries)))))
    height = max(1, BLOCK_CELLS // width)
    for first in range(0, len(queries), height):
        part = slice(first, first + height)
        for start in range(0, len(vectors), width):
            block = queries[part] @ vectors[start : start + width].T
            if keep is not None:
                np.copyto(block, -np.inf, where=~keep[start : start + width])
            columns, found = best_columns(block, k)
            columns[columns >= 0] += start
            rows[part], scores[part] = merge((rows[part], scores[part]), (columns, found), k)
    return rows, scores


def exact_subset(vectors: Vectors, queries: Vectors, k: int, subset: Rows) -> tuple[Rows, Scores]:
    """Return the `k` nearest of each query among some rows, as `exact_search` does."""
    places, scores = exact_search(vectors[subset], queries, k)
    if not len(subset):
        return places, scores
    return np.where(places >= 0, subset[places], -1), scores


def best_columns(scores: Scores, k: int) -> tuple[Rows, Scores]:
    """Return the `k` best columns of each row and their scores, [rows, k], best first; -1 where fewer or -inf.

    The columns are folded: of `FOLDS` that lie a fold's width apart only the largest is compared, and the `k` best lie
    among those of the `k` best folds.
    """
    count, columns = scores.shape
    width = columns // FOLDS
    if width > 4 * k:
        folded = width * FOLDS
        cube = scores[:, :folded].reshape(count, FOLDS, width)
        folds = np.argpartition(cube.max(axis=1), width - k, axis=1)[:, -k:]
        places = (folds[:, None, :] + (np.arange(FOLDS) * width)[:, None]).reshape(count, -1)
        rest = np.broadcast_to(np.arange(folded, columns), (count, columns - folded))
        places = np.concatenate([places, rest], axis=1)
        return _sorted(places, np.take_along_axis(scores, places, axis=1), k)
    return _sorted(np.broadcast_to(np.arange(columns), scores.shape), scores, k)


def merge(one: tuple[Rows, Scores], other: tuple[Rows, Scores], k: int) -> tuple[Rows, Scores]:
    """Return the `k` best of two answers to the same queries."""
    return _sorted(np.concatenate([one[0], other[0]], axis=1), np.concatenate([one[1], other[1]], axis=1), k)


def _sorted(places: NDArray[np.int64], scores: Scores, k: int) -> tuple[Rows, Scores]:
    if scores.shape[1] > k:
        chosen = np.argpartition(scores, scores.shape[1] - k, axis=1)[:, -k:]
        places, scores = np.take_along_axis(places, chosen, axis=1), np.take_along_axis(scores, chosen, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    places, scores = np.take_along_axis(places, order, axis=1), np.take_along_axis(scores, order, axis=1)
    missing = k - scores.shape[1]
    if missing > 0:
        places = np.pad(places, ((0, 0), (0, missing)), constant_values=-1)
        scores = np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf)
    return np.where(scores > -np.inf, places, -1), scores
