"""The report: whole, self-contained, and deaf to what names try to do."""

import json
import re

import numpy as np
import polars as pl

from mlsd_framework.runtime.training import card, thresholds
from mlsd_framework.runtime.training.gates import Gate, Outcome
from mlsd_framework.runtime.training.metrics.bootstrap import Resamples
from mlsd_framework.runtime.training.metrics.registry import evaluate
from mlsd_framework.runtime.training.metrics.scored import Scored
from mlsd_framework.runtime.training.metrics.slices import Slice
from mlsd_framework.runtime.training.report import document, page
from mlsd_framework.runtime.training.report.definition import PartFacts, Report
from mlsd_framework.runtime.training.report.profile import profile

EVIL = "</script><img src=x onerror=alert(1)>{{ x }}|`\"'&\n# coding: utf-7"
RANDOM = np.random.default_rng(0)
LABEL = (RANDOM.random(500) < 0.2).astype(float)
SCORE = np.clip(LABEL * 0.4 + RANDOM.random(500) * 0.6, 0, 1)
ROWS = Scored(LABEL, SCORE, SCORE)


def _report(name: str) -> Report:
    costs = thresholds.Costs(10, 2, 1)
    decision = thresholds.by_cost(
        score=name, actions=["approve", name, "decline"], probability=SCORE, label=LABEL, costs=costs
    )
    values = evaluate(["average_precision", "log_loss"], ROWS, resamples=Resamples(10))
    frame = pl.DataFrame({name: SCORE, "kind": [name, None] * 250, "empty": pl.Series([None] * 500, dtype=pl.Float64)})
    return Report(
        system=name, model=name, kind=name, label=name, version="0" * 12, parts=[PartFacts("test", 500, 97, name, "")],
        values={"test": values}, scored={"validate": ROWS, "test": ROWS}, currency=name,
        gates=[Outcome(Gate("average_precision", ">=", 0.99), values[0].value)], decision=decision,
        actions=decision.actions_of(SCORE, costs), importances={name: 60.0, "kind": 40.0},
        slices=[Slice(name, name, 500, 97, values)], profile=profile(frame), facts={name: name},
    )  # fmt: skip


def test_names_from_a_spec_are_text_and_nothing_else() -> None:
    """No tag, no end of a script, no change of the number of elements, in the page and in the card."""
    evil, tame = page.page(_report(EVIL)), page.page(_report("tame"))
    assert EVIL not in evil
    for element in ("<script", "</script", "<img", "<style", "<table", "<td", "<div", "<svg", "<code"):
        assert evil.count(element) == tame.count(element), element
    data = re.search(r'id="charts">(.*?)</script>', evil, re.DOTALL)
    assert data is not None
    figures = json.loads(data[1])
    assert {f["name"] for f in figures} == {
        "precision-recall", "roc", "cost", "calibration", "distribution", "importance",
    }  # fmt: skip
    assert "<img" not in json.dumps(figures)


def test_the_page_asks_the_network_for_nothing() -> None:
    """No address to load from outside plotly's own text, and a policy that forbids the rest."""
    text = page.page(_report("tame"))
    assert "default-src 'none'" in text
    ours = text.replace(document.plotly(), "")
    assert not re.search(r"https?://|src=|href=|@import|url\(", ours)
    assert len(ours) < 200_000


def test_the_page_of_a_report_with_little_in_it_is_whole() -> None:
    """Without decisions, gates, importances, slices and profile."""
    bare = Report("s", "m", "k", "y", "0", [], {}, {"test": ROWS})
    text = page.page(bare)
    assert text.endswith("</html>\n")
    assert "Gates" not in text


def test_the_card_keeps_names_in_their_cells() -> None:
    """Every table line has as many cells as its head."""
    report = _report(EVIL)
    text = card.text(
        card.Card(
            EVIL,
            EVIL,
            EVIL,
            EVIL,
            "0",
            (EVIL,),
            {EVIL: EVIL},
            (("test", 500, 97, "a", "b"),),
            report.values,
            tuple(report.gates),
            report.importances,
            limits=("simulated data",),
        )
    )
    assert "<img" not in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    assert "fails" in text
