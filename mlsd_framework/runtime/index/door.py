"""The one door to every index of vectors, and the types that pass through it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Distance = Literal["dot", "cosine"]
"""What a score is: the dot product, or that of the vectors brought to length 1."""

Kind = Literal["exact", "scann", "faiss-ivfpq", "faiss-hnsw"]

Ids: TypeAlias = NDArray[np.int64]
"""Items by their place in the catalogue, from 0."""

Vectors: TypeAlias = NDArray[np.float32]
"""[rows, dim]"""

Scores: TypeAlias = NDArray[np.float32]
"""Larger is nearer."""

Rows: TypeAlias = NDArray[np.int64]
"""Places of vectors in an engine, -1 where there is none."""

Allowed: TypeAlias = NDArray[np.bool_] | NDArray[np.integer]
"""The items that an answer may hold: a mask by id, or their ids. Ids beyond the mask are not allowed."""

NOWHERE = -1


class Searchable(Protocol):
    """What can be asked for neighbours."""

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """Return ids and scores of the `k` nearest of each query, [q, k], nearest first; -1 and -inf where fewer."""

    def __len__(self) -> int:
        """Return how many vectors are in it."""


class Index(Searchable, Protocol):
    """What can be asked for neighbours and kept current. Searches never wait for writers, nor see half a write."""

    def upsert(self, ids: Ids, vectors: Vectors) -> None:
        """Put vectors in, or others in their place; the next search sees them. The last of one id counts."""

    def delete(self, ids: Ids) -> None:
        """Take items out; ids that are not in it are passed over."""

    def rebalance(self) -> None:
        """Build the structure again over what is in it now, beside the one that answers."""

    def save(self, folder: Path) -> None:
        """Write it to a new folder, in one rename."""


class Engine(Protocol):
    """A structure over a fixed set of rows, made once and then only asked: what an index keeps under its writes."""

    @property
    def kind(self) -> Kind:
        """Which structure it is."""

    def search(self, queries: Vectors, k: int, threads: int = 1) -> tuple[Rows, Scores]:
        """Return rows and scores of the `k` nearest of each query, [q, k]; -1 and -inf where fewer.

        The effort grows with `k` beyond the number that it was tuned for, so that recall holds.
        """

    def effort(self, k: int) -> float:
        """Return about how many products with whole rows a search for `k` is worth."""

    def settings(self) -> Mapping[str, int]:
        """Return what it was built with and how it is asked."""

    def save(self, folder: Path) -> None:
        """Write its files to an existing folder; the vectors themselves stand in `dataset.npy`."""
