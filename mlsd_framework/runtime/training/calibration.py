"""Fitting a calibration on the validation part; what is fitted is data that `runtime.serving.calibration` applies."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.serving.calibration import Calibration, Isotonic, Sigmoid, Uncalibrated

FloatArray = NDArray[np.float64]
Method = Literal["none", "sigmoid", "isotonic"]


def fit(method: Method, score: ArrayLike, label: ArrayLike) -> Calibration:
    """Fit scores in [0, 1] to 0/1 labels.

    `sigmoid` keeps the order of scores. `isotonic` needs some hundred positives and makes scores of one step equal.
    Raises E6330 where the part has one class only.
    """
    scores, labels = np.asarray(score, np.float64), np.asarray(label, np.float64)
    if method == "none":
        return Uncalibrated()
    if not 0 < labels.sum() < len(labels):
        raise RunError.of(
            "E6330",
            f"calibration `{method}` finds {int(labels.sum()):,} positives in {len(labels):,} rows",
            expected="rows of both classes in the validation part",
        )
    return _isotonic(scores, labels) if method == "isotonic" else _sigmoid(scores, labels)


def write(path: Path, calibration: Calibration) -> None:
    """Write `calibration` as JSON; the same calibration gives the same bytes."""
    atomic.write_text(path, json.dumps(calibration.as_json(), sort_keys=True) + "\n")


def _isotonic(scores: FloatArray, labels: FloatArray) -> Isotonic:
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - heavy

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels)
    return Isotonic(tuple(fitted.X_thresholds_.tolist()), tuple(np.maximum.accumulate(fitted.y_thresholds_).tolist()))


def _sigmoid(scores: FloatArray, labels: FloatArray, rounds: int = 100) -> Sigmoid:
    """Fit slope and intercept by Newton's method on Platt's smoothed targets, halving steps that make it worse."""
    kept = np.clip(scores, 1e-12, 1 - 1e-12)
    odds = np.log(kept / (1 - kept))
    positives = labels.sum()
    negatives = len(labels) - positives
    target = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(at: FloatArray) -> float:
        line = at[0] * odds + at[1]
        return float(np.sum(np.logaddexp(0, line) - target * line))

    at = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    now = loss(at)
    for _ in range(rounds):
        probability = 1 / (1 + np.exp(-np.clip(at[0] * odds + at[1], -500, 500)))
        error, spread = probability - target, np.maximum(probability * (1 - probability), 1e-12)
        # Sums and not `@`, whose last bit changes with where the arrays lie in memory.
        gradient = np.array([np.sum(error * odds), np.sum(error)])
        cross = np.sum(spread * odds)
        hessian = np.array([[np.sum(spread * odds**2) + 1e-12, cross], [cross, np.sum(spread) + 1e-12]])
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10 and loss(at - size * step) > now:  # noqa: PLR2004 - below it the step is nothing
            size /= 2
        at = at - size * step
        before, now = now, loss(at)
        if abs(before - now) < 1e-12 * (1 + abs(now)):
            break
    return Sigmoid(float(at[0]), float(at[1]))
