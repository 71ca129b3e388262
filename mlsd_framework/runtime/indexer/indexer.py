"""One entity's items in step with their tables: what changes is embedded, published, and left for the workers."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.indexer.declarations import IndexedItems
from mlsd_framework.runtime.indexer.publishing import RowPublisher
from mlsd_framework.runtime.indexer.rows import ItemRows
from mlsd_framework.runtime.indexer.watching import FileWatch, Stamp
from mlsd_framework.runtime.retrieval.candidates import Codes
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.item_changes import ChangeFolder, ItemChanges
from mlsd_framework.runtime.retrieval.item_table import TABLE, ItemTable
from mlsd_framework.runtime.retrieval.items import Key
from mlsd_framework.runtime.retrieval.live_items import LiveItems
from mlsd_framework.runtime.retrieval.two_tower import TwoTower
from mlsd_framework.runtime.serving.bundle import Bundle
from mlsd_framework.runtime.towers.user_tower import VECTORS, OnnxTower

_SAME: Final = 1e-4
"""Vectors that differ by less, of a length of one, are of the same row: a batch of another size rounds otherwise."""

_MOST_GONE: Final = 0.5
"""Where more of the items than this share would go at once, the table is taken to be damaged."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """What came of a step: items that are new, changed and gone, and rows of features that were written."""

    new: int
    changed: int
    gone: int
    rows: dict[str, int]

    def __bool__(self) -> bool:
        """Say whether anything was done."""
        return bool(self.new or self.changed or self.gone or any(self.rows.values()))


@dataclass(frozen=True, slots=True)
class Places:
    """Where the tables are: the project's folder, and that of the checked rows of large ones."""

    project: Path
    checked: Path


