"""What lists look like: a few requests with what was shown, and the items that are shown most."""

from html import escape

import numpy as np

from mlsd_framework.runtime.ranking_metrics.exposure import exposure
from mlsd_framework.runtime.ranking_metrics.relevance import judge
from mlsd_framework.runtime.training.recommendation.measured import Measured
from mlsd_framework.runtime.training.recommendation.subject import ItemFacts
from mlsd_framework.runtime.training.report.recommendation.figures import share
from mlsd_framework.runtime.training.report.tables import table

_AT = ((0.9, "a good one"), (0.5, "one in the middle"), (0.1, "a poor one"))
_SHOWN, _REMEMBERED, _LONGEST = 10, 8, 60


def requests(measured: Measured) -> str:
    """Return three requests, by how many of their relevant items stand among the first k, as cards side by side."""
    subject = measured.subject
    judged = judge(subject.stages[subject.last], subject.relevant)
    hits = judged.total(judged.shown(measured.k))
    known = np.flatnonzero(~np.isnan(judged.counts))
    by_hits = known[np.argsort(hits[known], kind="stable")]
    chosen = {int(by_hits[round(at * (len(by_hits) - 1))]): word for at, word in _AT} if len(by_hits) else {}
    cards = "".join(_card(measured, request, word, int(hits[request])) for request, word in chosen.items())
    return f'<div class="grid">{cards}</div>' if cards else ""


def most_shown(measured: Measured) -> str:
    """Return the items that stand among the first k of most lists, with how many users met them before."""
    subject, catalogue = measured.subject, measured.subject.catalogue
    shown = exposure(subject.stages[subject.last], measured.k, len(catalogue))
    order = [item for item in np.argsort(-shown, kind="stable")[:_SHOWN].tolist() if shown[item]]
    rows = [
        [
            _item(catalogue, item),
            share(float(shown[item]), measured.funnel.requests),
            share(int(catalogue.met_by[item]), catalogue.users),
        ]
        for item in order
    ]
    return table(["item", "of all lists", "of users met it before"], rows) if rows else ""


def _card(measured: Measured, request: int, word: str, hits: int) -> str:
    subject, catalogue = measured.subject, measured.subject.catalogue
    begin, end = subject.histories.offsets[request : request + 2].tolist()
    had = subject.histories.items[begin:end][::-1].tolist()
    wanted = set(subject.relevant.where(subject.relevant.request_of == request).positive().items.tolist())
    shown = subject.stages[subject.last].of(request)[: min(measured.k, _SHOWN)].tolist()
    lines = "".join(_line(catalogue, item, relevant=item in wanted, known=item in had) for item in shown)
    before = ", ".join(_name(catalogue, item) for item in list(dict.fromkeys(had))[:_REMEMBERED]) or "nothing"
    user = escape(_cut(str(subject.requests[subject.user][request])))
    return (
        f'<div class="chart example"><h3>{escape(subject.user)} {user}: {word}</h3>'
        f"<p>{hits} of {len(wanted)} relevant items are among the first {measured.k}. Last had: {before}.</p>"
        f"<ol>{lines}</ol></div>"
    )


def _line(catalogue: ItemFacts, item: int, *, relevant: bool, known: bool) -> str:
    mark = ' class="hit"' if relevant else ""
    note = " <small>had before</small>" if known else ""
    return f"<li{mark}>{_item(catalogue, item)}{note}</li>"


def _item(catalogue: ItemFacts, item: int) -> str:
    """Return an item's description and key."""
    key = f"<code>{escape(_cut(str(catalogue.keys[item])))}</code>"
    return key if catalogue.descriptions is None else f"{_name(catalogue, item)} {key}"


def _name(catalogue: ItemFacts, item: int) -> str:
    names = catalogue.keys if catalogue.descriptions is None else catalogue.descriptions
    return escape(_cut(str(names[item])))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
