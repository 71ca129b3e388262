"""Popularity: what all users deal with most lately, by segment where one is known."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Mask
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions
from mlsd_framework.runtime.retrieval.source import Answer, FileSource, gathered, looked_up, permitted


@dataclass(frozen=True)
class Popularity(FileSource):
    """`items` [segments + 1, kept] of each segment, best first, with their `scores`; the last row is that of all."""

    KIND: ClassVar = "popularity"
    ARRAYS: ClassVar = {"items": (np.int32, 2), "scores": (np.float64, 2)}
    SETTINGS: ClassVar = {}

    items: Codes
    scores: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        log: Interactions,
        *,
        at: int | None = None,
        window: int = 0,
        half_life: int = 0,
        segments: NDArray[np.integer] | None = None,
        shrinkage: float = 100.0,
        keep: int = 1000,
    ) -> Self:
        """Count the events before `at` (by default all) and not older than `window` microseconds (0: however old).

        An event counts half as much after `half_life` microseconds (0: always the same). `segments` [events] has the
        segment of each event, from 0; one below 0 has none. The score is the item's share of the segment's events,
        which begins with `shrinkage` events spread as those of all are; of equal ones the item more popular with all
        comes first. Items without an event are no candidates.
        """
        moment = at if at is not None else int(log.times[-1]) + 1 if len(log.times) else 0
        ages = moment - log.times
        counted = (ages > 0) & ((ages <= window) | (window == 0))
        weights = np.where(counted, 2.0 ** (-np.maximum(ages, 0) / half_life) if half_life else 1.0, 0.0)
        counts = np.bincount(log.items, weights, log.item_count)
        share = counts / (counts.sum() or 1.0)
        lists = []
        for segment in range(int(segments.max(initial=-1)) + 1 if segments is not None else 0):
            chosen = segments == segment
            own = np.bincount(log.items[chosen], weights[chosen], log.item_count)
            lists.append((own + shrinkage * share) / ((own.sum() + shrinkage) or 1.0))
        lists.append(share)
        kept = min(keep, int((share > 0).sum()))
        ranked = np.array([np.lexsort((-share, -one))[:kept] for one in lists], np.int32)
        return cls(ranked, np.array([one[order] for one, order in zip(lists, ranked, strict=True)]))

    def retrieve(
        self,
        histories: Histories,
        n: int,
        segments: NDArray[np.integer] | None = None,
        *,
        allowed: Mask | None = None,
    ) -> Candidates:
        """Return the `n` most popular items of each request's segment with their `score`.

        `segments` [requests]; one that was not there when it was fitted, and a request without one, gets those of all.
        """
        rows = self._rows(histories.requests, segments)
        lists = {row: permitted((self.items[row], self.scores[row]), allowed) for row in set(rows.tolist())}
        return gathered([(lists[row][0][:n], lists[row][1][:n]) for row in rows.tolist()])

    def score(
        self, histories: Histories, candidates: Candidates, segments: NDArray[np.integer] | None = None
    ) -> NDArray[np.float64]:
        """Return the score of each candidate, whoever found it: [rows]; NaN where it is not among the kept."""
        return looked_up([self._by_code[row] for row in self._rows(histories.requests, segments)], candidates)

    def fault(self) -> str | None:
        """Check shapes and values."""
        if self.items.shape != self.scores.shape or not len(self.items):
            return f"`items` {self.items.shape} and `scores` {self.scores.shape} do not belong together"
        if self.items.size and self.items.min() < 0:
            return "`items` hold a code below 0"
        return None if np.isfinite(self.scores).all() else "`scores` hold a value that is not finite"

    @cached_property
    def _by_code(self) -> list[Answer]:
        """The kept items of each segment by code, with their scores."""
        orders = np.argsort(self.items, axis=1)
        return [(items[order], own[order]) for items, own, order in zip(self.items, self.scores, orders, strict=True)]

    def _rows(self, requests: int, segments: NDArray[np.integer] | None) -> NDArray[np.int64]:
        of_all = len(self.items) - 1
        if segments is None:
            return np.full(requests, of_all)
        return np.where((segments < 0) | (segments >= of_all), of_all, segments).astype(np.int64)
