"""What can be recommended, item by item: each has a place, from 0, and a key that callers know it by.

The two that there are: `Catalogue`, the items of a version, and `GrownCatalogue`, those and what came since.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from mlsd_framework.runtime.retrieval.candidates import Codes, Column
from mlsd_framework.runtime.retrieval.interactions import Histories, Times

Key = int | str
UNKNOWN: Final = -1
"""The place of a key that is not there."""

NOTHING_ELSE: Final[Mapping[str, Any]] = MappingProxyType({})


class Items(ABC):
    """Items by place and by key; it never changes."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many places there are."""

    @abstractmethod
    def key(self, code: int) -> Key:
        """Return the key at a place."""

    @abstractmethod
    def describe(self, code: int) -> str | None:
        """Return what an item is in words, or none."""

    @abstractmethod
    def code(self, key: Key | None) -> int:
        """Return the place of one key, -1 for one that is not there."""

    @abstractmethod
    def keys_of(self, codes: Codes) -> list[Key]:
        """Return the keys at these places as plain values: [rows]."""

    @abstractmethod
    def codes_of(self, keys: Sequence[Key]) -> Codes:
        """Return the place of each key as plain values have it, -1 for one that is not there: [rows]."""

    def history(
        self, items: Sequence[Key], times: Sequence[int], at: int, columns: Mapping[str, Any] = NOTHING_ELSE
    ) -> Histories:
        """Return one request's history from a user's last items and their times in microseconds UTC, newest first.

        That is the order of `last_n`. Items that are not there are left out, and so is what happened after the moment
        `at`: a live state that is asked about the past has it. `columns` are values of the request that sources read.
        """
        codes = self.codes_of(items)[::-1]
        moments: Times = np.array(times[::-1], np.int64)
        known = (codes >= 0) & (moments <= at)
        if not known.all():
            codes, moments = codes[known], moments[known]
        return Histories(
            np.array([0, len(codes)], np.int64),
            np.ascontiguousarray(codes),
            moments,
            np.array([at], np.int64),
            {name: _one(value) for name, value in columns.items()},
        )

    def of_one(self, item: Key, at: int, columns: Mapping[str, Any] = NOTHING_ELSE) -> Histories:
        """Return the history of one request that asks by an item: it counts as met at the moment itself.

        One that is not there gives an empty history, as a new user has.
        """
        return self.history([item], [at], at, columns)


def _one(value: object) -> Column:
    """Return one value as candidates and histories have columns: numbers as float64, null as NaN, text as objects."""
    if value is None or isinstance(value, bool | int | float):
        return np.array([value], np.float64)
    column = np.empty(1, object)
    column[0] = value
    return column
