"""The contract of a metric."""

from collections.abc import Callable
from dataclasses import dataclass

from mlsd_framework.runtime.training.metrics.scored import FloatArray, Scored, Unit

Function = Callable[[Scored, FloatArray, float], float]
"""(rows, weight of each unit, parameter) -> value; NaN where the rows do not define it (no positives, for one)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A named figure of scored rows.

    `needs` are columns of `Scored`. A metric with a `parameter` is written `name@number`, as in `card_precision@100`;
    without the number it takes this one.

    `resampled_by` is the unit that the bootstrap draws, and that a weight belongs to (2: drawn twice). A metric that
    averages days of ranked cards draws days: where single rows are left out or doubled, other cards come to the top.
    `note` says in few words what the name leaves open, for tables that show names.
    """

    name: str
    title: str
    function: Function
    needs: frozenset[str]
    higher_is_better: bool = True
    parameter: float | None = None
    money: bool = False
    resampled_by: Unit = "row"
    note: str = ""
