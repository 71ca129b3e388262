"""Gates: what a model must reach before it may serve; all that fail are told at once."""

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import RunError

Op = Literal[">=", ">", "<=", "<"]
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Gate:
    """A metric of a part compared with a number.

    `slice` narrows it to a slice of the part, as reports name it: `cold_start`, `country=NL`. `stage` is the stage of a
    pipeline that is measured; without it the last one, what users see.
    """

    metric: str
    op: Op
    bound: float
    part: str = "test"
    slice: str = ""
    stage: str = ""

    def __str__(self) -> str:
        """Return the gate as the spec writes it."""
        return f"{self.metric} {self.op} {self.bound:g}"

    @property
    def where(self) -> str:
        """What is measured, in words: `test part`, `stage merged`, either with `, slice cold_start`."""
        measured = f"stage {self.stage}" if self.stage else f"{self.part} part"
        return f"{measured}, slice {self.slice}" if self.slice else measured


@dataclass(frozen=True, slots=True)
class Outcome:
    """A gate, the value it met, and whether it holds; a value that is not known (NaN) fails."""

    gate: Gate
    value: float

    @property
    def holds(self) -> bool:
        """Return whether the value is on the right side of the bound."""
        return _COMPARE[self.gate.op](self.value, self.gate.bound)

    @property
    def miss(self) -> float:
        """Return how far the value is from the bound."""
        return abs(self.value - self.gate.bound)


def outcomes(gates: Iterable[Gate], values: Mapping[str, Mapping[str, float]]) -> tuple[Outcome, ...]:
    """Compare each gate with `values[part][metric]`, or `values[where][metric]` where it names a stage or a slice.

    What was not computed counts as not known.
    """
    return tuple(Outcome(gate, values.get(_key(gate), {}).get(gate.metric, float("nan"))) for gate in gates)


def enforce(found: Iterable[Outcome]) -> None:
    """Raise E6320 with one diagnostic for each gate that does not hold."""
    failed = [_diagnostic(outcome) for outcome in found if not outcome.holds]
    if failed:
        raise RunError(failed)


def _key(gate: Gate) -> str:
    return gate.where if gate.stage or gate.slice else gate.part


def _diagnostic(outcome: Outcome) -> Diagnostic:
    gate = outcome.gate
    where = gate.where if gate.stage else f"the {gate.where}"
    if math.isnan(outcome.value):
        what = f"gate `{gate}` fails: `{gate.metric}` is not known on {where}"
    elif outcome.miss == 0:
        what = f"gate `{gate}` fails: {where} gives exactly {outcome.value:.6g}"
    else:
        side = "short" if gate.op in (">=", ">") else "over"
        what = f"gate `{gate}` fails: {where} gives {outcome.value:.4g}, {side} by {outcome.miss:.4g}"
    return Diagnostic(
        code="E6320",
        what=what,
        expected=f"{gate.metric} {gate.op} {gate.bound:g}",
        help="see the report for where the model is weak; the version that serves stays as it is",
    )
