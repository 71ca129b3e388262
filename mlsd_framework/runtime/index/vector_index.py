"""An index of vectors: an engine, what was written since it was built, and one search over both."""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.index.checking import (
    allowed_mask,
    checked_ids,
    checked_k,
    checked_queries,
    checked_vectors,
)
from mlsd_framework.runtime.index.door import Allowed, Distance, Engine, Ids, Kind, Scores, Vectors
from mlsd_framework.runtime.index.engines import build_engine
from mlsd_framework.runtime.index.state import NEVER, State, new_base, new_fresh

LEAST_CAPACITY = 1_024
SHORT_LOG = 64
"""So few rows are replayed while writers wait; more are replayed beside them first."""

Write = tuple[Ids, Vectors | None]
"""What was put in, or, without vectors, taken out."""


class Trial(msgspec.Struct, frozen=True):
    """One way that was measured: how it is built and asked, what it finds, queries a second.

    Where it finds too little, the rate is 0: it was not measured.
    """

    kind: Kind
    settings: dict[str, int]
    recall: float
    per_second: float
    taken: bool = False


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What an index is of: the distance, the model that embedded, the kind and its settings, how they were found."""

    distance: Distance
    fingerprint: str
    kind: Kind
    settings: dict[str, int]
    trace: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An index as it was at one moment: whatever is written to it later, this finds what was in it then."""

    state: State
    about: About
    threads: int

    def __len__(self) -> int:
        """Return how many vectors were in it."""
        return self.state.alive

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """Return ids and scores of the `k` nearest of each query, [q, k], nearest first; -1 and -inf where fewer.

        E6802 for queries with NaN or of another dimension, E6803 for a filter that is neither a mask nor ids.
        """
        asked = checked_queries(queries, int(self.state.base.vectors.shape[1]), self.about.distance)
        return self.state.search(asked, checked_k(k), allowed_mask(allowed), self.threads)


