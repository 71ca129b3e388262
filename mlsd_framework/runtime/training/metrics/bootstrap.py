"""Bootstrap intervals: how much a metric moves when the rows, or the days that it averages, are drawn again.

A resample is a weight for each row or day, how often it was drawn, so that rows are sorted by score once and each
resample costs a few passes over them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from mlsd_framework.runtime.training.metrics.metric import Metric
from mlsd_framework.runtime.training.metrics.scored import FloatArray, IntArray, Scored, Unit


@dataclass(frozen=True, slots=True)
class Interval:
    """The range that holds the middle `level` of the resampled values."""

    low: float
    high: float
    level: float


def middle(values: FloatArray, level: float) -> Interval:
    """Return the range that holds the middle `level` of resampled values, NaN where there are none."""
    if not len(values):
        return Interval(float("nan"), float("nan"), level)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(low, high, level)


@dataclass(frozen=True, slots=True)
class Resamples:
    """How to draw: number, coverage, seed, and whether positive and negative rows are drawn apart."""

    count: int = 200
    level: float = 0.95
    seed: int = 0
    stratified: bool = True

    def intervals(self, metrics: Sequence[tuple[Metric, float]], rows: Scored) -> list[Interval | None]:
        """Return the percentile interval of each metric (with its parameter), all of one unit from the same draws.

        None for a metric of days where there is one day only: it says nothing about another.
        """
        found: list[Interval | None] = [None] * len(metrics)
        for unit in get_args(Unit):
            places = [place for place, (metric, _) in enumerate(metrics) if metric.resampled_by == unit]
            if places and (unit == "row" or rows.units(unit) > 1):
                asked = [metrics[place] for place in places]
                drawn = [[m.function(rows, weight, at) for m, at in asked] for weight in self.weights(rows, unit)]
                for place, values in zip(places, np.array(drawn).T, strict=True):
                    found[place] = middle(values[~np.isnan(values)], self.level)
        return found

    def weights(self, rows: Scored, unit: Unit = "row") -> Iterator[FloatArray]:
        """Yield how often each row, or each day of `rows.days`, is drawn, `count` times; days are not stratified."""
        random = np.random.default_rng(self.seed)
        strata: list[IntArray] = [np.arange(rows.units(unit))]
        if self.stratified and unit == "row":
            positive = rows.label != 0
            strata = [np.flatnonzero(positive), np.flatnonzero(~positive)]
        for _ in range(self.count):
            weight = np.zeros(rows.units(unit))
            for members in strata:
                drawn = random.integers(0, max(len(members), 1), len(members), dtype=np.int32)
                weight[members] = np.bincount(drawn, minlength=len(members))
            yield weight
