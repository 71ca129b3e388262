"""What an index is at one moment: rows in an engine, rows beside it, and when each row stopped counting.

A search takes the state once. A writer never changes what that search can see: rows that it adds lie behind the state's
end, and rows that it takes out get the number of a later version. So there is nothing to lock, and nothing to copy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.index.door import Engine, Ids, Rows, Scores, Vectors
from mlsd_framework.runtime.index.exact import exact_search, exact_subset, merge

NEVER = np.iinfo(np.int64).max
EXACT_ROWS = 1_024
"""Among so few allowed rows an exact search is as fast as any."""

GATHERED = 8
"""What it costs to gather a row for a search among some, in products with it."""

MOST_FETCHED = 16_384
"""Beyond so many candidates of a query, an exact search among what is allowed is taken."""


@dataclass(frozen=True, slots=True)
class Base:
    """The rows of an engine: [rows] each, and `row_of` an id, [largest id + 1], -1 where it has none."""

    engine: Engine
    vectors: Vectors
    ids: Ids
    died: NDArray[np.int64]
    row_of: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Fresh:
    """Rows that came after the engine was built, searched one by one: [capacity] each, of which a state has some."""

    vectors: Vectors
    ids: Ids
    died: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class State:
    """A version: `used` rows of `fresh`, less all that died up to `version`; `dead` rows of the base did."""

    version: int
    base: Base
    fresh: Fresh
    used: int
    dead: int
    alive: int

    def search(self, queries: Vectors, k: int, mask: NDArray[np.bool_] | None, threads: int) -> tuple[Ids, Scores]:
        """Return ids and scores of the `k` nearest that are alive and allowed."""
        rows, scores = self._in_base(queries, k, mask, threads)
        ids = _named(self.base.ids, rows)
        if self.used:
            part = slice(0, self.used)
            kept = self.fresh.died[part] > self.version
            if mask is not None:
                kept &= among(mask, self.fresh.ids[part])
            if kept.any():
                fresh, near = exact_search(self.fresh.vectors[part], queries, k, None if kept.all() else kept)
                ids, scores = merge((ids, scores), (_named(self.fresh.ids, fresh), near), k)
        return ids, scores

    def living(self) -> tuple[Ids, Vectors]:
        """Return all ids and vectors of this version: [rows], [rows, dim]."""
        old = self.base.died > self.version
        new = self.fresh.died[: self.used] > self.version
        ids = np.concatenate([self.base.ids[old], self.fresh.ids[: self.used][new]])
        return ids, np.concatenate([self.base.vectors[old], self.fresh.vectors[: self.used][new]])

    def _in_base(self, queries: Vectors, k: int, mask: NDArray[np.bool_] | None, threads: int) -> tuple[Rows, Scores]:
        base = self.base
        size = len(base.ids)
        if mask is None and not self.dead:
            return base.engine.search(queries, k, threads)
        count = size - self.dead
        if mask is not None:
            count = min(count, int(np.count_nonzero(mask)))
        fetch = int(1.3 * k * size / max(1, count)) + 8
        exactly = count * (1 + GATHERED / max(1, len(queries)))
        if base.engine.kind == "exact" or count <= EXACT_ROWS or exactly <= base.engine.effort(fetch):
            return self._exactly(queries, k, mask)
        return self._fetched(queries, k, mask, fetch, threads)

    def _exactly(self, queries: Vectors, k: int, mask: NDArray[np.bool_] | None) -> tuple[Rows, Scores]:
        base = self.base
        if mask is not None and np.count_nonzero(mask) < len(base.ids) // 4:
            named = np.flatnonzero(mask[: len(base.row_of)])
            subset = base.row_of[named].astype(np.int64)
            subset = subset[subset >= 0]
            subset = np.sort(subset[base.died[subset] > self.version])
            return exact_subset(base.vectors, queries, k, subset)
        kept = base.died > self.version
        if mask is not None:
            kept &= among(mask, base.ids)
        return exact_search(base.vectors, queries, k, kept)

    def _fetched(
        self, queries: Vectors, k: int, mask: NDArray[np.bool_] | None, fetch: int, threads: int
    ) -> tuple[Rows, Scores]:
        """Fetch more than `k` and drop what may not be answered, more again for queries that came out short."""
        rows = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        short = np.arange(len(queries))
        most = min(MOST_FETCHED, len(self.base.ids) // 4)
        while len(short) and fetch <= most:
            found, near = self.base.engine.search(queries[short], fetch, threads)
            kept = (found >= 0) & (self.base.died[found] > self.version)
            if mask is not None:
                kept &= among(mask, self.base.ids[found])
            order = np.argsort(~kept, axis=1, kind="stable")[:, :k]
            enough = np.count_nonzero(kept, axis=1) >= k
            rows[short[enough]] = np.take_along_axis(found, order, axis=1)[enough]
            scores[short[enough]] = np.take_along_axis(near, order, axis=1)[enough]
            short = short[~enough]
            fetch *= 4
        if len(short):
            rows[short], scores[short] = self._exactly(queries[short], k, mask)
        return rows, scores


def among(mask: NDArray[np.bool_], ids: Ids) -> NDArray[np.bool_]:
    """Return which ids a mask holds; those beyond it are not held."""
    if not len(mask):
        return np.zeros(ids.shape, np.bool_)
    return mask[np.minimum(ids, len(mask) - 1)] & (ids < len(mask))


def new_base(engine: Engine, vectors: Vectors, ids: Ids, died: NDArray[np.int64] | None = None) -> Base:
    """Return the rows of an engine, all alive unless `died` says otherwise."""
    row_of = np.full(int(ids.max(initial=-1)) + 1, -1, np.int32)
    row_of[ids] = np.arange(len(ids), dtype=np.int32)
    return Base(engine, vectors, ids, np.full(len(ids), NEVER) if died is None else died, row_of)


def new_fresh(capacity: int, dim: int) -> Fresh:
    """Return room for rows beside an engine."""
    return Fresh(np.zeros((capacity, dim), np.float32), np.zeros(capacity, np.int64), np.full(capacity, NEVER))


def _named(ids: Ids, rows: Rows) -> Ids:
    if not len(ids):
        return np.full(rows.shape, -1, np.int64)
    return np.where(rows >= 0, ids[rows], -1)
