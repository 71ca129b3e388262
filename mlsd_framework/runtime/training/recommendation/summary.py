"""The end of a pipeline's evaluation in the terminal: what users see beside the baselines, the funnel, the gates."""

import math
import sys
from collections.abc import Sequence
from typing import TextIO

from mlsd_framework.runtime.ranking_metrics.estimates import Estimate
from mlsd_framework.runtime.training.recommendation.measured import Measured, Ratio
from mlsd_framework.runtime.training.summary import gate_lines, has_signs

_UNKNOWN = "not known"


def show(measured: Sequence[Measured], *, out: TextIO | None = None) -> None:
    """Write `text` to standard output or `out`, with signs that its encoding has."""
    stream = sys.stdout if out is None else out
    stream.write(text(measured, plain=not has_signs(stream)))


def text(measured: Sequence[Measured], *, plain: bool = False) -> str:
    """Return one table a pipeline; `plain` writes ASCII only, as far as names allow."""
    return "".join(_pipeline(one, plain=plain) for one in measured)


def _pipeline(measured: Measured, *, plain: bool) -> str:
    funnel = measured.funnel
    title = f"{measured.subject.pipeline}: {funnel.requests:,} requests, {funnel.relevant:,} relevant items"
    rows = [("metric", "stage", "value", "95 % interval", "to the best baseline")]
    for name in measured.metrics:
        stage = measured.stage_of(name)
        rows.append((name, stage.name, *_estimate(stage.values[name]), _ratio(stage.ratios.get(name))))
    stages = [("stage", "candidates", "found", "lost")]
    stages.append(("all sources", "", _share(funnel.relevant - funnel.missed, funnel.relevant), f"{funnel.missed:,}"))
    stages += [
        (
            one.name,
            _count(one.candidates),
            _share(one.found, funnel.relevant),
            f"{one.lost:,}",
        )
        for one in funnel.stages
    ]
    lines = ["", title, *_table(rows), "", *_table(stages)]
    if measured.policies:
        lines += ["", *_table(_policies(measured))]
    return "\n".join([*lines, *gate_lines(measured.gates, plain=plain), ""])


def _policies(measured: Measured) -> list[tuple[str, ...]]:
    """Return what the log earned and what the pipeline would have, a row an estimate."""
    logged = measured.subject.logged
    rows: list[tuple[str, ...]] = [
        ("off policy", "reward" if logged is None else logged.reward, "95 % interval", "effective rows")
    ]
    for one in measured.policies:
        value, between = _estimate(Estimate(one.value, one.rows, 0, one.interval))
        rows.append((one.estimator.replace("_", " "), value, between, f"{one.effective_size:,.0f}"))
    return rows


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines; all columns but the first stand right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _estimate(one: Estimate) -> tuple[str, str]:
    interval = one.interval
    known = interval is not None and not math.isnan(interval.low)
    return _figure(one.value), f"{_figure(interval.low)} to {_figure(interval.high)}" if interval and known else ""


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None or math.isnan(ratio.estimate.value):
        return ""
    interval = ratio.estimate.interval
    between = f" ({interval.low:.3f} to {interval.high:.3f})" if interval and not math.isnan(interval.low) else ""
    return f"{ratio.estimate.value:.3f}{between} {ratio.baseline}"


def _figure(value: float) -> str:
    return _UNKNOWN if math.isnan(value) else f"{value:.4f}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else _UNKNOWN


def _count(mean: float) -> str:
    return "" if math.isnan(mean) else f"{mean:,.0f}"
