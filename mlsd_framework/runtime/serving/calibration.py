"""Applying a fitted calibration: scores in, probabilities out, in the service (one at a time) and in training (arrays).

A calibration is data in `calibration.json`; one request needs no numpy, and a batch gives the same bits as its rows
one by one.
"""

import json
import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlsd_framework.diagnostics.errors import RunError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_EDGE = 1e-12
"""Scores are kept this far from 0 and 1 before their log odds are taken."""


class Calibration(Protocol):
    """Turns a score in [0, 1] into a probability."""

    def __call__(self, score: float) -> float:
        """Return the probability of one score."""
        ...

    def batch(self, scores: "FloatArray") -> "FloatArray":
        """Return the probability of each score, bit for bit what one call each gives."""
        ...

    def as_json(self) -> dict[str, object]:
        """Return what `parse` reads."""
        ...


@dataclass(frozen=True, slots=True)
class Uncalibrated:
    """Leaves scores as they are."""

    def __call__(self, score: float) -> float:
        """Return the score."""
        return score

    def batch(self, scores: "FloatArray") -> "FloatArray":
        """Return the scores."""
        return scores

    def as_json(self) -> dict[str, object]:
        """Return what `parse` reads."""
        return {"method": "none"}


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """Platt scaling: a straight line through the score's log odds."""

    slope: float
    intercept: float

    def __call__(self, score: float) -> float:
        """Return 1 / (1 + exp(-(slope x log odds + intercept)))."""
        kept = min(max(score, _EDGE), 1 - _EDGE)
        odds = self.slope * math.log(kept / (1 - kept)) + self.intercept
        if odds >= 0:
            return 1 / (1 + math.exp(-odds))
        grown = math.exp(odds)
        return grown / (1 + grown)

    def batch(self, scores: "FloatArray") -> "FloatArray":
        """Return the probability of each score, one call each: numpy's exp may differ in the last bit."""
        import numpy as np  # noqa: PLC0415 - one request needs none

        return np.fromiter(map(self, scores.tolist()), np.float64, len(scores))

    def as_json(self) -> dict[str, object]:
        """Return what `parse` reads."""
        return {"method": "sigmoid", "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A non-decreasing curve through breakpoints, straight between them and flat outside."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, score: float) -> float:
        """Return the curve's height at `score`."""
        right = bisect_right(self.scores, score)
        if right == 0:
            return self.probabilities[0]
        if right == len(self.scores):
            return self.probabilities[-1]
        x0, x1 = self.scores[right - 1], self.scores[right]
        y0, y1 = self.probabilities[right - 1], self.probabilities[right]
        return (y1 - y0) / (x1 - x0) * (score - x0) + y0

    def batch(self, scores: "FloatArray") -> "FloatArray":
        """Return the curve's height at each score; the same operations in the same order as for one."""
        import numpy as np  # noqa: PLC0415 - one request needs none

        x, y = np.asarray(self.scores), np.asarray(self.probabilities)
        if len(x) == 1:
            return np.full(len(scores), y[0])
        right = np.searchsorted(x, scores, side="right")
        inner = np.clip(right, 1, len(x) - 1)
        x0, x1, y0, y1 = x[inner - 1], x[inner], y[inner - 1], y[inner]
        between = (y1 - y0) / (x1 - x0) * (scores - x0) + y0
        outside: FloatArray = np.where(right == 0, y[0], y[-1])
        return np.where((right == 0) | (right == len(x)), outside, between)

    def as_json(self) -> dict[str, object]:
        """Return what `parse` reads."""
        return {"method": "isotonic", "scores": list(self.scores), "probabilities": list(self.probabilities)}


def parse(content: str | bytes) -> Calibration:
    """Return the calibration written in `content`; raises E6331 where it is not one."""
    try:
        data = json.loads(content)
        match data["method"]:
            case "none":
                return Uncalibrated()
            case "sigmoid":
                return Sigmoid(float(data["slope"]), float(data["intercept"]))
            case "isotonic":
                return _isotonic(data["scores"], data["probabilities"])
            case other:
                raise ValueError(f"method `{other}`")  # noqa: TRY301 - all ways to be wrong end below
    except (ValueError, KeyError, TypeError) as fault:
        raise RunError.of(
            "E6331",
            f"`calibration.json` is not a calibration: {fault}",
            expected="method `none`, `sigmoid` (slope, intercept) or `isotonic` (scores, probabilities)",
            help="train the model again",
        ) from fault


def read(path: Path) -> Calibration:
    """Return the calibration stored at `path`."""
    return parse(path.read_bytes())


def _isotonic(scores: list[float], probabilities: list[float]) -> Isotonic:
    x, y = tuple(map(float, scores)), tuple(map(float, probabilities))
    if not x or len(x) != len(y):
        raise ValueError(f"{len(x)} scores and {len(y)} probabilities")
    if any(a >= b for a, b in pairwise(x)) or any(a > b for a, b in pairwise(y)):
        raise ValueError("breakpoints out of order")
    if not all(map(math.isfinite, x)) or not 0 <= y[0] <= y[-1] <= 1:
        raise ValueError("breakpoints outside [0, 1]")
    return Isotonic(x, y)