class Indexer:
    """The items of one entity of the version in a bundle; one process a version writes to its folder of changes."""

    def __init__(
        self,
        items: IndexedItems,
        bundle: Bundle,
        places: Places,
        changes: Path,
        rows: RowPublisher | None,
        patience: float = math.inf,
    ) -> None:
        """Read what the version has; raises RunError where a file of it cannot be read.

        Tables that do not come to rest are waited for `patience` seconds.
        """
        self.items = items
        self._folder = ChangeFolder(changes / items.entity, bundle.version)
        self._publisher = rows
        self._places = places
        self._watch = FileWatch(items.tables, places.project, patience)
        self._before: pl.DataFrame | None = None
        self._embedders = {name: OnnxTower.load(bundle.folder / "models" / name) for name in items.towers}
        towers = {name: TwoTower.load(bundle.file(f"models/{name}/{VECTORS}")) for name in items.towers}
        for name, tower in towers.items():
            _check_index(bundle, name, tower)
        catalogue = bundle.loaded(Catalogue.load, f"catalogues/{items.entity}.safetensors")
        known = ItemTable.load(bundle.file(f"catalogues/{items.entity}.{TABLE}")) if items.conditions else None
        self._known = LiveItems(catalogue, towers, known)

    @property
    def alive(self) -> int:
        """How many items there are."""
        return self._known.current.alive

    def open(self) -> None:
        """Take over the folder of changes, with what is in it (E6807, E6812)."""
        self._folder.clear()
        for step, changes in self._folder.after(self._known.current.steps):
            self._known.take_in(changes, step)

    def step(self) -> Stepped | None:
        """Deal with what has changed of the tables; none where nothing has, or a file is still being written.

        Raises RunError where a table cannot be read, is taken to be damaged (E6813), or the store does not answer: what
        was there stays, and the next step tries again.
        """
        stamp = self._watch.changed()
        if stamp is None:
            return None
        rows = ItemRows.read(self.items, self._places.project, self._places.checked)
        if not self._watch.is_still(stamp):
            return None
        found = self._deal_with(rows, stamp)
        self._before = rows.digests
        self._watch.done(stamp)
        return found

    def _deal_with(self, rows: ItemRows, stamp: Stamp) -> Stepped:
        gone = self._gone(rows)
        touched = rows.changed_since(self._before)
        some = rows.of(touched) if self._before is not None else rows
        published = self._publish(some) if touched else {}
        changes, new = self._changes(some.listed() if touched else Catalogue(()), some, gone, stamp.at)
        if len(changes):
            step = self._known.current.steps + 1
            self._folder.write(changes, step, step)
            self._known.take_in(changes, step)
            self._folder.join()
        return Stepped(new, len(changes) - new - len(gone), len(gone), published)

    def _gone(self, rows: ItemRows) -> list[Key]:
        """Return the keys that the version has and the table has no more (E6813 where those are many)."""
        view, there = self._known.current, set(rows.keys())
        codes = np.arange(len(view.catalogue), dtype=np.int32)
        alive = view.catalogue.keys_of(codes if view.there is None else codes[view.there])
        gone = [key for key in alive if key not in there]
        if len(gone) > _MOST_GONE * len(alive):
            raise RunError.of(
                "E6813",
                f"`{self.items.table.name}` lacks {len(gone):,} of the {len(alive):,} items that are served",
                expected="a table that lists every item",
                help="deploy again where that many are really gone: a new version begins from the table",
            )
        return gone

    def _publish(self, some: ItemRows) -> dict[str, int]:
        if self._publisher is None or not self.items.groups:
            return {}
        return self._publisher.publish(self.items.groups, some.rows)

    def _changes(self, listed: Catalogue, some: ItemRows, gone: Sequence[Key], at: int) -> tuple[ItemChanges, int]:
        """Return the items of which the version knows otherwise, then those that are gone; and how many are new."""
        view = self._known.current
        codes = view.catalogue.codes_of(listed.keys)
        there = codes >= 0
        if view.there is not None:
            there[there] = view.there[codes[there]]
        vectors = {name: self._embedded(name, listed, some, codes) for name in self.items.towers}
        columns = self._conditions(listed, some)
        others = ~there | self._differ(listed, codes, there, vectors)
        if columns is not None and view.known is not None:
            others[there] |= _unlike(columns.filter(pl.Series(there)), view.known.of_places(codes[there]))
        kept = np.flatnonzero(others)
        keys = [*(listed.keys[row] for row in kept.tolist()), *gone]
        words = [*(listed.describe(row) or "" for row in kept.tolist()), *([""] * len(gone))]
        left = {
            name: np.concatenate([own[kept], np.zeros((len(gone), own.shape[1]), np.float32)])
            for name, own in vectors.items()
        }
        is_there = np.repeat([True, False], [len(kept), len(gone)])
        versions = {name: one.version for name, one in self._known.towers.items()}
        if columns is not None:
            columns = pl.concat([columns[kept], columns.clear(len(gone))])
        changes = ItemChanges(tuple(keys), tuple(words), is_there, left, versions, at, columns)
        return changes, int(np.count_nonzero(~there))

    def _conditions(self, listed: Catalogue, some: ItemRows) -> pl.DataFrame | None:
        """Return what conditions of a retrieval read of the items by now; none where there is no condition."""
        known = self._known.current.known
        if known is None:
            return None
        return some.conditions(listed) if len(listed) else known.rows.clear()

    def _embedded(self, name: str, listed: Catalogue, some: ItemRows, codes: Codes) -> NDArray[np.float32]:
        tower = self._embedders[name]
        if not len(listed):
            return np.empty((0, self._known.towers[name].vectors.shape[1]), np.float32)
        # What is new has no place that the tower has learned: any behind those of the version says so.
        places = np.where((codes < 0) | (codes >= len(self._known.catalogue)), len(self._known.catalogue), codes)
        return tower.vectors(tower.encoding.encode(some.seen_by(name, listed, places)))

    def _differ(
        self, listed: Catalogue, codes: Codes, there: NDArray[np.bool_], vectors: dict[str, NDArray[np.float32]]
    ) -> NDArray[np.bool_]:
        """Return which items that are there have other words or another vector by now."""
        view = self._known.current
        differ = np.zeros(len(listed), np.bool_)
        rows = np.flatnonzero(there)
        for name, tower in view.towers.items():
            had, has = tower.vectors_of(codes[rows]), vectors[name][rows]
            scale = np.maximum(np.linalg.norm(had, axis=1), 1e-9)
            differ[rows] |= np.linalg.norm(has - had, axis=1) > _SAME * scale
        for row in rows.tolist():
            differ[row] |= listed.describe(row) != view.catalogue.describe(int(codes[row]))
        return differ


def _unlike(one: pl.DataFrame, other: pl.DataFrame) -> NDArray[np.bool_]:
    """Return in which rows two frames of the same columns differ."""
    differ = np.zeros(one.height, np.bool_)
    for name in one.columns:
        differ |= one[name].ne_missing(other[name]).to_numpy()
    return differ


def _check_index(bundle: Bundle, model: str, tower: TwoTower) -> None:
    """Refuse towers of which no index of the bundle is (E6807)."""
    for name in bundle.manifest.files:
        if name.startswith("indexes/") and name.endswith("/index.json"):
            about = json.loads(bundle.file(name).read_bytes()).get("about", {})
            if about.get("fingerprint") == tower.version:
                return
    raise RunError.of(
        "E6807",
        f"no index of version `{bundle.version}` is of the vectors of `models.{model}`",
        expected=f"an index of `{tower.version}`",
        help="train and deploy model and index as one version",
    )
