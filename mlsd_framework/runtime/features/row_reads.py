"""Features of many keys at once as columns, one read for all: what a pipeline over candidates takes from the store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.dtypes import Value
from mlsd_framework.runtime.features.online import OnlineStore

if TYPE_CHECKING:
    from mlsd_framework.runtime.features.keys import KeyPart

Parts: TypeAlias = "Sequence[KeyPart | list[Any]]"
"""The parts of a key: a value a row, or one that all rows share."""

Columns: TypeAlias = "dict[str, NDArray[Any]]"


def read_columns(
    store: OnlineStore, asked: Sequence[tuple[str, Parts]], rows: int, timeout: float | None = None, at: int = 0
) -> Columns:
    """Return `group.feature` to its values: [rows].

    Numbers, times and booleans are float64 with NaN for null, others are objects. Raises what `OnlineStore.read` does.
    """
    keys = [
        (group, key)
        for group, parts in asked
        for key in zip(*(part if isinstance(part, list) else [part] * rows for part in parts), strict=True)
    ]
    found = store.read(keys, timeout, at) if keys else []
    columns: Columns = {}
    for number, (group, _) in enumerate(asked):
        columns |= _columns(store, group, found[number * rows : (number + 1) * rows])
    return columns


def default_columns(store: OnlineStore, groups: Sequence[str], rows: int) -> Columns:
    """Return the columns that keys never seen have."""
    columns: Columns = {}
    for group in groups:
        columns |= _columns(store, group, [store.layout(group).defaults] * rows)
    return columns


def _columns(store: OnlineStore, group: str, rows: Sequence[tuple[Value, ...]]) -> Columns:
    layout = store.layout(group)
    values = list(zip(*rows, strict=True)) if rows else [()] * len(layout.columns)
    return {
        f"{group}.{column.name}": _array(column.dtype, own) for column, own in zip(layout.columns, values, strict=True)
    }


def _array(dtype: str, values: Sequence[Value]) -> NDArray[Any]:
    if dtype in ("float64", "float32", "int64", "int32", "bool", "timestamp"):
        return np.array(values, np.float64)  # null becomes NaN
    array = np.empty(len(values), object)
    array[:] = values
    return array
