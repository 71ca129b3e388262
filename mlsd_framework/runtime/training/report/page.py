"""The page of a model: header, figures, charts and tables.

Text of the spec is escaped in HTML, in JSON and in plotly's labels.
"""

from html import escape
from pathlib import Path

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training.report import charts, tables
from mlsd_framework.runtime.training.report.charts import Chart
from mlsd_framework.runtime.training.report.definition import Report
from mlsd_framework.runtime.training.report.document import document, grid

_TILES = ("average_precision", "roc_auc", "card_precision@100", "cost_saved", "cost", "mae", "rmse")


def write(path: Path, report: Report) -> None:
    """Write the report to `path`."""
    atomic.write_text(path, page(report))


def page(report: Report) -> str:
    """Return the whole page; the same report gives the same bytes."""
    drawn = _charts(report)
    title = f"{report.model} · {report.system}"
    body = "\n".join([_header(report), _figures(report), _results(report), grid(drawn), _details(report)])
    return document(title, body, drawn)


def _header(report: Report) -> str:
    rows = sum(part.rows for part in report.parts)
    positives = sum(part.positives for part in report.parts)
    facts = {
        "system": report.system,
        "kind": report.kind,
        "label": report.label,
        "version": report.version,
        "rows": f"{rows:,}",
        "positives": f"{positives:,} ({tables.percent(positives / max(rows, 1))})",
        **report.facts,
    }
    shown = "".join(f"<span>{escape(name)} <b>{escape(value)}</b></span>" for name, value in facts.items())
    lead = '<p class="soft">How the model does on data it has not seen.</p>'
    return f'<h1>{escape(report.model)}</h1>\n{lead}\n<div class="facts">{shown}</div>'


def _figures(report: Report) -> str:
    values = {value.name: value for value in report.values.get("test", ())}
    tiles = []
    for name in _TILES:
        value = values.get(name)
        if value is None:
            continue
        shown = tables.money(value.value, report.currency) if value.metric.money else f"{value.value:.3f}"
        label = f"{value.metric.title}{' ' + name.partition('@')[2] if '@' in name else ''}, test part"
        tiles.append(f'<div class="tile"><b>{escape(shown)}</b><small>{escape(label)}</small></div>')
    return f'<div class="tiles">{"".join(tiles[:5])}</div>'


def _results(report: Report) -> str:
    return _sections(
        ("Gates", tables.gates(report.gates) if report.gates else ""),
        ("Metrics, with 95% bootstrap intervals", tables.metrics(report)),
        ("Decisions on the test part", tables.confusion(report)),
        ("Split", tables.parts(report)),
    )


def _details(report: Report) -> str:
    return _sections(
        ("Slices of the test part", tables.slices(report)),
        ("Features", tables.profile(report.profile) if report.profile else ""),
    )


def _sections(*sections: tuple[str, str]) -> str:
    return "".join(f"<h2>{heading}</h2>{table}" for heading, table in sections if table)


def _charts(report: Report) -> list[Chart]:
    drawn = [charts.precision_recall(report.scored), charts.roc(report.scored)]
    if report.decision is not None:
        curve = charts.cost(report.decision, report.currency)
        drawn += [curve] if curve is not None else []
    drawn.append(charts.calibration(report.scored))
    if "test" in report.scored:
        drawn.append(charts.distribution(report.scored["test"], "test"))
    if report.importances:
        drawn.append(charts.importance(report.importances))
    return drawn
