"""Buy again: which items of the history are due, by the cadence of the user, of the item, and of the two together."""

import itertools
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.best import best
from mlsd_framework.runtime.retrieval.cadence import MEASURES, ItemCadence, item_cadence, pairs_of
from mlsd_framework.runtime.retrieval.candidates import Candidates, Mask
from mlsd_framework.runtime.retrieval.interactions import HOUR, Histories, Interactions, histories_of
from mlsd_framework.runtime.retrieval.source import Answer, FileSource, gathered, looked_up, permitted

_L2 = 10.0
_STEPS = 25


@dataclass(frozen=True)
class BuyAgain(FileSource):
    """A logistic regression on the measures of `cadence`: `weights` [MEASURES + 1], the last one alone is added."""

    KIND: ClassVar = "buy-again"
    ARRAYS: ClassVar = {"cadence": (np.float64, 2), "usual": (np.float64, 1), "weights": (np.float64, 1)}
    SETTINGS: ClassVar = {"horizon": int, "apart": int}

    cadence: NDArray[np.float64]
    usual: NDArray[np.float64]
    weights: NDArray[np.float64]
    horizon: int
    apart: int

    @classmethod
    def fit(
        cls,
        log: Interactions,
        *,
        horizon: int,
        apart: int = HOUR,
        cutoffs: int = 4,
        most: int = 1000,
        seed: int = 0,
    ) -> Self:
        """Learn whether an item of a history comes again within `horizon` microseconds.

        The examples are the histories of at most `most` users at `cutoffs` moments, a horizon apart, before the log's
        end; what they say of items is counted before the first of these. Events less than `apart` microseconds after
        the one before are one occasion.
        """
        end = int(log.times[-1]) + 1 if len(log.times) else 0
        users = np.arange(log.user_count)
        if len(users) > most:
            users = np.sort(np.random.default_rng(seed).choice(users, most, replace=False))
        before = item_cadence(log.until(end - cutoffs * horizon), horizon, apart)
        measured, again = [np.empty((0, len(MEASURES)))], [np.empty(0, np.bool_)]
        for cutoff in range(end - cutoffs * horizon, end, horizon):
            histories = histories_of(log, users, np.full(len(users), cutoff))
            offsets, items, measures = pairs_of(histories, before, horizon, apart)
            owner = np.repeat(users, np.diff(offsets))
            first, last = np.searchsorted(log.times, [cutoff, cutoff + horizon])
            came = log.users[first:last].astype(np.int64) * log.item_count + log.items[first:last]
            measured.append(measures)
            again.append(np.isin(owner * log.item_count + items, came))
        cadence = item_cadence(log, horizon, apart)
        weights = _regression(np.concatenate(measured), np.concatenate(again).astype(np.float64))
        return cls(cadence.items, cadence.usual, weights, horizon, apart)

    def retrieve(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` items of each history most likely to come again; the `score` is the likelihood, 0 to 1."""
        answers = (permitted(one, allowed) for one in self._answers(histories))
        return gathered([best(scores, items, n, -1.0) for items, scores in answers])

    def score(self, histories: Histories, candidates: Candidates) -> NDArray[np.float64]:
        """Return the score of each candidate, whoever found it: [rows]; NaN where it is not in the history."""
        return looked_up(self._answers(histories), candidates)

    def fault(self) -> str | None:
        """Check shapes and values."""
        if self.cadence.shape[1:] != (3,) or self.usual.shape != (3,) or self.weights.shape != (len(MEASURES) + 1,):
            return f"`cadence` {self.cadence.shape}, `usual` {self.usual.shape}, `weights` {self.weights.shape}"
        if not all(np.isfinite(one).all() for one in (self.cadence, self.usual, self.weights)):
            return "an array holds a value that is not finite"
        return None if self.horizon > 0 and self.apart > 0 else "`horizon` or `apart` is not above 0"

    def _answers(self, histories: Histories) -> list[Answer]:
        return self.once(histories, lambda: self._measured(histories))

    def _measured(self, histories: Histories) -> list[Answer]:
        cadence = ItemCadence(self.cadence, self.usual)
        offsets, items, measures = pairs_of(histories, cadence, self.horizon, self.apart)
        # Sums column by column, so that a row's does not depend on how many there are.
        total = np.full(len(items), self.weights[-1])
        for column, weight in enumerate(self.weights[:-1]):
            total += weight * measures[:, column]
        scores = 1.0 / (1.0 + np.exp(-total))
        return [(items[first:last], scores[first:last]) for first, last in itertools.pairwise(offsets)]


def _regression(measures: NDArray[np.float64], label: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of a logistic regression by Newton's method; measures are brought to one scale meanwhile."""
    rows, width = measures.shape
    if rows == 0:
        return np.zeros(width + 1)
    mean, spread = measures.mean(axis=0), measures.std(axis=0)
    spread[spread < 1e-9] = 1.0  # noqa: PLR2004 - a constant
    design = np.column_stack([(measures - mean) / spread, np.ones(rows)])
    weights = np.zeros(width + 1)
    for _ in range(_STEPS):
        likely = 1.0 / (1.0 + np.exp(-design @ weights))
        slope = design.T @ (likely - label) + _L2 * weights
        curve = (design.T * (likely * (1.0 - likely))) @ design + _L2 * np.eye(width + 1)
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:  # noqa: PLR2004 - far below what a score shows
            break
    scaled = weights[:-1] / spread
    return np.append(scaled, weights[-1] - scaled @ mean)
