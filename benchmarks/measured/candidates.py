"""Parts of a log to learn from and to be measured on, and how well candidates are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions, histories_of

DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Part:
    """What is known before, who asks, and what they took afterwards: sorted keys `request * items + item`."""

    log: Interactions
    histories: Histories
    taken: NDArray[np.int64]
    known: NDArray[np.int64]

    @classmethod
    def of(cls, log: Interactions, users: NDArray[np.int32], items: NDArray[np.int32], at: int) -> "Part":
        """Build it from a log, and from what came after the moment `at`: a row each."""
        asking = np.unique(users)
        histories = histories_of(log, asking, np.full(len(asking), at))
        requests = np.searchsorted(asking, users)
        owner = np.repeat(np.arange(len(asking)), np.diff(histories.offsets))
        known = np.unique(owner * log.item_count + histories.items)
        return cls(log, histories, np.unique(requests * log.item_count + items), known)

    def label(self, found: Candidates) -> NDArray[np.bool_]:
        """Return whether each candidate was taken: [rows]."""
        return _inside(found.request_of * self.log.item_count + found.items, self.taken)

    def recall(self, found: Candidates, n: int, *, new: bool = False) -> float:
        """Return the mean share of what was taken that is among the first `n`; `new`: of what the user did not know."""
        wanted = self.taken[~_inside(self.taken, self.known)] if new else self.taken
        first = found.top(n)
        keys = first.request_of * self.log.item_count + first.items
        hits = np.bincount(keys[_inside(keys, wanted)] // self.log.item_count, minlength=found.requests)
        each = np.bincount(wanted // self.log.item_count, minlength=found.requests)
        return float((hits[each > 0] / each[each > 0]).mean())

    def pooled(self, found: Candidates, n: int) -> float:
        """Return the share of all that was taken that is among the first `n` of its request."""
        return float(self.label(found.top(n)).sum() / len(self.taken))

    def ndcg(self, found: Candidates, n: int = 10) -> float:
        """Return the mean NDCG of the first `n`, with gains of 0 and 1; the ideal has all that was taken."""
        first = found.top(n)
        place = np.arange(len(first.items)) - np.repeat(first.offsets[:-1], first.lengths)
        gain = self.label(first) / np.log2(place + 2.0)
        each = np.bincount(self.taken // self.log.item_count, minlength=found.requests)
        ideal = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(n) + 2.0))])[np.minimum(each, n)]
        sums = np.bincount(first.request_of, gain, minlength=found.requests)
        return float((sums[each > 0] / ideal[each > 0]).mean())


def measures(found: Candidates, features: Mapping[str, NDArray[np.float64]]) -> tuple[list[str], NDArray[np.float32]]:
    """Return the names and the values of what a ranker sees: each column, and its deviation within the request."""
    names, columns = [], []
    request = found.request_of
    for name, column in features.items():
        names += [name, f"{name} in its request"]
        there = ~np.isnan(column)
        count = np.maximum(np.bincount(request[there], minlength=found.requests), 1)
        mean = np.bincount(request[there], column[there], found.requests) / count
        off = column - mean[request]
        spread = np.sqrt(np.bincount(request[there], off[there] ** 2, found.requests) / count)
        columns += [column, off / np.maximum(spread[request], 1e-12)]
    return names, np.column_stack(columns).astype(np.float32)


def weeks(log: Interactions, back: int) -> Iterator[Part]:
    """Yield the last week, the week before it, and so on: all before each is known."""
    end = int(log.times[-1]) + 1
    for number in range(back):
        cut = end - 7 * DAY * (number + 1)
        first, last = np.searchsorted(log.times, [cut, cut + 7 * DAY])
        yield Part.of(log.until(cut), log.users[first:last], log.items[first:last], cut)


def stratified(log: Interactions, seed: int, share: float = 0.75) -> Part:
    """Return a random part of each user's events to learn from; users are measured on the rest."""
    rng = np.random.default_rng(seed)
    learned = np.zeros(len(log.users), np.bool_)
    for user in range(log.user_count):
        rows = rng.permutation(np.flatnonzero(log.users == user))
        learned[rows[: round(share * len(rows))]] = True
    kept = Interactions(log.users[learned], log.items[learned], log.times[learned], log.user_count, log.item_count)
    return Part.of(kept, log.users[~learned], log.items[~learned], int(log.times[-1]) + 1)


def _inside(keys: NDArray[np.int64], sorted_keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    places = np.minimum(np.searchsorted(sorted_keys, keys), max(len(sorted_keys) - 1, 0))
    return sorted_keys[places] == keys if len(sorted_keys) else np.zeros(len(keys), np.bool_)
