"""The contract of a metric."""

from collections.abc import Callable
from dataclasses import dataclass

from mlsd_framework.runtime.training.metrics.scored import FloatArray, Scored

Function = Callable[[Scored, FloatArray, float], float]
"""(rows, weight of each row, parameter) -> value; NaN where the rows do not define it (no positives, for one)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A named figure of scored rows.

    `needs` are columns of `Scored`. A metric with a `parameter` is written `name@number`, as in `card_precision@100`;
    without the number it takes this one. A weight of 2 is a row drawn twice by the bootstrap.
    """

    name: str
    title: str
    function: Function
    needs: frozenset[str]
    higher_is_better: bool = True
    parameter: float | None = None
    money: bool = False
