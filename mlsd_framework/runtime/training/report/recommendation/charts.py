"""The charts of a pipeline's report: recall by depth, and the first metric of every list with its interval."""

import html
from collections.abc import Mapping, Sequence

import numpy as np

from mlsd_framework.runtime.training.recommendation.measured import Measured, MeasuredList, Role
from mlsd_framework.runtime.training.report.charts import Chart, Json, axis, numbers

_COLOURS: Mapping[Role, str] = {"source": "$second", "stage": "$first", "baseline": "$grey"}
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_LONGEST = 32


def recall_by_depth(measured: Measured) -> Chart:
    """Mean recall of the first k of each list, against k."""
    traces: list[Json] = []
    for role in ("source", "baseline", "stage"):
        lists = [one for one in measured.lists if one.role == role]
        last = lists[-1] if role == "stage" else None
        traces += [_curve(one, _DASHES[at % len(_DASHES)], one is last) for at, one in enumerate(_last_first(lists))]
    return Chart(
        "recall-by-depth",
        "Recall by depth",
        "Mean share of a request's relevant items among the first k (up), for lists cut at k (right, logarithmic). "
        "Stages blue, sources yellow, baselines grey.",
        traces,
        {
            "xaxis": {**axis(""), "type": "log", "tickformat": "~d", "dtick": "D2"},
            "yaxis": {**axis("recall"), "rangemode": "tozero", "tickformat": "~p"},
            "height": 440,
            "legend": {"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top", "font": {"size": 11}},
        },
        wide=True,
    )


def compared(measured: Measured, metric: str, title: str) -> Chart:
    """Each list's mean of one metric with its interval, the lists one above the other."""
    lists = list(measured.lists)[::-1]
    traces: list[Json] = [
        _points([(at, one) for at, one in enumerate(lists) if one.role == role], metric, role) for role in _COLOURS
    ]
    names: list[Json] = [_name(one.name) for one in lists]
    return Chart(
        "compared",
        title,
        "Mean over requests with 95% intervals. Intervals that overlap do not mean that lists are alike: "
        "the ratios in the table compare them request by request.",
        traces,
        {
            "xaxis": {**axis(title), "rangemode": "tozero"},
            "yaxis": {"tickvals": list(range(len(lists))), "ticktext": names, "automargin": True, "ticklen": 4},
            "height": 140 + 26 * len(lists),
        },
        wide=True,
    )


def _last_first(lists: Sequence[MeasuredList]) -> list[MeasuredList]:
    """Return stages from the last on, which is drawn solid; other lists as they stand."""
    return list(lists)[::-1] if lists and lists[0].role == "stage" else list(lists)


def _curve(one: MeasuredList, dash: str, thick: bool) -> Json:  # noqa: FBT001
    depth, recall = (np.array(side, np.float64) for side in zip(*one.curve, strict=True)) if one.curve else ([], [])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": _name(one.name),
        "x": numbers(np.asarray(depth, np.float64)),
        "y": numbers(np.asarray(recall, np.float64)),
        "line": {"color": _COLOURS[one.role], "width": 3 if thick else 1.6, "dash": dash},
        "hovertemplate": "%{y:.1%} at %{x}",
    }


def _points(lists: Sequence[tuple[int, MeasuredList]], metric: str, role: Role) -> Json:
    found = [one.values[metric] for _, one in lists]
    values = np.array([one.value for one in found])
    low = np.array([one.interval.low if one.interval else np.nan for one in found])
    high = np.array([one.interval.high if one.interval else np.nan for one in found])
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{role}s",
        "x": numbers(values),
        "y": [at for at, _ in lists],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": numbers(np.nan_to_num(high - values)),
            "arrayminus": numbers(np.nan_to_num(values - low)),
            "thickness": 1.4,
            "width": 0,
        },
        "marker": {"size": 9, "color": _COLOURS[role]},
        "hovertemplate": "%{x:.4f}<extra></extra>",
    }


def _name(name: str) -> str:
    return html.escape(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")
