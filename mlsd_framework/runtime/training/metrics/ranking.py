"""Metrics of order: what the scores put first."""

import numpy as np

from mlsd_framework.runtime.training.metrics.metric import Metric
from mlsd_framework.runtime.training.metrics.scored import FloatArray, Scored

_NEEDS = frozenset({"label", "score"})


def counts(rows: Scored, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the true and the false positives when all down to each distinct score are taken, from the highest down."""
    ranked = rows.ranking
    drawn, ends = weight[ranked.order], ranked.ends
    positive = drawn * ranked.label
    true = np.cumsum(positive)[ends]
    return true, np.cumsum(drawn)[ends] - true


def average_precision(rows: Scored, weight: FloatArray, _: float = 0) -> float:
    """Return the mean of precision over recall steps; rows of equal score count as one step."""
    true, false = counts(rows, weight)
    if not len(true) or true[-1] == 0:
        return float("nan")
    taken = true + false
    precision = np.divide(true, taken, out=np.zeros_like(true), where=taken > 0)
    return float(np.sum(np.diff(true, prepend=0) * precision) / true[-1])


def roc_auc(rows: Scored, weight: FloatArray, _: float = 0) -> float:
    """Return the probability that a positive is scored above a negative, ties counting half."""
    true, false = counts(rows, weight)
    if not len(true) or true[-1] == 0 or false[-1] == 0:
        return float("nan")
    before = np.append(0, true[:-1])
    return float(np.sum(np.diff(false, prepend=0) * (true + before)) / 2 / true[-1] / false[-1])


def recall_at_precision(rows: Scored, weight: FloatArray, precision: float) -> float:
    """Return the largest recall of any threshold whose precision is at least `precision`; 0 where none reaches it."""
    true, false = counts(rows, weight)
    if not len(true) or true[-1] == 0:
        return float("nan")
    reached = (true >= precision * (true + false)) & (true + false > 0)
    return float(true[reached].max(initial=0) / true[-1])


METRICS = (
    Metric("average_precision", "average precision", average_precision, _NEEDS),
    Metric("roc_auc", "ROC AUC", roc_auc, _NEEDS),
    Metric("recall_at_precision", "recall at precision", recall_at_precision, _NEEDS, parameter=0.9),
)
