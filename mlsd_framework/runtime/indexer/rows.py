"""The rows of tables that say what items are, and which of them are others than at the last look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from mlsd_framework.runtime.data.scan import scan_source
from mlsd_framework.runtime.indexer.declarations import IndexedItems, ItemColumns
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.item_table import ItemTable
from mlsd_framework.runtime.retrieval.items import Key
from mlsd_framework.runtime.retrieval.tables import table

_KEY: Final = "key"
_DIGEST: Final = "digest"
ITEM: Final = "item"
"""The feature of an item tower that is the item itself, by its place."""


@dataclass(frozen=True, slots=True)
class ItemRows:
    """The rows of the tables by the tables' names, and a digest of what they say of each item."""

    items: IndexedItems
    rows: Mapping[str, pl.LazyFrame]
    digests: pl.DataFrame

    @classmethod
    def read(cls, items: IndexedItems, root: Path, checked: Path) -> "ItemRows":
        """Read and check the tables, as training does; raises RunError as `scan_source` does."""
        rows = {one.name: scan_source(one, root, checked).rows for one in items.tables}
        digests = None
        for one in items.tables:
            own = _digests(rows[one.name], items.key_of(one))
            # An item of which only another table has a row is none.
            digests = own if digests is None else _joined(digests, own)
        return cls(items, rows, pl.DataFrame() if digests is None else digests)

    def keys(self) -> list[Key]:
        """Return the key of every item, rising."""
        return self.digests[_KEY].to_list()

    def changed_since(self, before: pl.DataFrame | None) -> list[Key]:
        """Return the keys of items that are new, or of which something else is said than the digests `before` say.

        All, where nothing was before.
        """
        if before is None:
            return self.keys()
        return self.digests.join(before, on=[_KEY, _DIGEST], how="anti").sort(_KEY)[_KEY].to_list()

    def of(self, keys: Sequence[Key]) -> "ItemRows":
        """Return the rows of some items."""
        wanted = pl.Series(_KEY, list(keys), dtype=self.digests.schema[_KEY])
        rows = {
            one.name: self.rows[one.name].filter(pl.col(self.items.key_of(one)).is_in(wanted.implode()))
            for one in self.items.tables
        }
        return ItemRows(self.items, rows, self.digests.filter(pl.col(_KEY).is_in(wanted.implode())))

    def listed(self) -> Catalogue:
        """Return the items with their words, as a training lists them."""
        return Catalogue.of(self.rows[self.items.table.name].collect(), self.items.key, self.items.title)

    def seen_by(self, tower: str, catalogue: Catalogue, codes: np.ndarray) -> pl.DataFrame:
        """Return what an item tower reads of the items of a catalogue, whose places in the version are `codes`."""
        frames = self._columns(self.items.towers[tower], catalogue)
        return pl.concat([pl.DataFrame({ITEM: codes.astype(np.int64)}), *frames], how="horizontal")

    def conditions(self, catalogue: Catalogue) -> pl.DataFrame | None:
        """Return what conditions of a retrieval read of the items of a catalogue; none where there is no condition."""
        frames = self._columns(self.items.conditions, catalogue)
        return ItemTable.of(frames).rows if frames else None

    def _columns(self, columns: Sequence[ItemColumns], catalogue: Catalogue) -> list[pl.DataFrame]:
        return [table(self.rows[one.table.name], one.key, catalogue.keys, one.columns, one.group) for one in columns]


def _digests(rows: pl.LazyFrame, key: str) -> pl.DataFrame:
    """Return a digest of what the rows of each key say, their order included where there are several."""
    numbered = rows.drop_nulls(key).with_columns(pl.int_range(pl.len()).over(key).alias("__row"))
    hashed = numbered.select(pl.col(key).alias(_KEY), pl.struct(pl.all()).hash(seed=0).alias(_DIGEST))
    return hashed.group_by(_KEY).agg(pl.col(_DIGEST).sum()).sort(_KEY).collect()


def _joined(digests: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    named = other.rename({_DIGEST: "__other"}).with_columns(pl.col(_KEY).cast(digests.schema[_KEY], strict=False))
    both = digests.join(named, on=_KEY, how="left").with_columns(pl.col("__other").fill_null(0))
    return both.select(_KEY, pl.struct(_DIGEST, "__other").hash(seed=0).alias(_DIGEST)).sort(_KEY)
