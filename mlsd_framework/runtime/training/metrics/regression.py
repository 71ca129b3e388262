"""Metrics of predicted values; `score` is the prediction, `label` the target."""

import numpy as np

from mlsd_framework.runtime.training.metrics.metric import Metric
from mlsd_framework.runtime.training.metrics.scored import FloatArray, Scored

_NEEDS = frozenset({"label", "score"})


def mae(rows: Scored, weight: FloatArray, _: float = 0) -> float:
    """Return the mean absolute error, in the label's unit."""
    return float(np.average(np.abs(rows.score - rows.label), weights=weight))


def rmse(rows: Scored, weight: FloatArray, _: float = 0) -> float:
    """Return the root of the mean squared error, in the label's unit."""
    return float(np.sqrt(np.average((rows.score - rows.label) ** 2, weights=weight)))


METRICS = (
    Metric("mae", "mean absolute error", mae, _NEEDS, higher_is_better=False),
    Metric("rmse", "root mean squared error", rmse, _NEEDS, higher_is_better=False),
)
