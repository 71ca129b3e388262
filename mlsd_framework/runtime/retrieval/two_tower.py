"""Two towers: the user tower makes a vector of a history and of what else is known, and the nearest items answer.

The vectors of all items are those of the item tower, computed when it was trained. Without an index every item is
looked at; with one, those that it finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.digest import file_sha256
from mlsd_framework.runtime.index.door import Searchable
from mlsd_framework.runtime.index.recent_queries import RecentQueries
from mlsd_framework.runtime.index.saved import load_index
from mlsd_framework.runtime.retrieval.best import best
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Mask
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.later_vectors import LaterVectors
from mlsd_framework.runtime.retrieval.source import NOTHING, Answer, Source, among, gathered
from mlsd_framework.runtime.tensor_file import TensorFileError, read_tensors
from mlsd_framework.runtime.towers.user_tower import VECTORS_FORMAT, UserTower

HISTORY: Final = "history"
"""The feature of the user tower that is the last items of the history, by their places in the catalogue."""

_SLICE: Final = 256  # requests at a time


@dataclass(frozen=True)
class TwoTower(Source):
    """`vectors` [items, D] of the catalogue; `version` names the towers that they belong to.

    `later` are vectors of items that came or changed since, which the index has too; `asked` holds what the index was
    asked last.
    """

    tower: UserTower
    vectors: NDArray[np.float32]
    version: str
    index: Searchable | None = None
    later: LaterVectors | None = None
    asked: RecentQueries | None = None

    @classmethod
    def load(cls, vectors: Path, index: Path | None = None) -> "TwoTower":
        """Read the towers that lie beside their file of vectors, and an index by the file that describes it.

        Raises RunError: E6455 where a tower cannot be read, E6471 where the vectors cannot, E6807 where the index is of
        other vectors.
        """
        try:
            _, arrays = read_tensors(vectors, ["vectors"], VECTORS_FORMAT)
            found = arrays["vectors"]
        except (TensorFileError, KeyError) as fault:
            raise RunError.of(
                "E6471", f"`{vectors}` cannot be read as vectors of items: {fault}", help="train the model again"
            ) from fault
        made = cls(UserTower.load(vectors.parent), found, version_of(vectors))
        return made if index is None else made.with_index(index.parent)

    def with_index(self, folder: Path) -> "TwoTower":
        """Return it with an index over its vectors; E6807 where the index is of other vectors."""
        return replace(self, index=load_index(folder, fingerprint=self.version))

    def retrieve(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` nearest items of each request with their `score`; an index searches among what is allowed.

        A history without a known item gets no rows: of such a user the tower knows nothing.
        """
        return gathered(list(self._answers(histories, n, allowed)))

    def score(self, histories: Histories, candidates: Candidates) -> NDArray[np.float64]:
        """Return the score of each candidate, whoever found it: [rows]; NaN where the history is empty."""
        request_of = candidates.request_of
        users = self.users(histories)
        products = self.vectors_of(candidates.items) * users[request_of]
        scores: NDArray[np.float64] = products.sum(axis=1, dtype=np.float64)
        scores[np.diff(histories.offsets)[request_of] == 0] = np.nan
        return scores

    def vectors_of(self, items: Codes) -> NDArray[np.float32]:
        """Return the vectors of some items: [rows, D]."""
        return self.vectors[items] if self.later is None else self.later.of(items, self.vectors)

    def item_vectors(self, items: int) -> NDArray[np.float32]:
        """Return the vectors of the catalogue, which has so many items: [items, D]."""
        if len(self.vectors) != items:
            raise ValueError(f"there are vectors of {len(self.vectors)} items, and {items} in the catalogue")
        return self.vectors

    def users(self, histories: Histories) -> NDArray[np.float32]:
        """Return the vectors of the users of all requests: [requests, D]."""
        return self.once(histories, lambda: self._embedded(histories))

    def _embedded(self, histories: Histories) -> NDArray[np.float32]:
        if histories.requests == 1:
            return self.tower.vector(_row(histories))[None]
        return self.tower.vectors(self.tower.encoding.encode(_frame(histories)))

    def _answers(self, histories: Histories, n: int, allowed: Mask | None) -> Iterator[Answer]:
        empty = np.diff(histories.offsets) == 0
        users = self.users(histories)
        for first in range(0, histories.requests, _SLICE):
            rows = slice(first, first + _SLICE)
            for nothing, answer in zip(empty[rows], self._nearest(users[rows], n, allowed), strict=True):
                yield NOTHING if nothing else answer

    def _nearest(self, users: NDArray[np.float32], n: int, allowed: Mask | None) -> Iterator[Answer]:
        if self.index is None:
            everything = np.arange(len(self.vectors), dtype=np.int32)
            found = users @ self.vectors.T
            if allowed is not None:
                found[:, ~among(allowed, everything)] = -np.inf
            yield from (best(scores, everything, n, -np.inf) for scores in found)
            return
        if self.asked is not None:
            self.asked.add(users)
        ids, scores = self.index.search(users, n, allowed)
        for near, score in zip(ids, scores, strict=True):
            yield near[near >= 0].astype(np.int32), score[near >= 0].astype(np.float64)


def version_of(vectors: Path) -> str:
    """Return what names the towers that made a file of vectors."""
    return f"sha256:{file_sha256(vectors)[:16]}"


def _row(histories: Histories) -> dict[str, Any]:
    columns = {name: _plain(column[0]) for name, column in histories.columns.items()}
    return {HISTORY: histories.items.tolist(), **columns}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a feature is
    return None if isinstance(value, float) and np.isnan(value) else value


def _frame(histories: Histories) -> Any:  # noqa: ANN401 - polars is heavy, and one request does without
    import polars as pl  # noqa: PLC0415 - as above

    lists = [histories.items[first:last].tolist() for first, last in pairwise(histories.offsets.tolist())]
    columns = {
        name: pl.Series(name, column.tolist()) if column.dtype == object else pl.Series(name, column, nan_to_null=True)
        for name, column in histories.columns.items()
    }
    return pl.DataFrame({HISTORY: pl.Series(lists, dtype=pl.List(pl.Int64)), **columns})
