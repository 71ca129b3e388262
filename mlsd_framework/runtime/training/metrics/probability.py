"""Metrics of probabilities: whether 0.2 means one in five."""

import numpy as np

from mlsd_framework.runtime.training.metrics.metric import Metric
from mlsd_framework.runtime.training.metrics.scored import FloatArray, IntArray, Scored

_NEEDS = frozenset({"label", "probability"})
_EDGE = float(np.finfo(np.float64).eps)


def _probability(rows: Scored) -> FloatArray:
    return rows.score if rows.probability is None else rows.probability


def log_loss(rows: Scored, weight: FloatArray, _: float = 0) -> float:
    """Return the mean negative log likelihood; probabilities are kept one float64 step from 0 and 1."""
    if "log_loss" not in rows.kept:
        p = np.clip(_probability(rows), _EDGE, 1 - _EDGE)
        rows.kept["log_loss"] = -(rows.label * np.log(p) + (1 - rows.label) * np.log1p(-p))
    return _mean(rows.kept["log_loss"], weight)


def brier(rows: Scored, weight: FloatArray, _: float = 0) -> float:
    """Return the mean squared distance of probability and label."""
    return _mean((_probability(rows) - rows.label) ** 2, weight)


def calibration_error(rows: Scored, weight: FloatArray, bins: float) -> float:
    """Return ECE over `bins` bins of equal width: the mean distance of predicted and observed rate over rows."""
    member = np.minimum((_probability(rows) * bins).astype(np.int64), int(bins) - 1)
    return _distance(rows, weight, member, int(bins))


def adaptive_calibration_error(rows: Scored, weight: FloatArray, bins: float) -> float:
    """Return ECE over bins of equal numbers of rows, which looks where the scores are; equal scores share a bin."""
    key = f"equal_count_bins@{bins}"
    if key not in rows.kept:
        rows.kept[key] = equal_count_bins(_probability(rows), int(bins)).astype(np.float64)
    return _distance(rows, weight, rows.kept[key].astype(np.int64), int(bins))


def equal_count_bins(probability: FloatArray, bins: int) -> IntArray:
    """Return the bin of each row, 0 to bins - 1, each bin with nearly as many rows as the next."""
    ordered = np.sort(probability)
    first = np.searchsorted(ordered, probability, side="left")
    return (first * bins // max(len(probability), 1)).astype(np.int64)


def _distance(rows: Scored, weight: FloatArray, member: IntArray, bins: int) -> float:
    excess = np.bincount(member, weight * (_probability(rows) - rows.label), minlength=bins)
    total = weight.sum()
    return float(np.abs(excess).sum() / total) if total > 0 else float("nan")


def _mean(values: FloatArray, weight: FloatArray) -> float:
    total = weight.sum()
    return float(np.sum(values * weight) / total) if total > 0 else float("nan")


METRICS = (
    Metric("log_loss", "log loss", log_loss, _NEEDS, higher_is_better=False),
    Metric("brier", "Brier score", brier, _NEEDS, higher_is_better=False),
    Metric("calibration_error", "calibration error", calibration_error, _NEEDS, higher_is_better=False, parameter=10),
    Metric(
        "adaptive_calibration_error",
        "calibration error, bins of equal counts",
        adaptive_calibration_error,
        _NEEDS,
        higher_is_better=False,
        parameter=10,
    ),
)
