"""Bootstrap intervals: how much a metric moves when the rows are drawn again.

A resample is a weight for each row, how often it was drawn, so that rows are sorted by score once and each resample
costs a few passes over them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mlsd_framework.runtime.training.metrics.metric import Metric
from mlsd_framework.runtime.training.metrics.scored import FloatArray, IntArray, Scored


@dataclass(frozen=True, slots=True)
class Interval:
    """The range that holds the middle `level` of the resampled values."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class Resamples:
    """How to draw: number, coverage, seed, and whether positives and negatives are drawn apart."""

    count: int = 200
    level: float = 0.95
    seed: int = 0
    stratified: bool = True

    def intervals(self, metrics: Sequence[tuple[Metric, float]], rows: Scored) -> list[Interval]:
        """Return the percentile interval of each metric (with its parameter), all from the same draws."""
        drawn = [[metric.function(rows, weight, at) for metric, at in metrics] for weight in self.weights(rows)]
        return [self._middle(values) for values in np.array(drawn).T]

    def _middle(self, values: FloatArray) -> Interval:
        known = values[~np.isnan(values)]
        if not len(known):
            return Interval(float("nan"), float("nan"), self.level)
        low, high = np.quantile(known, [(1 - self.level) / 2, (1 + self.level) / 2]).tolist()
        return Interval(low, high, self.level)

    def weights(self, rows: Scored) -> Iterator[FloatArray]:
        """Yield how often each row is drawn, `count` times."""
        random = np.random.default_rng(self.seed)
        positive = rows.label != 0
        strata: list[IntArray] = [np.flatnonzero(positive), np.flatnonzero(~positive)]
        if not self.stratified:
            strata = [np.arange(len(rows))]
        for _ in range(self.count):
            weight = np.zeros(len(rows))
            for members in strata:
                drawn = random.integers(0, max(len(members), 1), len(members), dtype=np.int32)
                weight[members] = np.bincount(drawn, minlength=len(members))
            yield weight
