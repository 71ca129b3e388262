"""The drawing of a funnel: how much of what is relevant each source found, and each stage still has."""

from html import escape

from mlsd_framework.runtime.ranking_metrics.funnel import Funnel
from mlsd_framework.runtime.training.report.recommendation.figures import share, size
from mlsd_framework.runtime.training.report.tables import table


def drawing(funnel: Funnel) -> str:
    """Return a level a stage; its bar is as wide as the share of all relevant items that is still there."""
    whole = funnel.relevant
    found = whole - funnel.missed
    levels = [
        ("relevant", f"of {funnel.requests:,} requests", whole, ""),
        ("found by the sources", f"{len(funnel.sources)} together", found, _losses(funnel.missed, 0, "missed")),
        *(
            (one.name, f"{size(one.candidates)} candidates", one.found, _losses(one.lost, one.added, "lost"))
            for one in funnel.stages
        ),
    ]
    widths = [100 * count / whole if whole else 0.0 for _, _, count, _ in levels]
    rows = "".join(
        f'<div class="level"><div><b>{escape(name)}</b><br><small>{escape(note)}</small></div>'
        f"{_bar(width, below)}"
        f"<div><b>{share(count, whole)}</b> <small>{count:,}</small>{losses}</div></div>"
        for (name, note, count, losses), width, below in zip(levels, widths, [*widths[1:], widths[-1]], strict=True)
    )
    return f'<div class="chart funnel">{rows}</div>'


def sources(funnel: Funnel) -> str:
    """Return a line a source: what it found by itself, what only it found, and what of that users see."""
    rows = [
        [
            escape(one.name),
            size(one.candidates),
            _found(one.found, one.kept, funnel.relevant),
            share(one.found, funnel.relevant),
            f"{one.found:,}",
            f"{one.unique:,}",
            f"{one.kept:,}",
            f"{one.unique_kept:,}",
        ]
        for one in funnel.sources
    ]
    head = [
        "source",
        "candidates",
        "",
        "of all relevant",
        "found",
        "only by it",
        "shown of found",
        "shown of only",
    ]
    return table(head, rows)


def _losses(lost: int, added: int, word: str) -> str:
    told = [f'<span class="lost">{lost:,} {word}</span>'] if lost else []
    told += [f'<span class="added">{added:,} added</span>'] if added else []
    return f"<br><small>{', '.join(told) or 'none lost'}</small>"


def _bar(width: float, below: float) -> str:
    """Return a bar of a width in percent, and what joins it to that of the next level."""
    left, right, low_left, low_right = 50 - width / 2, 50 + width / 2, 50 - below / 2, 50 + below / 2
    return (
        '<svg viewBox="0 0 100 60" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="{left:.2f}" y="0" width="{width:.2f}" height="34"/>'
        f'<polygon points="{left:.2f},34 {right:.2f},34 {low_right:.2f},60 {low_left:.2f},60"/></svg>'
    )


def _found(found: int, kept: int, whole: int) -> str:
    """Return a small bar of what a source found; the dark part of it is kept to the end."""
    scale = 100 / whole if whole else 0.0
    return (
        '<svg class="found" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="100" height="12" class="rest"/><rect width="{found * scale:.2f}" height="12" class="lost"/>'
        f'<rect width="{kept * scale:.2f}" height="12"/></svg>'
    )
