"""From a log to the pairs that a two-tower model learns from: who took what, and what that user had taken before."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from mlsd_framework.runtime.compiled import compiled
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions, histories_of
from mlsd_framework.runtime.retrieval.two_tower import HISTORY
from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.towers.batches import Pairs
from mlsd_framework.runtime.towers.learning import Encoding
from mlsd_framework.runtime.towers.mining import Met

ITEM: Final = "item"
"""The feature of the item tower that is the item itself, by its place in the catalogue."""

AT: Final = "at"
"""The column of moments as of which features of windows are computed."""


@dataclass(frozen=True, slots=True)
class Examples:
    """A row an event: the features of its user as they were before it, and the item by its place, in the order of time.

    The first `learned` rows are to learn from, the others to validate on. `events` are the places of the rows in the
    log.
    """

    users: pl.DataFrame
    items: NDArray[np.int32]
    learned: int
    events: NDArray[np.int64]

    def pairs(self, encoding: Encoding) -> tuple[Pairs, Pairs]:
        """Return the pairs of training and of validation."""
        rows, items = Rows.of(encoding.user.encode(self.users)), torch.from_numpy(self.items.astype(np.int64))
        whole = Pairs(rows, items)
        return whole.take(slice(0, self.learned)), whole.take(slice(self.learned, None))

    def moments(self, log: Interactions, rows: pl.LazyFrame, user: str) -> pl.DataFrame:
        """Return the user and the moment of each example, as `user` and `at`; keys are of the type that `rows` have."""
        return _moments(log, log.users[self.events], log.times[self.events], rows, user)

    def beside(self, features: pl.DataFrame) -> "Examples":
        """Return them with more features of their users, a row an example."""
        return replace(self, users=self.users.hstack(features))

    def met(self, log: Interactions) -> Met:
        """Return what the user of each row to learn from met up to the last of these rows."""
        rows = self.events[: self.learned]
        known = slice(0, int(rows[-1]) + 1)
        return replace(Met.of(log.users[known], log.items[known]), users=log.users[rows].astype(np.int64))


def examples(
    log: Interactions, users: pl.DataFrame, *, history: int, newest: int | None = None, validated: float = 0.05
) -> Examples:
    """Return the `newest` events whose users had any before, with their last `history` items before the moment.

    `users` has a row a user of the log, in the order of codes, with the columns that the user tower reads beside the
    history. The last share `validated` of them is to validate on. Raises ValueError where no user has two moments.
    """
    before = last_before(log, history)
    rows = np.flatnonzero(before[:, 0] >= 0)
    if not len(rows):
        raise ValueError("no user of the log has events at two moments")
    rows = rows[-newest:] if newest is not None else rows
    lists = pl.Series(HISTORY, before[rows][:, ::-1].reshape(-1), pl.Int64)
    lists = pl.select(pl.when(lists >= 0).then(lists)).to_series().reshape((len(rows), history)).alias(HISTORY)
    frame = users[log.users[rows]].with_columns(lists) if users.width else pl.DataFrame([lists])
    learned = len(rows) - max(round(validated * len(rows)), 1)
    return Examples(frame, log.items[rows], learned, rows)


def catalogue_frame(catalogue: Catalogue, *tables: pl.DataFrame) -> pl.DataFrame:
    """Return a row an item, in the order of the catalogue: its place as `item`, and the columns of tables of items."""
    return pl.concat([pl.DataFrame({ITEM: np.arange(len(catalogue))}), *tables], how="horizontal")


@dataclass(frozen=True, slots=True)
class Asking:
    """Some users, by their codes, and their histories."""

    users: NDArray[np.int64]
    histories: Histories

    def moments(self, log: Interactions, rows: pl.LazyFrame, user: str) -> pl.DataFrame:
        """Return each user and the moment of its history, as `user` and `at`, as those of examples are."""
        return _moments(log, self.users, self.histories.at, rows, user)


def some_histories(log: Interactions, number: int, *, seed: int) -> Asking:
    """Return the histories of so many users of a log, or of all, at its end."""
    users = np.unique(log.users).astype(np.int64)
    if len(users) > number:
        users = np.sort(np.random.default_rng(seed).choice(users, number, replace=False))
    end = int(log.times[-1]) + 1 if len(log.times) else 0
    return Asking(users, histories_of(log, users, np.full(len(users), end, np.int64)))


def _moments(
    log: Interactions, users: NDArray[np.integer], times: NDArray[np.int64], rows: pl.LazyFrame, user: str
) -> pl.DataFrame:
    keys = pl.Series(log.user_keys, dtype=rows.collect_schema()[user])
    at = pl.Series(times).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({user: keys.gather(users), AT: at})


def last_before(log: Interactions, length: int) -> NDArray[np.int32]:
    """Return what the user of each event had before its moment, the newest first, then -1: [events, length]."""
    order = np.lexsort((np.arange(len(log.items)), log.users))
    found = np.full((len(log.items), length), -1, np.int32)
    _fill(order, log.users, log.items, log.times, found)
    return found


@compiled("void(int64[::1], int32[::1], int32[::1], int64[::1], int32[:, ::1])")
def _fill(
    order: NDArray[np.int64],
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    times: NDArray[np.int64],
    found: NDArray[np.int32],
) -> None:
    begin = tied = 0  # where the user begins, and where the events of this moment do
    for place in range(len(order)):
        row = order[place]
        if place == 0 or users[row] != users[order[place - 1]]:
            begin = tied = place
        elif times[row] != times[order[place - 1]]:
            tied = place
        for back in range(min(found.shape[1], tied - begin)):
            found[row, back] = items[order[tied - 1 - back]]
