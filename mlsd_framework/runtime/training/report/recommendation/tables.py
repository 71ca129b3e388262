"""The tables of a pipeline's report as HTML; every text passes through `escape`."""

from collections.abc import Sequence
from html import escape

from mlsd_framework.runtime.ranking_metrics.estimates import Estimate
from mlsd_framework.runtime.ranking_metrics.off_policy import PolicyValue
from mlsd_framework.runtime.training.recommendation.measured import (
    GroupExposure,
    Measured,
    MeasuredList,
    MeasuredSlice,
    Ratio,
)
from mlsd_framework.runtime.training.report.recommendation.figures import (
    estimate,
    figure,
    size,
    slice_title,
    times,
    title,
)
from mlsd_framework.runtime.training.report.tables import UNKNOWN, number, percent, table

_GROUPS = 15
_POLICIES = {
    "on_policy": "what was logged earned",
    "ips": "IPS",
    "snips": "SNIPS",
    "direct": "direct method",
    "doubly_robust": "doubly robust",
}


def lists(measured: Measured, metrics: Sequence[str]) -> str:
    """Return a line a list, with its metrics, their intervals, and the ratios to the best baseline."""
    rows = [
        [
            _name(measured, one),
            *(estimate(one.values[name], _ratio(measured, one, name)) for name in metrics),
        ]
        for one in measured.lists
    ]
    return _dense(table(["", *map(title, metrics)], rows))


def beyond(measured: Measured) -> str:
    """Return a line a list, the last stage first and without those before it, with what lies beyond relevance."""
    others = [one for one in measured.lists if one.role != "stage"]
    rows = [
        [_name(measured, one), *(estimate(one.values[name]) for name in measured.beyond)]
        for one in (measured.last, *others)
    ]
    return f'<div class="stacked">{table(["", *map(title, measured.beyond)], rows)}</div>'


def slices(measured: Measured) -> str:
    """Return a table a stage with a line a slice: of how many requests, and the metrics that the stage is told by."""
    found: dict[str, list[MeasuredSlice]] = {}
    for one in measured.slices:
        found.setdefault(one.stage, []).append(one)
    return "".join(_of_stage(stage, those, measured.beyond) for stage, those in found.items())


def _of_stage(stage: str, found: Sequence[MeasuredSlice], beyond: Sequence[str]) -> str:
    metrics = list(dict.fromkeys(name for one in found for name in one.values if name not in beyond))
    rows = [
        [
            slice_title(one.name, f"{one.requests:,} requests, {one.relevant:,} items"),
            *(estimate(one.values[name], one.ratios.get(name)) if name in one.values else UNKNOWN for name in metrics),
        ]
        for one in found
    ]
    return table([f"stage {escape(stage)}", *map(title, metrics)], rows) if metrics else ""


def _dense(content: str) -> str:
    return f'<div class="dense">{content}</div>'


def _name(measured: Measured, one: MeasuredList) -> str:
    what = "what users see" if one is measured.last else one.role
    return f'<div class="slice">{escape(one.name)}<br><small>{what}, {size(one.candidates)} candidates</small></div>'


def _ratio(measured: Measured, one: MeasuredList, metric: str) -> Ratio | None:
    """Return a ratio, but not of a stage that cuts lists before the metric's depth: it says nothing of the items."""
    deepest = measured.stage_of(metric)
    cut = one.role == "stage" and deepest is not measured.last and one.longest < deepest.longest
    return None if cut else one.ratios.get(metric)


def exposure(column: str, groups: Sequence[GroupExposure]) -> str:
    """Return a line a group: its share of what is shown, of what users took, and of the catalogue."""
    shown = [(escape(one.group), one.shown, one.relevant, one.catalogue) for one in groups[:_GROUPS]]
    rest = groups[_GROUPS:]
    if rest:
        sums = (sum(one.shown for one in rest), sum(one.relevant for one in rest), sum(one.catalogue for one in rest))
        shown.append((f"{len(rest)} others", *sums))
    rows = [
        [name, _bar(seen, most=shown[0][1]), percent(seen), percent(taken), percent(there), _over(seen, taken)]
        for name, seen, taken, there in shown
    ]
    return table([escape(column), "", "shown", "relevant", "catalogue", "shown / relevant"], rows)


def policies(found: Sequence[PolicyValue]) -> str:
    """Return a line an estimate of what the pipeline would have earned, with what says whether to believe it."""
    rows = [
        [
            _POLICIES[one.estimator],
            estimate(Estimate(one.value, one.rows, 0, one.interval)),
            figure(one.standard_error),
            f"{one.rows:,}",
            number(round(one.effective_size)),
            figure(one.mean_weight),
            percent(one.clipped),
        ]
        for one in found
    ]
    head = ["estimate", "reward a row", "standard error", "rows", "effective rows", "mean weight", "clipped"]
    return table(head, rows)


def _over(shown: float, relevant: float) -> str:
    return f"&times;{times(shown / relevant)}" if relevant else UNKNOWN


def _bar(value: float, most: float) -> str:
    width = 100 * value / most if most else 0.0
    return (
        '<svg class="found" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.2f}" height="12"/></svg>'
    )
