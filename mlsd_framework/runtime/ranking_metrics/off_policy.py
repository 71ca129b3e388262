"""Off-policy estimates: what another policy would have earned, from the log of the one that ran.

Each row is one shown action with the probability that the logging policy gave it (its propensity), the probability
that the policy in question gives the same action in the same context, and the reward. Estimates hold where each action
that the policy in question may take had a propensity above 0, and propensities are right: then the mean weight is 1.
A page of several items is one row an item if policies choose each position by itself, with probabilities of that
position.

After Horvitz and Thompson (1952) for IPS, Swaminathan and Joachims (2015) for SNIPS, Dudik et al. (2011) for the doubly
robust estimate, Ionides (2008) for truncated weights.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap
from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, sums_by
from mlsd_framework.runtime.training.metrics.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class Log:
    """Rows of a logging policy: rewards, propensities of what was shown, and what the other policy gives it: [rows].

    `units` [rows] are drawn whole by the bootstrap and are independent of each other for standard errors: the page or
    the user that several rows are of. Raises E6383 for a propensity outside (0, 1], a probability outside [0, 1] or a
    reward that is no finite number.
    """

    reward: FloatArray
    propensity: FloatArray
    target: FloatArray
    units: NDArray[np.generic] | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not len(self.reward) == len(self.propensity) == len(self.target):
            raise ValueError("rewards, propensities and probabilities are not of the same rows")
        _check("propensity", self.propensity, (self.propensity > 0) & (self.propensity <= 1), "above 0 and at most 1")
        _check("probability", self.target, (self.target >= 0) & (self.target <= 1), "from 0 to 1")
        _check("reward", self.reward, np.isfinite(self.reward), "a finite number")

    def weights(self, clip: float | None = None) -> FloatArray:
        """Return probability / propensity of each row, at most `clip`: [rows]; raises ValueError for clip <= 0."""
        if clip is not None and not clip > 0:
            raise ValueError(f"weights are clipped at a number above 0, not {clip}")
        weights = self.target / self.propensity
        return weights if clip is None else np.minimum(weights, clip)


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """An estimate of the mean reward of a row under the policy in question, in the reward's unit.

    `standard_error` assumes many independent rows (units); `interval` is the bootstrap's. `effective_size` is
    (sum of weights)^2 / sum of weights^2 (Kish 1965): so many rows of the policy's own log would tell about as much.
    `mean_weight`, after clipping, is near 1 where the log supports the policy and nothing was clipped away. `clipped`
    is the share of rows whose weight was cut, which biases the estimate towards what was logged, mostly downwards.
    """

    estimator: Literal["on_policy", "ips", "snips", "direct", "doubly_robust"]
    value: float
    standard_error: float
    effective_size: float
    mean_weight: float
    clipped: float
    rows: int
    interval: Interval | None = None


def on_policy(
    reward: FloatArray, bootstrap: Bootstrap | None = None, units: NDArray[np.generic] | None = None
) -> PolicyValue:
    """Return the mean reward of a policy's own log, to hold estimates against; `units` as in `Log`: [rows] both."""
    ones = np.ones(len(reward))
    return _estimate("on_policy", Log(reward, ones, ones, units), reward, ones, None, bootstrap)


def ips(log: Log, *, clip: float | None = None, bootstrap: Bootstrap | None = None) -> PolicyValue:
    """Return the mean of weight times reward: unbiased without `clip`, of large variance where policies differ."""
    return _estimate("ips", log, log.weights(clip) * log.reward, np.ones(len(log.reward)), clip, bootstrap)


def snips(log: Log, *, clip: float | None = None, bootstrap: Bootstrap | None = None) -> PolicyValue:
    """Return the mean reward weighted by weights: slightly biased, never outside the rewards, of less variance."""
    weights = log.weights(clip)
    return _estimate("snips", log, weights * log.reward, weights, clip, bootstrap)


def direct(log: Log, expected: FloatArray, *, bootstrap: Bootstrap | None = None) -> PolicyValue:
    """Return the mean of what a model of rewards expects of the policy: as biased as the model is.

    `expected` [rows] is the sum over all actions of probability times estimated reward, in each row's context. The
    standard error and interval are of the contexts alone: they know nothing of the model's error.
    """
    return _estimate("direct", log, expected, np.ones(len(expected)), None, bootstrap)


def doubly_robust(
    log: Log,
    expected: FloatArray,
    of_shown: FloatArray,
    *,
    clip: float | None = None,
    bootstrap: Bootstrap | None = None,
) -> PolicyValue:
    """Return `direct` corrected by the weighted errors of the model on what was shown.

    Right where either the propensities or the model are. `expected` as for `direct`; `of_shown` [rows] is the estimated
    reward of the action that was shown. Estimate a row's rewards from other rows (cross-fitting), or errors look small.
    """
    terms = expected + log.weights(clip) * (log.reward - of_shown)
    return _estimate("doubly_robust", log, terms, np.ones(len(terms)), clip, bootstrap)


def _estimate(
    estimator: Literal["on_policy", "ips", "snips", "direct", "doubly_robust"],
    log: Log,
    above: FloatArray,
    below: FloatArray,
    clip: float | None,
    bootstrap: Bootstrap | None,
) -> PolicyValue:
    """Return the estimate sum(above) / sum(below)."""
    count, total = len(above), float(below.sum())
    raw, weights = log.weights(), log.weights(clip)
    value = float(above.sum() / total) if total > 0 else float("nan")
    squares = float((weights**2).sum())
    return PolicyValue(
        estimator=estimator,
        value=value,
        standard_error=_standard_error(above - value * below, total, log.units),
        effective_size=float(weights.sum() ** 2 / squares) if squares > 0 else 0.0,
        mean_weight=float(weights.mean()) if count else float("nan"),
        clipped=float(np.mean(raw > weights)) if count else float("nan"),
        rows=count,
        interval=None if bootstrap is None else bootstrap.ratios(above[:, None], below[:, None], log.units)[0],
    )


def _standard_error(residuals: FloatArray, total: float, units: NDArray[np.generic] | None) -> float:
    """Return the standard error of a ratio by the delta method, from residuals that sum to 0; NaN for one unit."""
    if units is not None:
        names, member = np.unique(units, return_inverse=True)
        residuals = sums_by(member, residuals, len(names))
    count = len(residuals)
    if count < 2 or not total > 0:  # noqa: PLR2004 - one unit does not vary
        return float("nan")
    return float(np.sqrt((residuals**2).sum() * count / (count - 1)) / total)


def _check(name: str, values: FloatArray, fine: NDArray[np.bool_], expected: str) -> None:
    if not fine.all():
        row = int(np.flatnonzero(~fine)[0])
        raise RunError.of("E6383", f"the {name} of row {row} is {values[row]}", expected=expected)
