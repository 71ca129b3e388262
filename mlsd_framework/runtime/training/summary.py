"""The end of an evaluation in the terminal: metrics of the test part with their intervals, then the gates."""

import math
import sys
from collections.abc import Sequence
from typing import TextIO

from mlsd_framework.runtime.training.evaluation import Measured
from mlsd_framework.runtime.training.gates import Outcome
from mlsd_framework.runtime.training.metrics.registry import Value

_UNKNOWN = "not known"


def show(measured: Sequence[Measured], *, part: str = "test", currency: str = "", out: TextIO | None = None) -> None:
    """Write `text` to standard output or `out`, with signs that its encoding has."""
    stream = sys.stdout if out is None else out
    stream.write(text(measured, part=part, currency=currency, plain=not has_signs(stream)))


def text(measured: Sequence[Measured], *, part: str = "test", currency: str = "", plain: bool = False) -> str:
    """Return one table a model; `plain` writes ASCII only, as far as names allow."""
    return "".join(_model(one, part, currency, plain=plain) for one in measured)


def _model(measured: Measured, part: str, currency: str, *, plain: bool) -> str:
    scored = measured.scored.get(part)
    rows, positives = (0, 0) if scored is None else (len(scored), int((scored.label != 0).sum()))
    title = f"{measured.subject.model}: {part} part, {rows:,} rows, {positives:,} positives"
    lines = [("metric", "value", "95 % interval")]
    lines += [_metric(value, currency) for value in measured.values.get(part, ())]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    table = [f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {interval}".rstrip() for name, value, interval in lines]
    return "\n".join(["", title, *table, *gate_lines(measured.gates, plain=plain), ""])


def _metric(value: Value, currency: str) -> tuple[str, str, str]:
    unit = f" {currency}" if value.metric.money and currency else ""
    interval = value.interval
    known = interval is not None and not math.isnan(interval.low)
    between = f"{_figure(value, interval.low)} to {_figure(value, interval.high)}" if interval and known else ""
    name = f"{value.name} ({value.metric.note})" if value.metric.note else value.name
    return name, _figure(value, value.value) + unit, between


def _figure(value: Value, figure: float) -> str:
    if math.isnan(figure):
        return _UNKNOWN
    return f"{figure:,.0f}" if value.metric.money else f"{figure:.4f}"


def gate_lines(outcomes: Sequence[Outcome], *, plain: bool) -> list[str]:
    """Return a line a gate, with ASCII signs where `plain`."""
    signs = {True: "ok  " if plain else "✓", False: "FAIL" if plain else "✗"}
    return [
        f"  {signs[outcome.holds]} gate {outcome.gate}, {outcome.gate.where}: {_met(outcome)}" for outcome in outcomes
    ]


def _met(outcome: Outcome) -> str:
    if math.isnan(outcome.value):
        return _UNKNOWN
    return f"{outcome.value:.4f}" + ("" if outcome.holds else f", missed by {outcome.miss:.4f}")


def has_signs(stream: TextIO) -> bool:
    """Tell whether a stream's encoding has the signs of gates."""
    try:
        "✓✗".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
