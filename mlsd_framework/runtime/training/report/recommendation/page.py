"""The page of a pipeline: figures, gates, the funnel, every list, beyond relevance, slices, examples.

Text of the spec and of the data is escaped in HTML, in JSON and in plotly's labels.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import numpy as np

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training.recommendation.measured import Measured
from mlsd_framework.runtime.training.report.document import document, grid
from mlsd_framework.runtime.training.report.recommendation import charts, examples, funnel, tables
from mlsd_framework.runtime.training.report.recommendation.figures import figure, times, title
from mlsd_framework.runtime.training.report.tables import gates

_TILES = 5
_BEYOND = (
    "Of the first {k}: novelty in bits, diversity as 1 - mean cosine of pairs, serendipity as the share that is "
    "relevant and neither popular nor had before, popularity in users who met an item, its lift over the user's own "
    "history; coverage and Gini of the whole catalogue."
)


def write(path: Path, measured: Measured, *, system: str, version: str, facts: Mapping[str, str]) -> None:
    """Write the report to `path`."""
    atomic.write_text(path, page(measured, system=system, version=version, facts=facts))


def page(measured: Measured, *, system: str, version: str, facts: Mapping[str, str]) -> str:
    """Return the whole page; the same figures give the same bytes. `facts` are further lines of the header."""
    pipeline = measured.subject.pipeline
    drawn = [charts.compared(measured, name, title(name)) for name in _metrics(measured)[:1]]
    drawn.append(charts.recall_by_depth(measured))
    head = {"system": system, "version": version, **_sizes(measured), **facts}
    shown = "".join(f"<span>{escape(name)} <b>{escape(value)}</b></span>" for name, value in head.items())
    body = [
        f"<h1>{escape(pipeline)}</h1>",
        '<p class="soft">How the pipeline does on what users did after the moments of its requests.</p>',
        f'<div class="facts">{shown}</div>',
        _tiles(measured),
        _sections(measured),
        grid(drawn),
        _details(measured),
    ]
    return document(f"{pipeline} · {system}", "\n".join(body), drawn)


def _metrics(measured: Measured) -> list[str]:
    """Return what was asked for, without what the section on what lies beyond relevance tells."""
    return [name for name in measured.metrics if name not in measured.beyond]


def _sizes(measured: Measured) -> dict[str, str]:
    subject = measured.subject
    days = [datetime.fromtimestamp(at / 1e6, UTC).date().isoformat() for at in _span(measured)]
    when = {"moments": days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"} if days else {}
    return {
        "requests": f"{measured.funnel.requests:,}",
        "users": f"{subject.requests[subject.user].n_unique():,}",
        "relevant items": f"{measured.funnel.relevant:,}",
        "catalogue": f"{len(subject.catalogue):,} items",
        **when,
    }


def _span(measured: Measured) -> list[int]:
    at = measured.subject.histories.at
    return [int(at.min()), int(at.max())] if len(at) else []


def _tiles(measured: Measured) -> str:
    tiles = []
    for name in measured.metrics[:_TILES]:
        stage = measured.stage_of(name)
        at = "" if stage is measured.last else f", {escape(stage.name)}"
        ratio = stage.ratios.get(name)
        known = ratio is not None and not math.isnan(ratio.estimate.value)
        against = f", &times;{times(ratio.estimate.value)} of {escape(ratio.baseline)}" if ratio and known else ""
        tiles.append(
            f'<div class="tile"><b>{figure(stage.values[name].value)}</b>'
            f"<small>{title(name)}{at}{against}</small></div>"
        )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _sections(measured: Measured) -> str:
    metrics = _metrics(measured)
    without = int(np.count_nonzero(np.diff(measured.subject.relevant.positive().offsets) == 0))
    out = f" Requests without relevant items are left out: {without:,}." if without else ""
    against = (
        " Below, how many times the value of the baseline that is best at it, request by request."
        if measured.subject.baselines
        else ""
    )
    return "".join(
        [
            _section("Gates", "", gates(measured.gates) if measured.gates else ""),
            _section(
                "The funnel",
                "How many of all relevant items are still there after each stage.",
                funnel.drawing(measured.funnel),
            ),
            _section(
                "Sources",
                "What each found by itself. The bar: of all relevant items, found (light) and shown in the end (dark).",
                funnel.sources(measured.funnel),
            ),
            _section(
                "Every stage, source and baseline",
                f"Means over requests with 95% bootstrap intervals.{against}{out}",
                tables.lists(measured, metrics) if metrics else "",
            ),
        ]
    )


def _details(measured: Measured) -> str:
    exposure = "".join(tables.exposure(column, groups) for column, groups in measured.exposure.items())
    return "".join(
        [
            _section(
                "Beyond relevance",
                _BEYOND.format(k=measured.k),
                tables.beyond(measured),
            ),
            _section(
                "Exposure",
                f"Each group's share of the first {measured.k}, of what was relevant, and of the catalogue.",
                exposure,
            ),
            _section(
                "Slices",
                "For some of the requests, or with only some of the relevant items counted; with the number of both.",
                tables.slices(measured),
            ),
            _section(
                "What it would have earned",
                "Estimates from a log with propensities. To be believed where the mean weight is near 1 and effective "
                "rows are many.",
                tables.policies(measured.policies) if measured.policies else "",
            ),
            _section("Examples", "Relevant items are marked.", examples.requests(measured)),
            _section("Shown most", "", examples.most_shown(measured)),
        ]
    )


def _section(heading: str, reading: str, content: str) -> str:
    lead = f'<p class="soft lead">{escape(reading)}</p>' if reading else ""
    return f"<h2>{escape(heading)}</h2>{lead}{content}" if content else ""
