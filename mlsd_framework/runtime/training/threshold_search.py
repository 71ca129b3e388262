"""The search for thresholds of the least cost, and the choice between what probabilities say and what labels say.

Thresholds that lost least on the labels of a validation part with few positives fit its accidents: between two
thresholds there may be no fraud by luck, and one fraud there costs more than all that was gained. So the cost is taken
in expectation first, each row weighing as a positive by its probability. The labels overrule that when both hold:

- their thresholds gain on rows that they were not chosen on: the mean gain on the rows that a bootstrap resample leaves
  out is above its standard error (the one-standard-error rule);
- the gain could hardly happen by luck: it is more than two standard deviations above what it would be if each row were
  a positive with its probability. This is the test that a stretch without positives does not pass.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Rule = Literal["probabilities", "labels"]
_RESAMPLES = 50
_DEVIATIONS = 2.0
# r takes five roundings, and a probability near 1 brings its own: what lies closer is equal but for them.
_ROUNDING = 16 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Found:
    """The thresholds, which rule gave them, their cost on the labels, and the cost on the labels at each threshold.

    The curve is that of two actions, the mildest below the threshold and the last from it up.
    """

    thresholds: tuple[float, ...]
    rule: Rule
    cost: float
    curve_at: FloatArray
    curve_cost: FloatArray


@dataclass(frozen=True, slots=True)
class _Ordered:
    """Rows by rising risk; `bounds` are the places where a cut may lie, `at` the threshold at each of them."""

    risk: FloatArray
    bounds: IntArray
    at: FloatArray

    def sums(self, costs: FloatArray) -> FloatArray:
        """Return the cost (actions, bounds) of giving each action to everything before each bound."""
        return np.concatenate([np.zeros((len(costs), 1)), np.cumsum(costs, axis=1)], axis=1)[:, self.bounds]

    def least(self, costs: FloatArray) -> FloatArray:
        """Return the thresholds of the least total of `costs` (actions, rows)."""
        return self.at[best_cuts(self.sums(costs))]

    def actions(self, thresholds: FloatArray) -> IntArray:
        """Return the number of each row's action."""
        return np.searchsorted(thresholds, self.risk, side="right").astype(np.int64)


def search(
    risk: FloatArray, probability: FloatArray, label: FloatArray, per_label: FloatArray, *, seed: int = 0
) -> Found:
    """Choose thresholds on `risk`, one an action after the first.

    `per_label` (2, actions, rows) is the cost of each action on each row were its label 0, and were it 1.
    """
    order = np.argsort(risk, kind="stable")
    rows, p, y = _ordered(risk[order]), probability[order], label[order]
    if_negative, if_positive = per_label[:, :, order]
    seen = if_negative + y * (if_positive - if_negative)
    expected = if_negative + p * (if_positive - if_negative)
    believed, searched = rows.least(expected), rows.least(seen)
    if len(believed) == 1:
        # The risk is defined so that 1/2 is the exact answer; the search only says between which rows it lies.
        believed = np.array([0.5])
    rule: Rule = "probabilities"
    if (
        len(y)
        and _unlikely(rows, believed, searched, y, p, per_label[:, :, order])
        and _gains(rows, believed, seen, seed)
    ):
        rule = "labels"
    chosen = searched if rule == "labels" else believed
    sums = rows.sums(seen)
    cost = float(_taken(seen, rows.actions(chosen)).sum())
    return Found(tuple(chosen.tolist()), rule, cost, rows.at, sums[0] + sums[-1, -1] - sums[-1])


def least(risk: FloatArray, costs: FloatArray) -> FloatArray:
    """Return the thresholds on `risk` of the least total of `costs` (actions, rows).

    They lie half-way between the rows that they divide; rows whose risks differ by rounding only are not divided.
    """
    order = np.argsort(risk, kind="stable")
    return _ordered(risk[order]).least(costs[:, order])


def best_cuts(sums: FloatArray) -> list[int]:
    """Return where each action but the first begins (places in `sums`' second axis) for the least total cost.

    sums[k, i] is the cost of giving action k to everything before bound i; one pass an action finds the best cuts.
    """
    best = sums[0]
    choices: list[IntArray] = []
    for cost in sums[1:]:
        entering = best - cost
        least = np.minimum.accumulate(entering)
        fresh = np.append(True, entering[1:] < least[:-1])
        choices.append(np.maximum.accumulate(np.where(fresh, np.arange(len(cost)), 0)))
        best = cost + least
    cuts: list[int] = []
    end = sums.shape[1] - 1
    for choice in reversed(choices):
        end = int(choice[end])
        cuts.append(end)
    return cuts[::-1]


def _unlikely(
    rows: _Ordered, believed: FloatArray, searched: FloatArray, y: FloatArray, p: FloatArray, per_label: FloatArray
) -> bool:
    """Return whether the gain of `searched` over `believed` is beyond what right probabilities would give by luck."""
    one, other = rows.actions(believed), rows.actions(searched)
    if_negative, if_positive = (_taken(costs, one) - _taken(costs, other) for costs in per_label)
    swing = if_positive - if_negative
    deviation = np.sqrt(np.sum(p * (1 - p) * swing**2))
    # What was seen less what was to be expected: the cost of a row is a line in its label.
    return bool(np.sum((y - p) * swing) > _DEVIATIONS * deviation)


def _gains(rows: _Ordered, believed: FloatArray, seen: FloatArray, seed: int) -> bool:
    """Return whether a search on a resample gains on the rows left out, by more than the gain's standard error."""
    random = np.random.default_rng(seed)
    many = seen.shape[1]
    former = _taken(seen, rows.actions(believed))
    gains = []
    for _ in range(_RESAMPLES):
        drawn = random.poisson(1.0, many)
        left: NDArray[np.bool_] = np.equal(drawn, 0)
        found = _taken(seen, rows.actions(rows.least(seen * drawn)))
        gains.append((former - found)[left].sum() * many / max(int(left.sum()), 1))
    return bool(np.mean(gains) > np.std(gains))


def _ordered(risk: FloatArray) -> _Ordered:
    """Return the rows with a bound wherever the risk rises by more than rounding.

    A threshold between 0.4 and the float after it would rest on the order in which a product was taken.
    """
    rises = np.diff(risk) > _ROUNDING * risk[1:]
    starts = np.flatnonzero(np.append(True, rises)) if len(risk) else np.zeros(0, np.int64)
    bounds = np.append(starts, len(risk))
    return _Ordered(risk, bounds, _between(risk, bounds))


def _taken(costs: FloatArray, actions: IntArray) -> FloatArray:
    """Return the cost of each row's action."""
    taken: FloatArray = costs[actions, np.arange(len(actions))]
    return taken


def _between(ordered: FloatArray, bounds: IntArray) -> FloatArray:
    """Return a threshold for each boundary: 0 takes all rows, the last none, the others lie half-way between rows."""
    if not len(ordered):
        return np.array([0.5])
    left, right = ordered[bounds[1:-1] - 1], ordered[bounds[1:-1]]
    middle = np.maximum(left + (right - left) / 2, np.nextafter(left, 2))  # half of the least subnormal is 0
    none = (1 + ordered[-1]) / 2 if ordered[-1] < 1 else np.nextafter(1.0, 2)
    return np.concatenate([[0.0], middle, [none]])