class VectorIndex:
    """The door's index. Any number of threads may search and write; searches hold no lock and see whole writes only."""

    def __init__(self, state: State, about: About, threads: int = 1) -> None:
        """Take a state over; `threads` are those of one search of many queries, and of builds."""
        self.about = about
        self.threads = threads
        self._state = state
        self._writing = threading.Lock()
        self._rebuilding = threading.Lock()
        self._log: list[Write] | None = None
        self._place_of = _places(state)

    def __len__(self) -> int:
        """Return how many vectors are in it."""
        return self._state.alive

    @property
    def dim(self) -> int:
        """Values of a vector."""
        return int(self._state.base.vectors.shape[1])

    @property
    def fresh(self) -> int:
        """Rows that came since the engine was built; each search looks at all of them, until `rebalance`."""
        return self._state.used

    @property
    def engine(self) -> Engine:
        """The engine that answers now."""
        return self._state.base.engine

    @property
    def state(self) -> State:
        """The version that answers now."""
        return self._state

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """Return ids and scores of the `k` nearest of each query, [q, k], nearest first; -1 and -inf where fewer.

        E6802 for queries with NaN or of another dimension, E6803 for a filter that is neither a mask nor ids.
        """
        return self.snapshot().search(queries, k, allowed)

    def snapshot(self) -> Snapshot:
        """Return the index as it is now, which no later write changes."""
        return Snapshot(self._state, self.about, self.threads)

    def upsert(self, ids: Ids, vectors: Vectors) -> None:
        """Put vectors in, or others in their place, all at once: [rows], [rows, dim] (E6801, E6803)."""
        new = checked_vectors(vectors, self.dim, self.about.distance)
        named = checked_ids(ids, len(new))
        if len(named) > 1:  # the last of one id counts
            _, last = np.unique(named[::-1], return_index=True)
            if len(last) < len(named):
                kept = np.sort(len(named) - 1 - last)
                named, new = named[kept], new[kept]
        if len(named):
            self._write(named, new)

    def delete(self, ids: Ids) -> None:
        """Take items out, all at once; ids that are not in it are passed over (E6803)."""
        named = np.unique(checked_ids(ids))
        if len(named):
            self._write(named, None)

    def rebalance(self) -> None:
        """Build the engine again, with the same settings, over what is in; writes meanwhile are replayed onto it."""
        with self._rebuilding:
            with self._writing:
                self._log, state = [], self._state
            try:
                ids, vectors = state.living()
                other = index_of(ids, vectors, self.about, self.threads)
                with caught_up(other, self._writing, self._take_log):
                    self._state, self._place_of = other._state, other._place_of  # noqa: SLF001 - of the same class
            finally:
                self._log = None

    def save(self, folder: Path) -> None:
        """Write it to a new folder in one rename, each file with its SHA-256 in `index.json` (E6808)."""
        from mlsd_framework.runtime.index.saved import save_index  # noqa: PLC0415 - it reads what stands here

        save_index(self, folder)

    def apply(self, write: Write) -> None:
        """Do a write of a log again."""
        ids, vectors = write
        if vectors is None:
            self.delete(ids)
        else:
            self.upsert(ids, vectors)

    def _take_log(self) -> list[Write]:
        log, self._log = self._log or [], []
        return log

    def _write(self, ids: Ids, vectors: Vectors | None) -> None:
        with self._writing:
            if self._log is not None:
                self._log.append((ids, vectors))
            state = self._state if vectors is None else self._with_room(len(ids))
            places = self._places_of(ids)
            was = places[places >= 0]
            size = len(state.base.ids)
            in_base = was < size
            version = state.version + 1
            state.base.died[was[in_base]] = version
            state.fresh.died[was[~in_base] - size] = version
            used, added = state.used, 0
            if vectors is None:
                self._place_of[ids[places >= 0]] = -1
            else:
                added = len(ids)
                state.fresh.vectors[used : used + added] = vectors
                state.fresh.ids[used : used + added] = ids
                self._place_of[ids] = size + used + np.arange(added)
            self._state = State(
                version,
                state.base,
                state.fresh,
                used + added,
                state.dead + int(in_base.sum()),
                state.alive - len(was) + added,
            )

    def _with_room(self, rows: int) -> State:
        """Return the state, its fresh rows moved to larger arrays where there is no room; the dead stay behind."""
        state = self._state
        if state.used + rows <= len(state.fresh.ids):
            return state
        kept = np.flatnonzero(state.fresh.died[: state.used] == NEVER)
        room = new_fresh(max(LEAST_CAPACITY, 2 * (len(kept) + rows)), self.dim)
        room.vectors[: len(kept)] = state.fresh.vectors[kept]
        room.ids[: len(kept)] = state.fresh.ids[kept]
        self._place_of[room.ids[: len(kept)]] = len(state.base.ids) + np.arange(len(kept))
        return State(state.version, state.base, room, len(kept), state.dead, state.alive)

    def _places_of(self, ids: Ids) -> NDArray[np.int64]:
        largest = int(ids.max(initial=-1))
        if largest >= len(self._place_of):
            grown = np.full(max(largest + 1, len(self._place_of) * 5 // 4), -1, np.int64)
            grown[: len(self._place_of)] = self._place_of
            self._place_of = grown
        return self._place_of[ids]


@contextlib.contextmanager
def caught_up(other: VectorIndex, writing: threading.Lock, take: Callable[[], list[Write]]) -> Iterator[None]:
    """Bring a new index up to what was written while it was built, and run the block while writers wait.

    `take` hands the log of writes over; what is much is replayed before the lock is held for good. Writers that write
    as fast as that wait for the rest of it: else they would never be caught up with.
    """
    before = math.inf
    while True:
        with writing:
            log = take()
            rows = sum(len(ids) for ids, _ in log)
            if rows <= SHORT_LOG or rows > before / 2:
                for write in log:
                    other.apply(write)
                yield
                return
        for write in log:
            other.apply(write)
        before = rows


def build_index(
    ids: Ids,
    vectors: Vectors,
    *,
    fingerprint: str,
    kind: Kind = "exact",
    distance: Distance = "dot",
    settings: Mapping[str, int] | None = None,
    threads: int = 1,
) -> VectorIndex:
    """Build an index of ids, [rows], and vectors, [rows, dim], that the model `fingerprint` embedded (E6801, E6803).

    Without `settings` the kind has its usual ones, which reach no declared recall: see `tuned_index`.
    """
    rows = checked_vectors(vectors, None, distance)
    named = checked_ids(ids, len(rows), once=True)
    about = About(distance=distance, fingerprint=fingerprint, kind=kind, settings=dict(settings or {}))
    return index_of(named, rows, about, threads)


def index_of(ids: Ids, vectors: Vectors, about: About, threads: int, engine: Engine | None = None) -> VectorIndex:
    """Return an index of checked ids and vectors, over an engine or a new one."""
    built = engine or build_engine(about.kind, vectors, about.settings, threads)
    base = new_base(built, vectors, ids)
    state = State(0, base, new_fresh(LEAST_CAPACITY, vectors.shape[1]), 0, 0, len(ids))
    return VectorIndex(state, about, threads)


def _places(state: State) -> NDArray[np.int64]:
    """Return where each id stands: a row of the base, or behind those a row of the fresh ones; -1 for none."""
    old, new = state.base.died > state.version, state.fresh.died[: state.used] > state.version
    ids = np.concatenate([state.base.ids[old], state.fresh.ids[: state.used][new]])
    places = np.full(int(ids.max(initial=-1)) + 1, -1, np.int64)
    places[ids] = np.concatenate([np.flatnonzero(old), np.flatnonzero(new) + len(state.base.ids)])
    return places
