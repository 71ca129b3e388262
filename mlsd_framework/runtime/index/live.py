"""An index in service: built anew beside the one that answers, held to a recall, exchanged at once, and taken back."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.checking import checked_queries
from mlsd_framework.runtime.index.door import Allowed, Ids, Scores, Vectors
from mlsd_framework.runtime.index.exact import exact_search
from mlsd_framework.runtime.index.tuning import recall_of
from mlsd_framework.runtime.index.vector_index import VectorIndex, Write, caught_up

Embed = Callable[[Ids], Vectors]
"""Vectors of items by the new model, [rows] to [rows, dim]: what was written meanwhile is of the old one."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a new index has to find: the share of the `k` truly nearest, on queries, [q, dim], of its own model."""

    queries: Vectors
    recall: float
    k: int = 10


class LiveIndex:
    """The index that answers, the one before it, and their exchange.

    A reader takes `current` once for a request and has a model and an index that belong together; nothing that happens
    later changes which one it asks. `search` does that by itself. Writes go to both indexes, so that a way back does
    not lose them; of vectors, only those of the model that an index is of.
    """

    def __init__(self, index: VectorIndex) -> None:
        """Let an index answer."""
        self._current = index
        self._previous: VectorIndex | None = None
        self._writing = threading.Lock()
        self._refreshing = threading.Lock()
        self._log: list[Write] | None = None

    @property
    def current(self) -> VectorIndex:
        """The index that answers now; its `about.fingerprint` names the model whose queries it takes."""
        return self._current

    @property
    def previous(self) -> VectorIndex | None:
        """The index that `rollback` would bring back."""
        return self._previous

    def __len__(self) -> int:
        """Return how many vectors are in the index that answers."""
        return len(self._current)

    def search(
        self, queries: Vectors, k: int, allowed: Allowed | None = None, *, fingerprint: str | None = None
    ) -> tuple[Ids, Scores]:
        """Return what the index that answers now finds; with `fingerprint`, only for queries of its model (E6807)."""
        index = self._current
        if fingerprint is not None:
            _same_model(index, fingerprint, "queries")
        return index.search(queries, k, allowed)

    def upsert(self, ids: Ids, vectors: Vectors, *, fingerprint: str | None = None) -> None:
        """Put vectors in, or others in their place; the next search sees them (E6801, E6803, E6807).

        `fingerprint` is of the model that embedded them; without it they are taken to be of the current one.
        """
        with self._writing:
            index = self._current
            if fingerprint is not None:
                _same_model(index, fingerprint, "vectors")
            index.upsert(ids, vectors)
            write = (np.array(ids, np.int64), np.array(vectors, np.float32))
            if self._log is not None:
                self._log.append(write)
            before = self._previous
            if before is not None and before.about.fingerprint == index.about.fingerprint and before.dim == index.dim:
                before.upsert(*write)

    def delete(self, ids: Ids) -> None:
        """Take items out of the index that answers and of the one before it."""
        with self._writing:
            self._current.delete(ids)
            if self._log is not None:
                self._log.append((np.array(ids, np.int64), None))
            if self._previous is not None:
                self._previous.delete(ids)

    def rebalance(self) -> None:
        """Build the engine again over what is in, with the same settings, while it answers."""
        with self._refreshing:
            self._current.rebalance()

    def refresh(
        self, build: Callable[[], VectorIndex], gate: Gate, embed: Embed | None = None, *, keep: bool = True
    ) -> float:
        """Build an index beside the one that answers, hold it to the gate, exchange them; return the recall it has.

        Writes that come meanwhile are replayed onto the new one. Where it is of another model, `embed` makes their
        vectors anew; without it such writes are refused. Without `keep` the one before goes, and with it the way back.
        E6809 where it finds less than the gate asks: the one that answers then stays.
        """
        with self._refreshing:
            with self._writing:
                self._log = []
            try:
                new = build()
                recall = measured_recall(new, gate)
                if recall < gate.recall:
                    raise RunError.of(
                        "E6809",
                        f"the new index finds {recall:.1%} of the {gate.k} nearest; the one before it stays",
                        expected=f"a recall of {gate.recall}",
                        help="build it with `tuned_index`, or look at the vectors that it is built of",
                    )
                with caught_up(new, self._writing, lambda: self._translated(new, embed)):
                    self._previous, self._current = self._current if keep else None, new
            finally:
                self._log = None
        return recall

    def rollback(self) -> None:
        """Let the index before the last exchange answer again, with what was written since (E6810).

        A second call takes the first one back.
        """
        with self._refreshing, self._writing:
            if self._previous is None:
                raise RunError.of("E6810", "there is no index before this one", expected="a `refresh` before it")
            self._previous, self._current = self._current, self._previous

    def _translated(self, new: VectorIndex, embed: Embed | None) -> list[Write]:
        """Hand the log over, its vectors as the new index wants them."""
        log, self._log = self._log or [], []
        about = new.about
        if about.fingerprint == self._current.about.fingerprint:
            return log
        if embed is None and any(vectors is not None for _, vectors in log):
            raise RunError.of(
                "E6807",
                f"vectors of model `{self._current.about.fingerprint}` came while the index of another was built",
                expected=f"vectors of model `{about.fingerprint}`",
                help="say how items are embedded anew (`embed`)",
            )
        return [(ids, None if vectors is None or embed is None else embed(ids)) for ids, vectors in log]


def measured_recall(index: VectorIndex, gate: Gate) -> float:
    """Return the share of the `k` truly nearest that an index finds, by exact search over the same vectors."""
    ids, vectors = index.state.living()
    queries = checked_queries(gate.queries, index.dim, index.about.distance)
    truth, _ = exact_search(vectors, queries, gate.k)
    named = np.where(truth >= 0, ids[truth] if len(ids) else truth, -1)
    return recall_of(index.search(gate.queries, gate.k)[0], named)


def _same_model(index: VectorIndex, fingerprint: str, what: str) -> None:
    if index.about.fingerprint != fingerprint:
        raise RunError.of(
            "E6807",
            f"{what} of model `{fingerprint}` do not belong to the index that answers",
            expected=f"{what} of model `{index.about.fingerprint}`",
        )
