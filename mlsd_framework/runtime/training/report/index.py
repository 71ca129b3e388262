"""`report.html`, the entry to the reports of an evaluation: it leads to the only one, or lists several."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from mlsd_framework.runtime import atomic

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = Path(__file__).parent / "style.css"


@dataclass(frozen=True, slots=True)
class Link:
    """A model, the file of its report beside this page, and how many of its gates fail."""

    model: str
    file: str
    failed: int = 0


def write(path: Path, system: str, version: str, links: Sequence[Link]) -> None:
    """Write the page to `path`."""
    atomic.write_text(path, page(system, version, links))


def page(system: str, version: str, links: Sequence[Link]) -> str:
    """Return the page; with one link it moves on at once, and stays readable where that is switched off."""
    forward = f'<meta http-equiv="refresh" content="0; url={quote(links[0].file)}">\n' if len(links) == 1 else ""
    items = "".join(
        f'<li><a href="{quote(link.file)}">{escape(link.model)}</a> '
        f'<span class="soft">{f"{link.failed} gates fail" if link.failed else "all gates hold"}</span></li>\n'
        for link in links
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
{forward}<title>{escape(system)}</title>
<style>{_STYLE.read_text()}</style>
</head>
<body>
<main>
<h1>{escape(system)}</h1>
<div class="facts"><span>version <b>{escape(version)}</b></span></div>
<ul>
{items}</ul>
</main>
</body>
</html>
"""
