"""What users did with items: a whole log to learn from, and what each asking user did before its moment."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Codes, Column, Offsets, offsets_of

_Made = TypeVar("_Made")

Times = NDArray[np.int64]
"""Microseconds since 1970, UTC."""

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
"""Lengths of time in microseconds."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """A log in the order of time, a row an event: who, with which item, when; users and items are codes from 0.

    `user_keys` are the keys of the users by code, where somebody asks for them. `written` is when each event became
    known, where that is not when it happened. `rows` number the events as their source does.
    """

    users: NDArray[np.int32]
    items: Codes
    times: Times
    user_count: int
    item_count: int
    user_keys: tuple[int | str, ...] = ()
    written: Times | None = None
    rows: NDArray[np.int64] | None = None

    def until(self, moment: int) -> "Interactions":
        """Return the events before a moment."""
        return self._taken(slice(int(np.searchsorted(self.times, moment))))

    def as_of(self, moment: int) -> "Interactions":
        """Return what was known at a moment as a log of its own: events before it that were written by then.

        Users without such an event are none of its users, so what is fitted on it does not depend on who comes later.
        """
        log = self.until(moment)
        known = np.ones(len(log.times), np.bool_) if log.written is None else log.written <= moment
        return replace(log.where(known), written=None)

    def where(self, kept: NDArray[np.bool_]) -> "Interactions":
        """Return some of the events as a log of its own: users without one are none of its users."""
        users, codes = np.unique(self.users[kept], return_inverse=True)
        keys = tuple(self.user_keys[user] for user in users.tolist()) if self.user_keys else ()
        return replace(self._taken(kept), users=codes.astype(np.int32), user_count=len(users), user_keys=keys)

    def sessions(self, pause: int) -> "Interactions":
        """Return the log with sessions for its users: one ends where its user does nothing for more than `pause`."""
        order = np.lexsort((np.arange(len(self.users)), self.users))
        users, times = self.users[order], self.times[order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (users[1:] != users[:-1]) | (times[1:] - times[:-1] > pause)
        codes = np.empty(len(order), np.int32)
        codes[order] = np.cumsum(begins) - 1
        return replace(self, users=codes, user_count=int(begins.sum()), user_keys=())

    def _taken(self, events: "slice | NDArray[np.bool_]") -> "Interactions":
        written = None if self.written is None else self.written[events]
        rows = None if self.rows is None else self.rows[events]
        return replace(
            self,
            users=self.users[events],
            items=self.items[events],
            times=self.times[events],
            written=written,
            rows=rows,
        )


@dataclass(frozen=True, slots=True)
class Histories:
    """What the users of some requests did before: rows `offsets[i]:offsets[i + 1]` of request `i`, oldest first.

    `at` is the moment of each request; all of its rows lie before it. A new user has no rows. `columns` [requests] are
    what else is known of who asks.
    """

    offsets: Offsets
    items: Codes
    times: Times
    at: Times
    columns: Mapping[str, Column] = field(default_factory=dict)
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def kept(self, what: Hashable, make: Callable[[], _Made]) -> _Made:
        """Return what `make` computes of these histories; under one name it is computed once, and must not change."""
        if what not in self._kept:
            self._kept[what] = make()
        made: _Made = self._kept[what]
        return made

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return len(self.at)

    def request(self, number: int) -> "Histories":
        """Return one request by itself."""
        return self.between(number, number + 1)

    def between(self, first: int, last: int) -> "Histories":
        """Return the requests from `first` up to `last`, which is none of them."""
        offsets = self.offsets[first : last + 1]
        rows = slice(offsets[0], offsets[-1])
        columns = {name: column[first:last] for name, column in self.columns.items()}
        return Histories(offsets - offsets[0], self.items[rows], self.times[rows], self.at[first:last], columns)

    def taken(self, requests: NDArray[np.intp]) -> "Histories":
        """Return some of the requests, in the order given."""
        lengths = np.diff(self.offsets)[requests]
        offsets = offsets_of(lengths)
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][requests] - offsets[:-1], lengths)
        columns = {name: column[requests] for name, column in self.columns.items()}
        return Histories(offsets, self.items[rows], self.times[rows], self.at[requests], columns)

    def last(self, length: int) -> Codes:
        """Return the last items of each request, the newest first, then -1: [requests, length]."""
        ends = self.offsets[1:, None]
        places = ends - 1 - np.arange(length)
        had = places >= self.offsets[:-1, None]
        found = np.full(places.shape, -1, np.int32)
        found[had] = self.items[places[had]]
        return found


NO_HISTORY: Final = Histories(
    np.zeros(2, np.int64), np.empty(0, np.int32), np.empty(0, np.int64), np.zeros(1, np.int64)
)
"""That of one request of which nothing is known."""


def histories_of(log: Interactions, users: NDArray[np.integer], at: Times) -> Histories:
    """Return what some users did before the moments `at`: [requests] both; a user may stand there more than once."""
    order = np.argsort(log.users, kind="stable")
    starts = np.searchsorted(log.users, np.arange(log.user_count + 1), sorter=order)
    times = log.times[order]
    ends = np.array(
        [
            starts[user] + np.searchsorted(times[starts[user] : starts[user + 1]], moment)
            for user, moment in zip(users, at, strict=True)
        ],
        np.int64,
    )
    firsts = starts[users].astype(np.int64)
    offsets = offsets_of(ends - firsts)
    rows = np.arange(offsets[-1]) + np.repeat(firsts - offsets[:-1], ends - firsts)
    return Histories(offsets, log.items[order][rows], times[rows], np.asarray(at, np.int64))
