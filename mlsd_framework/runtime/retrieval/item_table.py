"""What is known of all items, as conditions of a retrieval read it: columns of tables, a row an item, by place.

A condition is computed once for each distinct row of what it reads, so it costs as many rows as there are categories,
and the items take what their row gives. The last masks are kept, by what the request says.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.candidates import Codes, Mask
from mlsd_framework.runtime.retrieval.frames import holds, series_of
from mlsd_framework.runtime.retrieval.item_columns import array_names, arrays_of, columns_from, normal, types_of
from mlsd_framework.runtime.tensor_file import TensorFileError, read_tensors, write_tensors

_FORMAT: Final = "mlsd item table 1"
_GROUP: Final = "__group"
TABLE: Final = "table.safetensors"
"""What the file of an entity's table ends with; it lies beside its catalogue."""

KEPT: Final = 64
"""So many masks are kept, of one byte an item each."""

DType = pl.DataType | type[pl.DataType]


@dataclass(frozen=True, eq=False)
class Where:
    """A condition on items: over `columns` that are known of all of them, and values that requests give, with types.

    It holds where it is true, which null is not.
    """

    condition: pl.Expr
    columns: tuple[str, ...] = ()
    asked: Mapping[str, DType] = field(default_factory=dict)

    def key(self, values: Mapping[str, Any]) -> tuple[Hashable, ...]:
        """Return what requests that are allowed the same items have in common."""
        return tuple(_plain(values[name]) for name in self.asked)

    def held(self, rows: pl.DataFrame, values: Mapping[str, Any]) -> Mask:
        """Return for which rows of `columns` it holds, where these are the values of the request: [rows]."""
        given = [series_of(name, values[name], rows.height, dtype) for name, dtype in self.asked.items()]
        return holds(rows.with_columns(given) if given else rows, self.condition)


