"""Features of many keys at once as columns, one read for all: what a pipeline over candidates takes from the store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.unpacking import columns_of, unpack_columns

if TYPE_CHECKING:
    from mlsd_framework.runtime.features.keys import KeyPart
    from mlsd_framework.runtime.state.layout import StateLayout

    Layout: TypeAlias = RowLayout | StateLayout

Parts: TypeAlias = "Sequence[KeyPart | Sequence[KeyPart]]"
"""The parts of a key: a value a row, or one that all rows share."""

Columns: TypeAlias = "dict[str, NDArray[Any]]"


def read_columns(
    store: OnlineStore, asked: Sequence[tuple[str, Parts]], rows: int, timeout: float | None = None, at: int = 0
) -> Columns:
    """Return `group.feature` to its values: [rows].

    Numbers, times and booleans are float64 with NaN for null, others are objects. Raises what `OnlineStore.read` does.
    """
    keys = [(group, [_spread(part, rows) for part in parts]) for group, parts in asked]
    columns: Columns = {}
    for (group, _), found in zip(asked, store.read_packed(keys, timeout), strict=True):
        layout = store.layout(group)
        if isinstance(layout, RowLayout):
            values = unpack_columns(layout, found)
        else:
            dtypes = [column.dtype for column in layout.columns]
            values = columns_of(dtypes, [layout.finish(state, at) for state in found])
        columns |= _named(layout, group, values)
    return columns


def default_columns(store: OnlineStore, groups: Sequence[str], rows: int) -> Columns:
    """Return the columns that keys never seen have."""
    columns: Columns = {}
    for group in groups:
        layout = store.layout(group)
        columns |= _named(layout, group, columns_of([one.dtype for one in layout.columns], [layout.defaults] * rows))
    return columns


def _spread(part: "KeyPart | Sequence[KeyPart]", rows: int) -> "Sequence[KeyPart]":
    """Return a part of a key for each row."""
    return part if isinstance(part, list) else [part] * rows  # type: ignore[list-item] # what is no list is one value


def _named(layout: "Layout", group: str, values: Sequence[NDArray[Any]]) -> Columns:
    return {f"{group}.{column.name}": own for column, own in zip(layout.columns, values, strict=True)}
