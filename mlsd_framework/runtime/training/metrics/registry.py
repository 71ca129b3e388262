"""All metrics by name, and the evaluation of a list of them over one part."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training.metrics import cards, decisions, probability, ranking, regression
from mlsd_framework.runtime.training.metrics.bootstrap import Interval, Resamples
from mlsd_framework.runtime.training.metrics.metric import Metric
from mlsd_framework.runtime.training.metrics.scored import Scored

METRICS: Mapping[str, Metric] = {
    metric.name: metric for module in (ranking, probability, decisions, cards, regression) for metric in module.METRICS
}


@dataclass(frozen=True, slots=True)
class Value:
    """A metric of one part, with its interval where one was asked for."""

    metric: Metric
    name: str
    value: float
    interval: Interval | None = None


def find(name: str) -> tuple[Metric, float]:
    """Return the metric written as `name` or `name@number`, and its parameter; raises E6322 where there is none."""
    base, at, number = name.partition("@")
    metric = METRICS.get(base)
    try:
        parameter = float(number) if at else None
    except ValueError:
        metric, parameter = None, None
    if metric is None or (at and metric.parameter is None):
        raise RunError.of("E6322", f"metric `{name}` is not known", expected=f"one of {', '.join(sorted(METRICS))}")
    return metric, (metric.parameter or 0) if parameter is None else parameter


def evaluate(names: Iterable[str], rows: Scored, *, resamples: Resamples | None = None) -> tuple[Value, ...]:
    """Return each metric of `rows`, in the order of `names`; raises E6323 for a missing column."""
    asked = [(name, *find(name)) for name in names]
    for name, metric, _ in asked:
        _check_needs(name, metric, rows)
    values = [_of_all(metric, rows, at) for _, metric, at in asked]
    intervals: Sequence[Interval | None] = [None] * len(asked)
    if resamples is not None and len(rows):
        intervals = resamples.intervals([(metric, at) for _, metric, at in asked], rows)
    found = zip(asked, values, intervals, strict=True)
    return tuple(Value(metric, name, value, interval) for (name, metric, _), value, interval in found)


def _of_all(metric: Metric, rows: Scored, parameter: float) -> float:
    return metric.function(rows, np.ones(rows.units(metric.resampled_by)), parameter) if len(rows) else float("nan")


def _check_needs(name: str, metric: Metric, rows: Scored) -> None:
    missing = metric.needs - rows.columns
    if missing:
        raise RunError.of(
            "E6323",
            f"metric `{name}` needs {', '.join(f'`{column}`' for column in sorted(missing))} and the rows have none",
            help="`cost`, `precision` and `recall` need a decision; `card_precision` needs an entity",
        )
