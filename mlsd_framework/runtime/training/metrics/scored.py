"""What metrics read: the labels, scores and decisions of the rows of one part."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Unit = Literal["row", "day"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows by falling score, their labels, and the positions `ends` of the last row of each group of equal scores."""

    order: IntArray
    ends: IntArray
    label: FloatArray


@dataclass(frozen=True)
class Scored:
    """Columns of equal length; what a metric does not need may be None.

    label        0 or 1, or the target of a regression
    score        the model's output before calibration (or the predicted value of a regression); orders the rows
    probability  the calibrated score
    acted        whether the decision was another than the mildest action
    cost         money lost by the decision taken; `loss` is what is lost by doing nothing
    entity, day  number of the card and of the UTC day
    """

    label: FloatArray
    score: FloatArray
    probability: FloatArray | None = None
    acted: NDArray[np.bool_] | None = None
    cost: FloatArray | None = None
    loss: FloatArray | None = None
    entity: IntArray | None = None
    day: IntArray | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.label)

    @cached_property
    def ranking(self) -> Ranking:
        """Return the rows by falling score, sorted once for all metrics and all resamples."""
        order = np.argsort(-self.score, kind="stable")
        falling = self.score[order]
        ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if len(order) else order
        return Ranking(order, ends, self.label[order])

    @cached_property
    def kept(self) -> dict[str, FloatArray]:
        """Hold what a metric computes from the rows alone, once for all resamples; the key is the metric's."""
        return {}

    @property
    def columns(self) -> frozenset[str]:
        """Return the names of the columns that are there."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) is not None)

    def units(self, unit: Unit) -> int:
        """Return the number of rows, or of days that have rows."""
        return len(self) if unit == "row" else len(self.days)

    @cached_property
    def days(self) -> IntArray:
        """Return the days that have rows, rising; none where rows carry no day."""
        return np.zeros(0, np.int64) if self.day is None else np.unique(self.day)

    def take(self, rows: NDArray[np.generic]) -> "Scored":
        """Return these rows (numbers or a mask)."""
        taken = {name: getattr(self, name)[rows] for name in self.columns}
        return replace(Scored(self.label[:0], self.score[:0]), **taken)
