"""Columns as conditions and as groups: what of a column counts as true, and values as small numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.reranking.orders import BoolArray

NO_VALUE = -1
"""The code of a null: of no group, so nothing is asked of it."""


def true_in(column: NDArray[Any], *, null: bool = False) -> BoolArray:
    """Tell where a column is true, or a number other than 0: [rows]; a null (None, NaN) counts as `null`."""
    if column.dtype == np.bool_:
        return column
    if column.dtype.kind == "f":
        return np.where(np.isnan(column), null, column != 0)
    if column.dtype == object:
        return np.array([null if _is_null(one) else bool(one) for one in column.tolist()], np.bool_)
    return np.asarray(column != 0)


def codes_of(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return values, such as the categories of all items, as numbers from 0; nulls (None, NaN) as -1: [n] to [n].

    Equal values have equal codes within one call only, so take the codes of a catalogue once and look items up in them.
    """
    codes: dict[object, int] = {}
    known = [NO_VALUE if _is_null(one) else codes.setdefault(one, len(codes)) for one in values.tolist()]
    return np.array(known, np.int64)


def places_in(values: NDArray[Any], names: Sequence[str | int]) -> NDArray[np.int64]:
    """Return the place of each value among `names`, -1 for nulls and others: [n] to [n]."""
    places = {name: place for place, name in enumerate(names)}
    return np.array([places.get(one, NO_VALUE) for one in values.tolist()], np.int64)


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
