"""What users did with items: a whole log to learn from, and what each asking user did before its moment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Codes, Offsets

Times = NDArray[np.int64]
"""Microseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """A log in the order of time, a row an event: who, with which item, when; users and items are codes from 0."""

    users: NDArray[np.int32]
    items: Codes
    times: Times
    user_count: int
    item_count: int

    def until(self, moment: int) -> "Interactions":
        """Return the events before a moment."""
        end = int(np.searchsorted(self.times, moment))
        return Interactions(self.users[:end], self.items[:end], self.times[:end], self.user_count, self.item_count)


@dataclass(frozen=True, slots=True)
class Histories:
    """What the users of some requests did before: rows `offsets[i]:offsets[i + 1]` of request `i`, oldest first.

    `at` is the moment of each request; all of its rows lie before it. A new user has no rows.
    """

    offsets: Offsets
    items: Codes
    times: Times
    at: Times

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return len(self.at)
