"""The items of a version while it serves: new ones are found, changed ones change, what is gone is found no more.

A request takes `current` once and has a catalogue and sources that belong together; what comes meanwhile is seen by the
next request. Changes come from `item_changes`.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.door import Vectors
from mlsd_framework.runtime.index.live import Gate, LiveIndex
from mlsd_framework.runtime.index.rebuilding import rebuilt
from mlsd_framework.runtime.index.recent_queries import RecentQueries
from mlsd_framework.runtime.index.vector_index import Snapshot, VectorIndex
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Mask
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.grown_catalogue import GrownCatalogue
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.item_changes import ItemChanges
from mlsd_framework.runtime.retrieval.items import Items
from mlsd_framework.runtime.retrieval.later_vectors import LaterVectors
from mlsd_framework.runtime.retrieval.source import Source
from mlsd_framework.runtime.retrieval.two_tower import TwoTower

if TYPE_CHECKING:
    from mlsd_framework.runtime.retrieval.item_table import ItemTable

BESIDE: Final = 0.1
"""An engine is built again where more than this share of its rows came after it was built, or are dead."""

LEAST_BESIDE: Final = 1_024
"""So few rows cost a search nothing."""

LEAST_ASKED: Final = 64
"""On so many queries at least a new engine is measured."""


@dataclass(frozen=True)
class ItemsView:
    """What there is to recommend at one moment, after so many `steps`.

    `there` says of each place whether its item is there, [items]; none where all are. `known` is what conditions of a
    retrieval read of the items.
    """

    steps: int
    catalogue: Items
    towers: Mapping[str, TwoTower]
    there: NDArray[np.bool_] | None
    _base: Mapping[str, TwoTower] = field(repr=False)
    known: "ItemTable | None" = None
    _made: dict[int, tuple[Any, Mapping[str, Source]]] = field(default_factory=dict, init=False, repr=False)

    @property
    def alive(self) -> int:
        """How many items are there."""
        return len(self.catalogue) if self.there is None else int(np.count_nonzero(self.there))

    @property
    def table(self) -> "ItemTable":
        """What conditions of a retrieval read of the items, of a version that has some."""
        if self.known is None:
            raise LookupError("the version has no table of its items")
        return self.known

    def of(self, sources: Mapping[str, Source]) -> Mapping[str, Source]:
        """Return sources of the version as they are now: towers with what came, all without what is gone."""
        made = self._made.get(id(sources))
        if made is None:
            now = {id(self._base[name]): tower for name, tower in self.towers.items()}
            found = {name: now.get(id(one)) or self._left(one) for name, one in sources.items()}
            made = self._made.setdefault(id(sources), (sources, found))  # kept, so that no other comes to have its id
        return made[1]

    def _left(self, source: Source) -> Source:
        return source if self.there is None else Present(source, self.there)


@dataclass(frozen=True)
class Present(Source):
    """A source whose answers leave out what is gone; `there` [items], by place."""

    source: Source
    there: NDArray[np.bool_]

    def retrieve(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` best items of each request that are there and allowed."""
        return self.source.retrieve(histories, n, allowed=self._both(allowed))

    def retrieve_new(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` best items of each request that are there, allowed, and not in its history."""
        return self.source.retrieve_new(histories, n, allowed=self._both(allowed))

    def score(self, histories: Histories, candidates: Candidates) -> NDArray[np.float64]:
        """Return the score of each candidate, whoever found it: [rows]; NaN where there is none."""
        return self.source.score(histories, candidates)

    def _both(self, allowed: Mask | None) -> Mask:
        return self.there if allowed is None else self.there & allowed


class LiveItems:
    """The items of one entity with the towers that embed them; one thread writes, any number read `current`."""

    def __init__(self, catalogue: Catalogue, towers: Mapping[str, TwoTower], known: "ItemTable | None" = None) -> None:
        """Begin with what the version has; a tower with an index has a `VectorIndex`."""
        self.catalogue = catalogue
        self.towers = dict(towers)
        self.indexes = {
            name: LiveIndex(one.index) for name, one in towers.items() if isinstance(one.index, VectorIndex)
        }
        self._writing = threading.Lock()
        self._refused: dict[str, int] = {}
        asked = {
            name: replace(one, index=self._asked(name), asked=RecentQueries(one.vectors.shape[1]))
            for name, one in self.towers.items()
        }
        self.current = ItemsView(0, catalogue, asked, None, self.towers, known)

    @classmethod
    def load(cls, catalogue: Path, *files: Path) -> "LiveItems":
        """Read a catalogue and its towers, each by its vectors and its index; a tower is called as its folder is.

        Raises RunError as `Catalogue.load` and `TwoTower.load` do.
        """
        return cls(Catalogue.load(catalogue), _towers(files))

    @classmethod
    def load_with_table(cls, catalogue: Path, table: Path, *files: Path) -> "LiveItems":
        """Read what `load` does, and the table of what conditions read of the items; raises as `ItemTable.load` too."""
        from mlsd_framework.runtime.retrieval.item_table import ItemTable  # noqa: PLC0415 - polars is heavy

        return cls(Catalogue.load(catalogue), _towers(files), ItemTable.load(table))

    def take_in(self, changes: ItemChanges, steps: int) -> None:
        """Take changes in; the next request sees all of them, a request that is under way none.

        Raises RunError, and changes nothing: E6807 where other towers embedded, E6801 where a vector is none of theirs.
        """
        self._check(changes)
        with self._writing:
            self._take_in(changes, steps)

    def due(self) -> list[str]:
        """Return the towers whose index has so much beside its engine that another is to be built.

        Those of which too little has been asked to measure another wait.
        """
        return [
            name
            for name, index in self.indexes.items()
            if self._beside(name) > _beside_allowed(index.current) and len(self._queries(name)) >= LEAST_ASKED
        ]

    def rebalance(self, name: str, recall: float, k: int) -> float:
        """Build the engine of an index again over what is in it, beside the one that answers; return what it finds.

        It is exchanged where it finds the `recall` of the `k` nearest of what was asked last. Raises RunError E6809
        where it finds less: the one that answers stays, until there is as much more beside it again.
        """
        index = self.indexes[name]
        now, gate = index.current, Gate(self._queries(name), recall, k)
        try:
            found = index.refresh(lambda: rebuilt(now, gate), gate, keep=False)
        except RunError:
            self._refused[name] = now.fresh + now.state.dead
            raise
        self._refused.pop(name, None)
        with self._writing:
            towers = {**self.current.towers, name: replace(self.current.towers[name], index=self._asked(name))}
            self.current = replace(self.current, towers=towers)
        return found

    def _queries(self, name: str) -> Vectors:
        """Return what an index was asked last: [q, D]."""
        asked = self.current.towers[name].asked
        return np.empty((0, self.towers[name].vectors.shape[1]), np.float32) if asked is None else asked.sample()

    def _beside(self, name: str) -> int:
        index = self.indexes[name].current
        return index.fresh + index.state.dead - self._refused.get(name, 0)

    def _take_in(self, changes: ItemChanges, steps: int) -> None:
        view, codes = self.current, self.current.catalogue.codes_of(changes.keys)
        new = np.flatnonzero((codes < 0) & changes.there)
        codes[new] = np.arange(len(view.catalogue), len(view.catalogue) + len(new))
        rows = np.flatnonzero(codes >= 0)
        stays = rows[changes.there[rows]]
        catalogue = self._grown(changes, codes, new, stays)
        towers = {name: self._tower(name, changes, codes, stays, rows) for name in self.towers}
        there = np.ones(len(catalogue), np.bool_)
        if view.there is not None:
            there[: len(view.there)] = view.there
        there[codes[rows]] = changes.there[rows]
        gone = None if there.all() else there
        known = view.known
        if known is not None and changes.columns is not None:
            known = known.grown(codes[stays], changes.columns[stays], len(catalogue))
        self.current = ItemsView(steps, catalogue, towers, gone, self.towers, known)

    def _check(self, changes: ItemChanges) -> None:
        known = self.current.known
        if known is not None and (changes.columns is None or changes.columns.schema != known.rows.schema):
            raise RunError.of("E6812", "changes of items lack columns of the table that conditions read")
        for name, tower in self.towers.items():
            if changes.towers.get(name) != tower.version:
                raise RunError.of(
                    "E6807",
                    f"vectors of items by `{changes.towers.get(name)}` do not belong to `models.{name}`",
                    expected=f"vectors by `{tower.version}`, which embeds the queries",
                )
            own, wanted = changes.vectors[name], tower.vectors.shape[1]
            if own.shape[1:] != (wanted,):
                raise RunError.of("E6801", f"vectors of `models.{name}` are {own.shape[1:]}", expected=f"({wanted},)")

    def _grown(
        self, changes: ItemChanges, codes: Codes, new: NDArray[np.intp], stays: NDArray[np.intp]
    ) -> GrownCatalogue:
        now = self.current.catalogue
        grown = now if isinstance(now, GrownCatalogue) else GrownCatalogue(self.catalogue)
        words = {int(codes[row]): changes.descriptions[row] for row in stays.tolist()}
        titled = bool(self.catalogue.descriptions) or not len(self.catalogue)
        return grown.grown([changes.keys[row] for row in new.tolist()], words if titled else {})

    def _tower(
        self, name: str, changes: ItemChanges, codes: Codes, stays: NDArray[np.intp], rows: NDArray[np.intp]
    ) -> TwoTower:
        """Write to the index of a tower, and return the tower with what it has now."""
        tower, index = self.current.towers[name], self.indexes.get(name)
        vectors = changes.vectors[name][stays]
        if index is not None:
            if len(stays):
                index.upsert(codes[stays].astype(np.int64), vectors, fingerprint=changes.towers[name])
            gone = rows[~changes.there[rows]]
            if len(gone):
                index.delete(codes[gone].astype(np.int64))
        later = tower.later or LaterVectors.none(tower.vectors.shape[1])
        return replace(tower, later=later.with_rows(codes[stays], vectors), index=self._asked(name))

    def _asked(self, name: str) -> Snapshot | None:
        """Return what requests ask from now on: the index as it is, whatever is written to it later."""
        index = self.indexes.get(name)
        return None if index is None else index.current.snapshot()


def _towers(files: Sequence[Path]) -> dict[str, TwoTower]:
    """Read towers, each by its vectors and its index."""
    pairs = zip(files[::2], files[1::2], strict=True)
    return {vectors.parent.name: TwoTower.load(vectors, index) for vectors, index in pairs}


def _beside_allowed(index: VectorIndex) -> float:
    return max(LEAST_BESIDE, BESIDE * len(index.state.base.ids))
