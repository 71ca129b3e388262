"""Metrics of decisions: who was acted on, rightly or not, and what it cost.

To act is any action but the mildest, a review as much as a decline: with three actions the precision is mostly that of
the reviews, which are many and cheap.
"""

from dataclasses import dataclass

import numpy as np

from mlsd_framework.runtime.training.metrics.metric import Metric
from mlsd_framework.runtime.training.metrics.scored import FloatArray, Scored

_ACTED = frozenset({"label", "acted"})
_AT = frozenset({"label", "probability"})
_ACTING = "any action but the mildest"


@dataclass(frozen=True, slots=True)
class Confusion:
    """The confusion matrix, rows (by weight) in each cell; predicted positive is any action but the mildest."""

    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float

    @property
    def precision(self) -> float:
        """Return the share of those acted on, reviews included, that are positive; 0 where nothing is acted on."""
        taken = self.true_positive + self.false_positive
        return self.true_positive / taken if taken else 0.0

    @property
    def recall(self) -> float:
        """Return the share of positives acted on, reviews included; NaN without positives."""
        positives = self.true_positive + self.false_negative
        return self.true_positive / positives if positives else float("nan")

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall of acting, reviews included."""
        missed = self.false_positive + self.false_negative
        both = 2 * self.true_positive + missed
        return 2 * self.true_positive / both if both else float("nan")


def confusion(rows: Scored, weight: FloatArray, threshold: float | None = None) -> Confusion:
    """Return the confusion matrix of acting (any action but the mildest), or of probability >= `threshold`."""
    if threshold is None:
        acted = rows.acted
    else:
        acted = (rows.score if rows.probability is None else rows.probability) >= threshold
    if acted is None:
        raise ValueError("rows carry no decision")
    cell = 2 * (rows.label != 0).astype(np.int64) + acted
    true_negative, false_positive, false_negative, true_positive = np.bincount(cell, weight, minlength=4).tolist()
    return Confusion(true_positive, false_positive, false_negative, true_negative)


def _cost(rows: Scored, weight: FloatArray, _: float) -> float:
    return _total(weight, rows.cost)


def _cost_saved(rows: Scored, weight: FloatArray, _: float) -> float:
    loss = _total(weight, rows.loss)
    return 1 - _total(weight, rows.cost) / loss if loss > 0 else float("nan")


def _total(weight: FloatArray, column: FloatArray | None) -> float:
    if column is None:
        raise ValueError("rows carry no costs")
    return float(np.sum(weight * column))  # a BLAS product would wake its threads for 50,000 numbers


METRICS = (
    Metric("precision", f"precision of {_ACTING}", lambda r, w, _: confusion(r, w).precision, _ACTED, note=_ACTING),
    Metric("recall", f"recall of {_ACTING}", lambda r, w, _: confusion(r, w).recall, _ACTED, note=_ACTING),
    Metric("f1", f"F1 of {_ACTING}", lambda r, w, _: confusion(r, w).f1, _ACTED, note=_ACTING),
    Metric("precision_at", "precision at threshold", lambda r, w, t: confusion(r, w, t).precision, _AT, parameter=0.5),
    Metric("recall_at", "recall at threshold", lambda r, w, t: confusion(r, w, t).recall, _AT, parameter=0.5),
    Metric("f1_at", "F1 at threshold", lambda r, w, t: confusion(r, w, t).f1, _AT, parameter=0.5),
    Metric("cost", "cost of decisions", _cost, frozenset({"cost"}), higher_is_better=False, money=True),
    Metric("cost_saved", "share of the loss saved", _cost_saved, frozenset({"cost", "loss"})),
)
