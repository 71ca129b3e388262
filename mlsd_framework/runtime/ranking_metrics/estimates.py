"""Means over requests with bootstrap intervals, and the paired difference and ratio of two rankings.

A resample is a weight for each request, how often it was drawn; all means of one call come from the same draws, as one
product of weights and values.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, sums_by
from mlsd_framework.runtime.training.metrics.bootstrap import Interval, middle

Key = TypeVar("Key", bound=Hashable)
_CELLS = 2_000_000  # weights held at once: 16 MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `requests` of them; `left_out` have no value (none relevant, say); NaN where all are left out."""

    value: float
    requests: int
    left_out: int
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How to draw: number of resamples, coverage of the percentile interval, seed."""

    count: int = 1000
    level: float = 0.95
    seed: int = 0

    def weights(self, units: int) -> Iterator[FloatArray]:
        """Yield how often each of `units` is drawn, some resamples at a time: [resamples, units]."""
        random = np.random.default_rng(self.seed)
        step = max(1, _CELLS // max(units, 1))
        for begin in range(0, self.count, step):
            draws = min(step, self.count - begin)
            drawn = random.integers(0, units, (draws, units)) + units * np.arange(draws)[:, None]
            yield np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)

    def ratios(
        self, above: FloatArray, below: FloatArray, units: NDArray[np.generic] | None = None
    ) -> list[Interval | None]:
        """Return the interval of sum(above) / sum(below) of each column: [rows, columns] both.

        `units` [rows] are drawn whole, such as users of several requests, whose requests are alike; without it each
        row is drawn by itself. Resamples that do not define a ratio are left out. None where there are fewer than two
        units: they say nothing about another.
        """
        if units is not None:
            above, below = _by_unit(above, units), _by_unit(below, units)
        if len(above) < 2:  # noqa: PLR2004 - one unit cannot be drawn differently
            return [None] * above.shape[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = np.concatenate([(weight @ above) / (weight @ below) for weight in self.weights(len(above))])
        return [middle(column[np.isfinite(column)], self.level) for column in drawn.T]


def means(
    values: Mapping[Key, FloatArray], bootstrap: Bootstrap | None = None, units: NDArray[np.generic] | None = None
) -> dict[Key, Estimate]:
    """Return the mean of each metric's values, [requests] each; NaN ones are left out and counted."""
    if not values:
        return {}
    table = np.stack(list(values.values()), axis=1)
    known = ~np.isnan(table)
    above, below = np.where(known, table, 0.0), known.astype(np.float64)
    intervals = [None] * len(values) if bootstrap is None else bootstrap.ratios(above, below, units)
    counts = known.sum(axis=0).tolist()
    return {
        name: Estimate(_quotient(above[:, at].sum(), counts[at]), counts[at], len(table) - counts[at], intervals[at])
        for at, name in enumerate(values)
    }


def difference(
    first: FloatArray, second: FloatArray, bootstrap: Bootstrap, units: NDArray[np.generic] | None = None
) -> Estimate:
    """Return mean(first - second) over the requests that have both values: [requests] each, same requests, same order.

    The interval is of the paired difference, far narrower than those of the two means where they move together.
    """
    return means({"difference": first - second}, bootstrap, units)["difference"]


def ratio(
    first: FloatArray, second: FloatArray, bootstrap: Bootstrap, units: NDArray[np.generic] | None = None
) -> Estimate:
    """Return mean(first) / mean(second) over the requests that have both values; NaN where the second mean is 0.

    1.05 says that the first is 5% better. [requests] each, same requests, same order.
    """
    return ratios({"ratio": (first, second)}, bootstrap, units)["ratio"]


def ratios(
    pairs: Mapping[Key, tuple[FloatArray, FloatArray]],
    bootstrap: Bootstrap | None = None,
    units: NDArray[np.generic] | None = None,
) -> dict[Key, Estimate]:
    """Return `ratio` of each pair, all from the same draws: [requests] each, same requests, same order."""
    if not pairs:
        return {}
    first, second = (np.stack(side, axis=1) for side in zip(*pairs.values(), strict=True))
    known = ~np.isnan(first) & ~np.isnan(second)
    above, below = np.where(known, first, 0.0), np.where(known, second, 0.0)
    intervals = [None] * len(pairs) if bootstrap is None else bootstrap.ratios(above, below, units)
    counts = known.sum(axis=0).tolist()
    return {
        key: Estimate(_quotient(above[:, at].sum(), below[:, at].sum()), counts[at], len(known) - counts[at], interval)
        for at, (key, interval) in enumerate(zip(pairs, intervals, strict=True))
    }


def _by_unit(values: FloatArray, units: NDArray[np.generic]) -> FloatArray:
    names, member = np.unique(units, return_inverse=True)
    return np.stack([sums_by(member, column, len(names)) for column in values.T], axis=1)


def _quotient(above: float, below: float) -> float:
    return float(above / below) if below else float("nan")
