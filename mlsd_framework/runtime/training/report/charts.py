"""The charts of a report as plotly figures in plain data; `$name` is a colour that the page fills in."""

import html
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlsd_framework.runtime.training.metrics import ranking
from mlsd_framework.runtime.training.metrics.scored import FloatArray, IntArray, Scored
from mlsd_framework.runtime.training.thresholds import Decision

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
_POINTS = 600
_COLOURS = {"train": "$grey", "validate": "$second", "test": "$first"}
_EDGES = np.array([0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with its heading and one sentence on how to read it."""

    name: str
    title: str
    reading: str
    traces: list[Json]
    layout: dict[str, Json]
    wide: bool = False


def precision_recall(scored: Mapping[str, Scored]) -> Chart:
    """Precision against recall, with the share of positives as the floor."""
    traces: list[Json] = []
    for part, rows in scored.items():
        true, false = ranking.counts(rows, np.ones(len(rows)))
        recall, precision = true / max(true[-1], 1), true / (true + false)
        traces.append(_line(part, recall, precision, _COLOURS[part]))
    return Chart(
        "precision-recall",
        "Precision and recall",
        "Of those stopped, how many are fraud (up), against how much fraud is caught (right), over all thresholds.",
        traces,
        {"xaxis": axis("recall", [0, 1.01]), "yaxis": axis("precision", [0, 1.02])},
    )


def roc(scored: Mapping[str, Scored]) -> Chart:
    """Share of positives caught against share of negatives stopped."""
    traces: list[Json] = [_line("chance", np.array([0.0, 1.0]), np.array([0.0, 1.0]), "$grey", dash="dot")]
    for part, rows in scored.items():
        true, false = ranking.counts(rows, np.ones(len(rows)))
        x, y = np.append(0, false / max(false[-1], 1)), np.append(0, true / max(true[-1], 1))
        traces.append(_line(part, x, y, _COLOURS[part]))
    return Chart(
        "roc",
        "ROC",
        "Share of positives caught against share of negatives stopped; the dotted line is guessing.",
        traces,
        {"xaxis": axis("false positive rate", [-0.01, 1]), "yaxis": axis("true positive rate", [0, 1.02])},
    )


def cost(decision: Decision, currency: str) -> Chart | None:
    """Total cost of the part that the threshold was chosen on, against the threshold."""
    if decision.curve is None or decision.cost is None:
        return None
    x, y = decision.curve.threshold, decision.curve.cost
    chosen = decision.thresholds[-1]
    traces: list[Json] = [
        _line("act or not", x, y, "$first"),
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"chosen: {decision.cost:,.0f}",
            "x": [chosen],
            "y": [decision.cost],
            "marker": {"size": 11, "color": "$accent", "line": {"color": "$paper", "width": 2}},
        },
    ]
    unit = f", {html.escape(currency)}" if currency else ""
    return Chart(
        "cost",
        "Cost against threshold",
        f"Money lost on the {decision.chosen_on} part if all with a risk from the threshold up are stopped; far left "
        f"stops all, far right none. The thresholds are those that the {decision.rule} call for.",
        traces,
        {
            "xaxis": axis("risk: expected loss of letting pass / expected loss of both", [-0.01, 1.02]),
            "yaxis": {**axis(f"total cost{unit} (log)"), "type": "log", "dtick": 1},
            "shapes": [_rule(at) for at in decision.thresholds],
            "annotations": _action_labels(decision),
        },
    )


def calibration(scored: Mapping[str, Scored]) -> Chart:
    """Observed rate against predicted probability, both logarithmic, with 95% Wilson intervals."""
    traces: list[Json] = [_line("perfect", np.array([1e-5, 1.0]), np.array([1e-5, 1.0]), "$grey", dash="dot")]
    traces += [_reliability(part, rows) for part, rows in scored.items() if part != "train"]
    return Chart(
        "calibration",
        "Calibration",
        "How often it was fraud where the model said p. Bars are 95% intervals; hollow points had no positive.",
        traces,
        {"xaxis": _log_axis("predicted probability"), "yaxis": _log_axis("observed rate")},
    )


def distribution(rows: Scored, part: str) -> Chart:
    """Histogram of the probability for each class, as shares of the class."""
    probability = rows.score if rows.probability is None else rows.probability
    edges = np.linspace(0, 1, 41)
    middle = (edges[1:] + edges[:-1]) / 2
    traces: list[Json] = []
    for name, wanted, colour in (("negatives", 0, "$first"), ("positives", 1, "$accent")):
        of_class = probability[rows.label == wanted]
        share = np.histogram(of_class, edges)[0] / max(len(of_class), 1)
        known = share > 0
        traces.append(
            {
                "type": "bar",
                "name": name,
                "x": numbers(middle[known]),
                "y": numbers(share[known]),
                "width": 0.0235,
                "marker": {"color": colour, "opacity": 0.75},
            }
        )
    return Chart(
        "distribution",
        "Scores of each class",
        f"Share of the negatives and of the positives of the {part} part at each probability (log scale).",
        traces,
        {
            "xaxis": axis("probability", [-0.01, 1.01]),
            "yaxis": {**axis("share of class"), "type": "log", "tickformat": "~p", "dtick": 1},
            "barmode": "overlay",
        },
        wide=True,
    )


def importance(shares: Mapping[str, float], top: int = 20) -> Chart:
    """The features that change the prediction most."""
    largest = sorted(shares.items(), key=lambda share: (-share[1], share[0]))[:top][::-1]
    names: list[Json] = [html.escape(name if len(name) <= 40 else f"{name[:38]}…") for name, _ in largest]  # noqa: PLR2004 - what fits
    traces: list[Json] = [
        {
            "type": "bar",
            "orientation": "h",
            "x": [round(share, 3) for _, share in largest],
            "y": list(range(len(largest))),
            "marker": {"color": "$first"},
            "hovertemplate": "%{x:.1f} %<extra></extra>",
        }
    ]
    return Chart(
        "importance",
        "Importances",
        "Share of each feature in the changes of the prediction (CatBoost's PredictionValuesChange), percent.",
        traces,
        {
            "xaxis": axis("percent"),
            "yaxis": {"tickvals": list(range(len(largest))), "ticktext": names, "automargin": True, "ticklen": 4},
            "height": 120 + 22 * len(largest),
            "showlegend": False,
        },
        wide=True,
    )


def _reliability(part: str, rows: Scored) -> Json:
    probability = rows.score if rows.probability is None else rows.probability
    member = np.clip(np.searchsorted(_EDGES, probability, side="right") - 1, 0, len(_EDGES) - 2)
    count = np.bincount(member, minlength=len(_EDGES) - 1).astype(float)
    held = count > 0
    count = count[held]
    positive: FloatArray = np.bincount(member, rows.label, minlength=len(held))[held].astype(np.float64)
    predicted = np.maximum(np.bincount(member, probability, minlength=len(held))[held] / count, 1e-5)
    low, high = wilson(positive, count)
    shown = np.where(positive > 0, positive / count, 0.5 / count)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": part,
        "x": numbers(predicted),
        "y": numbers(shown),
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": numbers(np.maximum(high - shown, 0)),
            "arrayminus": numbers(np.maximum(shown - np.maximum(low, 1e-5), 0)),
            "thickness": 1,
            "width": 0,
        },
        "marker": {
            "size": 8,
            "color": _COLOURS[part],
            "symbol": ["circle" if p > 0 else "circle-open" for p in positive.tolist()],
        },
        "text": [f"{int(p):,} of {int(n):,}" for p, n in zip(positive.tolist(), count.tolist(), strict=True)],
        "hovertemplate": "predicted %{x:.4f}<br>%{text}<extra></extra>",
    }


def wilson(positive: FloatArray, count: FloatArray, z: float = 1.96) -> tuple[FloatArray, FloatArray]:
    """Return the Wilson score interval of a share."""
    share, scale = positive / count, 1 + z**2 / count
    centre = (share + z**2 / (2 * count)) / scale
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / scale
    return centre - half, centre + half


def _line(name: str, x: FloatArray, y: FloatArray, colour: str, dash: str = "solid") -> Json:
    at = _thin(x, y)
    line: dict[str, Json] = {"color": colour, "width": 2, "dash": dash}
    return {"type": "scatter", "mode": "lines", "name": name, "x": numbers(x[at]), "y": numbers(y[at]), "line": line}


def _thin(x: FloatArray, y: FloatArray) -> IntArray:
    """Return about `_POINTS` positions at most, evenly along the drawn length, so that steep stretches keep theirs."""
    if len(x) <= _POINTS:
        return np.arange(len(x))
    spread = [np.ptp(values) or 1.0 for values in (x, y)]
    length = np.cumsum(np.hypot(np.diff(x, prepend=x[0]) / spread[0], np.diff(y, prepend=y[0]) / spread[1]))
    return np.unique(np.append(np.searchsorted(length, np.linspace(0, length[-1], _POINTS)), len(x) - 1))


def numbers(values: FloatArray) -> list[Json]:
    """Return values as a figure takes them, NaN as null."""
    return [None if value != value else float(f"{value:.6g}") for value in values.tolist()]  # noqa: PLR0124 - NaN


def axis(title: str, span: list[Json] | None = None) -> dict[str, Json]:
    """Return an axis with a title, which is HTML, over a range or what the data need."""
    plain: dict[str, Json] = {"title": {"text": title}, "automargin": True}
    return plain if span is None else {**plain, "range": span}


def _log_axis(title: str) -> dict[str, Json]:
    return {**axis(title), "type": "log", "range": [-5.1, 0.1], "tickformat": "~g", "dtick": 1}


def _rule(at: float) -> Json:
    line: dict[str, Json] = {"color": "$accent", "width": 1, "dash": "dash"}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line}


def _action_labels(decision: Decision) -> list[Json]:
    """Name each action above the stretch of risk that it covers, where the stretch is wide enough for a word."""
    edges = [0.0, *decision.thresholds, 1.0]
    found: list[Json] = []
    for action, low, high in zip(decision.actions, edges[:-1], edges[1:], strict=True):
        if high - low > 0.08:  # noqa: PLR2004 - a word's width
            text = html.escape(action if len(action) <= 20 else f"{action[:18]}…")  # noqa: PLR2004 - what fits
            found.append(
                {
                    "x": (low + high) / 2,
                    "y": 1.0,
                    "yref": "paper",
                    "yanchor": "top",
                    "text": text,
                    "showarrow": False,
                }
            )
    return found
