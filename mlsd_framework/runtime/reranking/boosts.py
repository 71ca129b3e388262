"""Boosts: scores changed by rules, and the rows ordered anew by them.

What rankers give is on a logarithmic scale, of either sign: the log odds of an outcome, or the logarithm of a weight.
There, `logarithmic` multiplies what the score is the logarithm of, so that a factor above 1 raises every row.

Rows are ordered by the new score, largest first, NaN last; equal ones keep their order. Whatever arrangement earlier
stages made beyond the order of scores (caps, diversity) is undone, so boosts stand before those.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.reranking.conditions import true_in
from mlsd_framework.runtime.reranking.orders import FloatArray, check_rows, scores_of
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.interactions import Times

UNKNOWN_TIME = np.iinfo(np.int64).min
"""A time that is not known, as NumPy's NaT is kept."""


def boosted(
    candidates: Candidates,
    where: NDArray[Any],
    *,
    times: float = 1.0,
    plus: float = 0.0,
    score: str = "score",
    logarithmic: bool = False,
) -> Candidates:
    """Replace the score by score * times + plus where a condition holds, and order by it; `where` is [rows].

    A logarithmic one by score + log(times) + plus. A null condition does not hold. A score that is NaN stays so.
    Raises ValueError for a `times` or `plus` that is not finite, and for a `times` of a logarithm that is not above 0.
    """
    if not (np.isfinite(times) and np.isfinite(plus)):
        raise ValueError(f"a boost is by finite numbers, not {times} and {plus}")
    if logarithmic and not times > 0:
        raise ValueError(f"a logarithm is raised by a factor above 0, not {times}")
    check_rows(candidates, "the condition", where)
    scores = scores_of(candidates, score)
    raised = (scores + np.log(times) if logarithmic else scores * times) + plus
    return _by(candidates, score, np.where(true_in(where), raised, scores))


def freshened(
    candidates: Candidates,
    ages: FloatArray,
    half_life: float,
    *,
    floor: float = 0.0,
    score: str = "score",
    logarithmic: bool = False,
) -> Candidates:
    """Multiply scores by floor + (1 - floor) * 0.5 ** (age / half_life), and order by them; `ages` is [rows].

    To a logarithmic one the logarithm of that is added. Ages and `half_life` are in one unit, any. An age below 0
    counts as 0. An unknown one (NaN) counts as without end, which leaves `floor` of the score. Scores that are no
    logarithms are meant to be 0 or more: those below grow with age.
    Raises ValueError for a half-life that is not above 0, or a floor outside 0 to 1.
    """
    if not half_life > 0:
        raise ValueError(f"a half-life is above 0, not {half_life}")
    if not 0 <= floor <= 1:
        raise ValueError(f"what is left of a score is from 0 to 1, not {floor}")
    check_rows(candidates, "ages", ages)
    known = np.where(np.isnan(ages), np.inf, np.maximum(ages, 0.0))
    left = floor + (1 - floor) * np.exp2(-known / half_life)
    scores = scores_of(candidates, score)
    with np.errstate(divide="ignore"):  # nothing is left of an age without end, and its logarithm is -inf
        return _by(candidates, score, scores + np.log(left) if logarithmic else scores * left)


def ages_of(candidates: Candidates, born: Times | FloatArray, at: Times) -> FloatArray:
    """Return the age of each row's item at the moment of its request, in microseconds: [rows].

    `born` [rows] and `at` [requests] are times; NaN where `born` is unknown: `UNKNOWN_TIME`, or NaN where the column
    is of floats, as features are.
    """
    check_rows(candidates, "times of birth", born)
    known = ~np.isnan(born) if born.dtype.kind == "f" else born != UNKNOWN_TIME
    ages = at[candidates.request_of] - np.where(known, born, 0)
    return np.where(known, ages.astype(np.float64), np.nan)


def _by(candidates: Candidates, score: str, scores: FloatArray) -> Candidates:
    return candidates.with_columns(**{score: scores}).ordered(score)
