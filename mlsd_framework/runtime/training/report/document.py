"""The shell of every page: one HTML file with styles, charts and what draws them inline.

The page forbids itself every connection (Content-Security-Policy), so it opens without a network and sends nothing.
Charts are data in a JSON element that a short script draws.
"""

import importlib.util
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from mlsd_framework.runtime.training.report.charts import Chart

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_HERE = Path(__file__).parent


def document(title: str, body: str, drawn: Sequence[Chart]) -> str:
    """Return the whole page around a body, which is HTML and has a place for each chart (`grid`)."""
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
<script>{plotly()}</script>
<script>{(_HERE / "page.js").read_text()}</script>
</body>
</html>
"""


def grid(drawn: Sequence[Chart]) -> str:
    """Return the places of the charts, under one heading."""
    cells = "".join(
        f'<div class="chart{" wide" if chart.wide else ""}"><h3>{escape(chart.title)}</h3>'
        f'<p>{escape(chart.reading)}</p><div id="{chart.name}"></div></div>'
        for chart in drawn
    )
    return f'<h2>Curves</h2><div class="grid">{cells}</div>'


def _json(drawn: Sequence[Chart]) -> str:
    """Return the figures as JSON that cannot end the element it stands in."""
    figures = [{"name": c.name, "traces": c.traces, "layout": c.layout} for c in drawn]
    return json.dumps(figures, allow_nan=False).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def plotly() -> str:
    """Return plotly.js from the installed package, without importing the package."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly")
    source = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")
