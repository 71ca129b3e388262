"""The tables of a report as HTML; every text passes through `escape`."""

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from mlsd_framework.runtime.training.gates import Outcome
from mlsd_framework.runtime.training.metrics.registry import Value
from mlsd_framework.runtime.training.report.definition import Report
from mlsd_framework.runtime.training.report.profile import FeatureProfile

UNKNOWN = "&ndash;"


def metrics(report: Report) -> str:
    """Return metrics by part with their intervals."""
    names = list(dict.fromkeys((v.name, v.metric.title) for values in report.values.values() for v in values))
    by_part = {part: {value.name: value for value in values} for part, values in report.values.items()}
    rows = [
        [
            f"{escape(title)}{_parameter(name)}",
            *(_value(found.get(name), report.currency) for found in by_part.values()),
        ]
        for name, title in names
    ]
    return table(["metric", *map(escape, by_part)], rows)


def parts(report: Report) -> str:
    """Return the sizes and days of the parts."""
    rows = [
        [
            escape(p.name),
            f"{p.rows:,}",
            f"{p.positives:,}",
            percent(p.positives / max(p.rows, 1)),
            _span(p.first, p.last),
        ]
        for p in report.parts
    ]
    return table(["part", "rows", "positives", "share", "days"], rows)


def gates(outcomes: Iterable[Outcome]) -> str:
    """Return each gate with what it is measured on, its value and whether it holds."""
    rows = []
    for outcome in outcomes:
        holds = outcome.holds
        verdict = "holds" if holds else "fails"
        by = "" if math.isnan(outcome.value) else f" by {number(outcome.miss)}"
        mark = f'<span class="mark {verdict}">{verdict}{by}</span>'
        rows.append(
            [f"<code>{escape(str(outcome.gate))}</code>", escape(outcome.gate.where), number(outcome.value), mark]
        )
    return table(["gate", "measured on", "value", ""], rows)


def confusion(report: Report) -> str:
    """Return what each action did to positives and negatives of the test part, in rows and in money."""
    rows = report.scored.get("test")
    if report.decision is None or report.actions is None or rows is None:
        return ""
    cells = []
    cost = np.zeros(len(rows)) if rows.cost is None else rows.cost
    for index, action in enumerate(report.decision.actions):
        taken = report.actions == index
        line = [f"<code>{escape(action)}</code>"]
        for wanted in (1, 0):
            cell = taken & (rows.label == wanted)
            line += [f"{int(cell.sum()):,}", money(float(cost[cell].sum()), report.currency)]
        cells.append([*line, percent(float(taken.mean())), money(float(cost[taken].sum()), report.currency)])
    head = ["action", "positives", "cost", "negatives", "cost", "of all rows", "total cost"]
    return table(head, cells)


def slices(report: Report) -> str:
    """Return the metrics of each slice of the test part."""
    if not report.slices:
        return ""
    names = [value.name for value in report.slices[0].values]
    titles = [f"{escape(value.metric.title)}{_parameter(value.name)}" for value in report.slices[0].values]
    rows = []
    for one in report.slices:
        found = {value.name: value for value in one.values}
        figures = [_value(found.get(name), report.currency) for name in names]
        rows.append(
            [f"<code>{escape(one.column)}</code>", escape(one.value), f"{one.rows:,}", f"{one.positives:,}", *figures]
        )
    return table(["column", "value", "rows", "positives", *titles], rows)


def profile(found: Iterable[FeatureProfile]) -> str:
    """Return one line a feature: type, nulls, range or most frequent values, and a small histogram."""
    rows = []
    for one in found:
        if one.top or one.distinct is not None:
            values = ", ".join(f"{escape(value[:40])} {percent(share)}" for value, share in one.top)
            middle = [f'<span class="values">{values} · {one.distinct:,} distinct</span>', "", ""]
        else:
            middle = [number(one.low), number(one.median), number(one.high)]
        name = f'<code title="{escape(one.name)}">{escape(one.name)}</code>'
        rows.append([name, escape(one.dtype), percent(one.nulls), *middle, spark(one.histogram)])
    return table(["feature", "type", "nulls", "min", "median", "max", "middle 99%"], rows)


def spark(counts: Sequence[int]) -> str:
    """Return a histogram as a small inline drawing; heights are roots, so that rare values show."""
    if not counts or not max(counts):
        return ""
    top = math.sqrt(max(counts))
    bars = "".join(
        f'<rect x="{5 * i}" y="{20 - 20 * math.sqrt(c) / top:.1f}" width="4" height="{20 * math.sqrt(c) / top:.1f}"/>'
        for i, c in enumerate(counts)
        if c
    )
    return f'<svg class="spark" viewBox="0 0 {5 * len(counts)} 20" aria-hidden="true">{bars}</svg>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already; all but the first column stand right."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def number(value: float | None) -> str:
    """Return a figure of four digits; a dash where it is not known."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"  # noqa: PLR2004 - where digits end to matter


def percent(share: float) -> str:
    """Return a share in percent, with enough digits to see a small one."""
    return "0 %" if share == 0 else f"{100 * share:.3g} %"


def money(value: float, currency: str) -> str:
    """Return an amount without cents."""
    return f"{value:,.0f}{f' {escape(currency)}' if currency else ''}"


def _value(value: Value | None, currency: str) -> str:
    if value is None:
        return ""
    shown = money(value.value, currency) if value.metric.money and not math.isnan(value.value) else _ratio(value.value)
    if value.interval is None:
        return shown
    low, high = value.interval.low, value.interval.high
    ends = (f"{low:,.0f}", f"{high:,.0f}") if value.metric.money else (_ratio(low), _ratio(high))
    return f"{shown} <small>{ends[0]} to {ends[1]}</small>"


def _ratio(value: float) -> str:
    if math.isnan(value):
        return UNKNOWN
    return f"{value:.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:.2e}"  # noqa: PLR2004 - four digits show nothing


def _parameter(name: str) -> str:
    _, at, number_ = name.partition("@")
    return f" {escape(number_)}" if at else ""


def _span(first: str, last: str) -> str:
    return escape(first if first == last else f"{first} to {last}") if first else UNKNOWN
