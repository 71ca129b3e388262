"""What a generated `indexer.py` declares: the items of an entity, and what is known of them from which tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.features.columns import ColumnGroup


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Columns of a table that an item tower or a condition reads as `group.column`, a row an item by its `key`."""

    group: str
    table: SourceTable
    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedItems:
    """The items of `entity`: the rows of `table`, known by `key`, in words the columns `title`.

    `towers` are the models whose index finds them, each with what its item tower reads. `conditions` is what conditions
    of a retrieval read. `groups` are the features that are columns of these tables and that the online store keeps.
    """

    entity: str
    table: SourceTable
    key: str
    title: tuple[str, ...] = ()
    towers: Mapping[str, tuple[ItemColumns, ...]] = field(default_factory=dict)
    conditions: tuple[ItemColumns, ...] = ()
    groups: tuple[ColumnGroup, ...] = ()

    @property
    def read(self) -> tuple[ItemColumns, ...]:
        """Return everything that is read of the items beside their words."""
        return (*(one for tower in self.towers.values() for one in tower), *self.conditions)

    @property
    def tables(self) -> tuple[SourceTable, ...]:
        """Return every table that says something of the items, that which lists them first."""
        read = (columns.table for columns in self.read)
        return tuple({table.name: table for table in (self.table, *read)}.values())

    def key_of(self, table: SourceTable) -> str:
        """Return the column of a table that holds the items' keys."""
        if table.name == self.table.name:
            return self.key
        return next(one.key for one in self.read if one.table.name == table.name)
