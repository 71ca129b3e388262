"""The page: header, figures, charts and tables as one HTML file with everything inline.

The page forbids itself every connection (Content-Security-Policy), so it opens without a network and sends nothing.
Charts are data in a JSON element that a short script draws; text of the spec is escaped in HTML, in JSON and in
plotly's labels.
"""

import importlib.util
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training.report import charts, tables
from mlsd_framework.runtime.training.report.charts import Chart
from mlsd_framework.runtime.training.report.definition import Report

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_TILES = ("average_precision", "roc_auc", "card_precision@100", "cost_saved", "cost", "mae", "rmse")
_HERE = Path(__file__).parent


def write(path: Path, report: Report) -> None:
    """Write the report to `path`."""
    atomic.write_text(path, page(report))


def page(report: Report) -> str:
    """Return the whole page; the same report gives the same bytes."""
    drawn = _charts(report)
    title = f"{report.model} · {report.system}"
    body = "\n".join([_header(report), _figures(report), _results(report), _grid(drawn), _details(report)])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{(_HERE / "style.css").read_text()}</style>
</head>
<body>
<main>
{body}
<footer>Written by mlsd. This page is one file and needs no network.</footer>
</main>
<script type="application/json" id="charts">{_json(drawn)}</script>
<script>{_plotly()}</script>
<script>{(_HERE / "page.js").read_text()}</script>
</body>
</html>
"""


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
        ("Gates", tables.gates(report) if report.gates else ""),
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


def _grid(drawn: Iterable[Chart]) -> str:
    cells = "".join(
        f'<div class="chart{" wide" if chart.wide else ""}"><h3>{escape(chart.title)}</h3>'
        f'<p>{escape(chart.reading)}</p><div id="{chart.name}"></div></div>'
        for chart in drawn
    )
    return f'<h2>Curves</h2><div class="grid">{cells}</div>'


def _json(drawn: Iterable[Chart]) -> str:
    """Return the figures as JSON that cannot end the element it stands in."""
    figures = [{"name": c.name, "traces": c.traces, "layout": c.layout} for c in drawn]
    return json.dumps(figures, allow_nan=False).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _plotly() -> str:
    """Return plotly.js from the installed package, without importing the package."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly")
    source = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")