class ItemTable:
    """The columns `rows` of the items by place, and behind or instead of them what came since.

    It never changes. Any number of threads may ask.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        """Take columns as `normal` has them."""
        self.rows = rows
        self._groups: dict[Where, tuple[pl.DataFrame, NDArray[np.intp]]] = {}
        self._masks = _Kept(KEPT)

    def __len__(self) -> int:
        """Return how many places there are."""
        return self.rows.height

    @classmethod
    def of(cls, columns: Sequence[pl.DataFrame]) -> "ItemTable":
        """Return the columns of several frames, each a row an item in the order of places."""
        return cls(normal(pl.concat(columns, how="horizontal")))

    def save(self, path: Path) -> None:
        """Write it to one safetensors file; the same rows give the same bytes."""
        header = {"format": _FORMAT, "columns": list(types_of(self.rows).items()), "items": self.rows.height}
        write_tensors(path, header, arrays_of(self.rows))

    @classmethod
    def load(cls, path: Path) -> "ItemTable":
        """Read what `save` wrote.

        Raises RunError: E6471 where it cannot be read as such a file, E6472 where it contradicts itself.
        """
        try:
            header, _ = read_tensors(path, (), _FORMAT)
            types = dict(header["columns"])
            _, arrays = read_tensors(path, array_names(types), _FORMAT)
            rows = columns_from(arrays, types)
        except (TensorFileError, OSError, KeyError, TypeError, ValueError) as fault:
            what = f"`{path}` cannot be read as a table of items: {fault}"
            raise RunError.of("E6471", what, help="train the system again") from fault
        if types and rows.height != header["items"]:
            what = f"`{path}` contradicts itself: it has {rows.height} rows for {header['items']} items"
            raise RunError.of("E6472", what, help="train the system again")
        return cls(rows)

    def mask(self, where: Where, values: Mapping[str, Any]) -> Mask:
        """Return which items a request with these values is allowed: [items]; it is shared, and must not be written."""
        return self._masks.get((where, *where.key(values)), lambda: self._mask(where, values))

    def of_places(self, codes: Codes) -> pl.DataFrame:
        """Return the rows of some items."""
        return self.rows[codes.astype(np.int64)]

    def grown(self, codes: Codes, rows: pl.DataFrame, items: int) -> "GrownItemTable":
        """Return it with the rows of some items, which came or changed since; there are so many places then."""
        return GrownItemTable(self, codes, rows, items)

    def _mask(self, where: Where, values: Mapping[str, Any]) -> Mask:
        distinct, group_of = self._grouped(where)
        return where.held(distinct, values)[group_of]

    def _grouped(self, where: Where) -> tuple[pl.DataFrame, NDArray[np.intp]]:
        """Return the distinct rows of what a condition reads, and which of them each item has."""
        found = self._groups.get(where)
        if found is None:
            read = self.rows.select(where.columns)
            distinct = read.unique(maintain_order=True) if where.columns else pl.DataFrame(height=1)
            numbered = distinct.with_row_index(_GROUP)
            groups = np.zeros(self.rows.height, np.intp)
            if where.columns:
                joined = read.join(
                    numbered, on=list(where.columns), how="left", nulls_equal=True, maintain_order="left"
                )
                groups = joined[_GROUP].to_numpy().astype(np.intp)
            found = self._groups.setdefault(where, (distinct, groups))
        return found


class GrownItemTable(ItemTable):
    """A table, and the rows of items that came or changed since, by their places: masks of the table are kept."""

    def __init__(self, base: ItemTable, codes: Codes, rows: pl.DataFrame, items: int) -> None:
        """Take the rows as `normal` has them: [rows] both, each place once."""
        super().__init__(rows)
        self.base, self.codes, self.items = base, codes, items

    def __len__(self) -> int:
        """Return how many places there are."""
        return self.items

    def of_places(self, codes: Codes) -> pl.DataFrame:
        """Return the rows of some items."""
        later = np.full(self.items, -1, np.int64)
        later[self.codes] = np.arange(len(self.codes))
        rows = np.where(later[codes] >= 0, len(self.base) + later[codes], codes.astype(np.int64))
        return pl.concat([self.base.rows, self.rows])[rows]

    def grown(self, codes: Codes, rows: pl.DataFrame, items: int) -> "GrownItemTable":
        """Return it with the rows of more items, or others in their place."""
        kept = ~np.isin(self.codes, codes)
        every = pl.concat([self.rows.filter(pl.Series(kept)), rows])
        return GrownItemTable(self.base, np.concatenate([self.codes[kept], codes]), every, items)

    def _mask(self, where: Where, values: Mapping[str, Any]) -> Mask:
        found = np.zeros(self.items, np.bool_)
        found[: len(self.base)] = self.base.mask(where, values)
        found[self.codes] = super()._mask(where, values)
        return found


@dataclass(frozen=True)
class Given:
    """What the conditions of a retrieval are about: the items, and the values of each request, [requests] by name."""

    table: ItemTable
    values: "Mapping[str, Sequence[Any] | pl.Series]" = field(default_factory=dict)

    def allowed(self, conditions: Sequence[Where], request: int) -> Mask:
        """Return the items for which all conditions hold, of one request: [items]."""
        values = {name: column[request] for name, column in self.values.items()}
        first, *others = (self.table.mask(one, values) for one in conditions)
        for one in others:
            first = first & one
        return first

    def between(self, first: int, last: int) -> "Given":
        """Return what is given of the requests from `first` up to `last`, which is none of them."""
        return Given(self.table, {name: column[first:last] for name, column in self.values.items()})

    def alike(self, conditions: Sequence[Where], requests: int) -> list[NDArray[np.intp]]:
        """Return the requests in parts, of which each is allowed the same items."""
        names = dict.fromkeys(name for one in conditions for name in one.asked)
        if not names:
            return [np.arange(requests)]
        parts: dict[tuple[Hashable, ...], list[int]] = {}
        for request, row in enumerate(zip(*(self.values[name] for name in names), strict=True)):
            parts.setdefault(tuple(map(_plain, row)), []).append(request)
        return [np.array(part, np.intp) for part in parts.values()]


class _Kept:
    """The masks that were asked for last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._masks: OrderedDict[Hashable, Mask] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Mask]) -> Mask:
        with self._turn:
            found = self._masks.get(key)
            if found is not None:
                self._masks.move_to_end(key)
                return found
        found = make()
        found.flags.writeable = False
        with self._turn:
            self._masks[key] = found
            if len(self._masks) > self._most:
                self._masks.popitem(last=False)
        return found


def _plain(value: Any) -> Hashable:  # noqa: ANN401 - whatever a request holds
    if isinstance(value, pl.Series | list):
        return tuple(value)
    known: Hashable = value
    return known
