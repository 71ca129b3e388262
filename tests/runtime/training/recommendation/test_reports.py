"""Page, card, summary, files and tracked run of a pipeline: figures as measured, names that stay text."""

import io
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient

from mlsd_framework.runtime.ranking_metrics.accuracy import per_request
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap
from mlsd_framework.runtime.ranking_metrics.off_policy import Log
from mlsd_framework.runtime.ranking_metrics.relevance import judge
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training import evaluation, tracking
from mlsd_framework.runtime.training.bundle import Origin
from mlsd_framework.runtime.training.gates import Gate
from mlsd_framework.runtime.training.metrics.slices import SliceBy
from mlsd_framework.runtime.training.recommendation import card, summary, writing
from mlsd_framework.runtime.training.recommendation.evaluation import measure
from mlsd_framework.runtime.training.recommendation.measured import Measured
from mlsd_framework.runtime.training.recommendation.subject import LoggedPolicy
from mlsd_framework.runtime.training.report import document
from mlsd_framework.runtime.training.report.recommendation import funnel
from mlsd_framework.runtime.training.report.recommendation.page import page
from mlsd_framework.runtime.workspace import Workspace
from tests.runtime.ranking_metrics.plain_metrics import candidates, relevant
from tests.runtime.training.recommendation.small import ITEMS, NOW, catalogue, subject

EVIL = "</script><img src=x onerror=alert(1)>{{ x }}|`\"'&\n$first"
ORIGIN = Origin("shop", "", "", {})


def _measured(name: str) -> Measured:
    """Return everything that a page can have, with every name the same."""
    parts = subject()
    log = Log(np.array([1.0, 0.0]), np.array([0.5, 0.2]), np.array([1.0, 0.1]))
    one = replace(
        parts,
        pipeline=name,
        requests=pl.DataFrame({name: [name, "v", "w"], f"{name}2": [name, name, None]}),
        user=name,
        catalogue=catalogue(
            keys=[name] * ITEMS, descriptions=[name] * ITEMS, groups={name: np.array([name, None] * 4, object)},
            vectors=np.eye(ITEMS),
        ),
        sources={name: parts.sources["near"], "popular": parts.sources["popular"]},
        stages={"merged": parts.stages["merged"], name: parts.stages["taken"]},
        baselines={name: parts.baselines["most popular"]},
        logged=LoggedPolicy(log, name),
    )  # fmt: skip
    gates = [Gate("recall@3", ">=", 0.9), Gate("recall@3", ">=", 0.1, slice=name, stage=name)]
    by = [SliceBy(f"{name}2", min_rows=1)]
    return measure(
        one, metrics=["recall@3", "recall@5", "ndcg@3"], k=3, slices=by, gates=gates, bootstrap=Bootstrap(50)
    )


def _page(name: str) -> str:
    return page(_measured(name), system=name, version=name, facts={name: name})


def _ours(name: str) -> str:
    """Return the page without plotly."""
    return _page(name).replace(document.plotly(), "")


def test_names_of_items_and_of_a_spec_are_text_and_nothing_else() -> None:
    """No tag, no end of a script, no change of the number of elements, in the page and in the card."""
    evil, tame = _ours(EVIL), _ours("tame")
    assert EVIL not in evil
    for element in ("<script", "</script", "<img", "<style", "<table", "<td", "<div", "<svg", "<code", "<li", "<b>"):
        assert evil.count(element) == tame.count(element), element
    data = re.search(r'id="charts">(.*?)</script>', evil, re.DOTALL)
    assert data is not None
    figures = json.loads(data[1])
    assert [one["name"] for one in figures] == ["compared", "recall-by-depth"]
    assert "<img" not in json.dumps(figures)
    told = card.text(_measured(EVIL), system=EVIL, version=EVIL, facts={EVIL: EVIL})
    assert "<img" not in told
    for block in re.findall(r"(?:^\|.*\n)+", told, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_the_page_asks_the_network_for_nothing_and_is_the_same_again() -> None:
    """No address to load from, a policy that forbids the rest, and the same bytes for the same figures."""
    ours = _ours("tame")
    assert "default-src 'none'" in ours
    assert not re.search(r"https?://|src=|href=|@import|url\(", ours)
    assert ours == _ours("tame")


def test_the_figures_of_the_page_are_those_of_the_metrics() -> None:
    """Every cell of the table of lists begins with the mean of the metric as it is computed directly."""
    one = subject()
    text = page(measure(one, metrics=["recall@3", "mrr"], k=3), system="s", version="0", facts={})
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", text)]
    for name, ranked in (*one.sources.items(), *one.stages.items(), *one.baselines.items()):
        expected = [np.nanmean(per_request(metric, judge(ranked, one.relevant))) for metric in ("recall@3", "mrr")]
        cells = [
            [float(re.split("<", cell)[0]) for cell in row[1:]]
            for row in rows
            if len(row) == 3 and f">{name}<br>" in row[0]
        ]
        assert cells[0] == pytest.approx(expected, abs=5e-5)


def test_the_funnel_draws_what_is_left() -> None:
    """Bars are as wide as the share of relevant items; what is lost and missed is told."""
    measured = measure(subject(), metrics=[], k=3)
    text = funnel.drawing(measured.funnel)
    assert re.findall(r'<rect x="\S+" y="0" width="(\S+)"', text) == ["100.00", "80.00", "80.00", "60.00"]
    words = [unescape(word) for word in re.findall(r"<small>(?:<span[^>]*>)?(.*?)<", text)]
    expected = "of 3 requests,5,2 together,4,1 missed,4 candidates,4,none lost,3 candidates,3,1 lost"
    assert words == expected.split(",")


@pytest.mark.parametrize("requests", [0, 2])
def test_a_page_with_little_in_it_is_whole(requests: int) -> None:
    """Without baselines, gates, groups, descriptions, anything relevant, or any request."""
    empty = candidates([[0]] * requests)
    one = subject(
        requests=pl.DataFrame({"user": range(requests)}),
        relevant=relevant([{}] * requests),
        histories=Histories(
            np.zeros(requests + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64), np.full(requests, NOW)
        ),
        catalogue=catalogue(groups={}),
        sources={"one": empty},
        stages={"taken": empty},
        baselines={},
    )
    measured = measure(one, metrics=["recall@3"] if requests else [], bootstrap=Bootstrap(10))
    text = page(measured, system="s", version="0", facts={})
    assert text.endswith("</html>\n")
    assert "Gates" not in text
    assert "nan" not in text.replace(document.plotly(), "").lower()
    assert "nan" not in card.text(measured, system="s", version="0", facts={})
    assert "nan" not in summary.text([measured])


def test_files_are_written_beside_those_of_models(tmp_path: Path) -> None:
    """Figures, page and card; a name of several parts stays one file; the entry leads to page and models."""
    workspace = Workspace(tmp_path)
    measured = measure(subject(pipeline="/feed/home"), metrics=["recall@3"], gates=[Gate("recall@3", ">", 0.9)])
    writing.write(workspace, measured, ORIGIN, version="0" * 12, facts={"split": "by time"})
    names = [f"feed%2Fhome.pipeline.{kind}" for kind in ("card.md", "metrics.json", "report.html")]
    assert sorted(path.name for path in workspace.evaluation.iterdir()) == names
    told = json.loads((workspace.evaluation / names[1]).read_text())
    assert (told["system"], told["pipeline"], told["facts"]) == ("shop", "/feed/home", {"split": "by time"})
    assert told["gates"][0]["holds"] is False
    evaluation.write_index(workspace, [], ORIGIN, version="0" * 12, others=[writing.link(measured)])
    entry = (workspace.evaluation / "report.html").read_text()
    assert 'href="feed%252Fhome.pipeline.report.html"' in entry
    assert "1 gates fail" in entry


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    """Dots and slashes are parts of a file's name."""
    for name in ("../../up", "..", "", "/"):
        writing.write(Workspace(tmp_path), measure(subject(pipeline=name), metrics=[]), ORIGIN, version="0")
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / "evaluation"}


def test_the_run_is_tracked_whole(tmp_path: Path) -> None:
    """Metrics of every list and slice, more than MLflow takes at once, come back."""
    several = [f"recall@{depth}" for depth in range(1, 101)]
    measured = measure(subject(), metrics=several, slices=[SliceBy("country", min_rows=1)])
    run = writing.run_of(Workspace(tmp_path), measured)
    number = tracking.record(tmp_path / "runs.db", "shop", run)
    held = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'runs.db'}").get_run(number).data
    assert len(held.metrics) == sum(not np.isnan(value) for value in run.metrics.values()) > 1000
    assert held.metrics["stage/taken/recall_3"] == pytest.approx(2 / 3)
    assert held.metrics["slice/country_NL/taken/recall_3"] == pytest.approx(2 / 3)
    assert held.params == {"k": "10", "requests": "3", "relevant": "5"}


def test_the_terminal_shows_metrics_the_funnel_and_gates() -> None:
    """With the baseline that each ratio is to; in ASCII where the encoding has no signs."""
    asked = [Gate("recall@3", ">=", 0.9)]
    measured = measure(subject(), metrics=["recall@5"], gates=asked, bootstrap=Bootstrap(50))
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    summary.show([measured], out=stream)
    stream.seek(0)
    lines = [line.split() for line in stream.read().splitlines()]
    assert lines[1] == ["feed:", "3", "requests,", "5", "relevant", "items"]
    assert lines[3][:3] == ["recall@5", "merged", "0.8333"]
    assert lines[3][-2:] == ["most", "popular"]
    assert lines[4][:3] == ["recall@3", "taken", "0.6667"]
    assert ["all", "sources", "80.0", "%", "1"] in lines
    assert ["taken", "3", "60.0", "%", "1"] in lines
    assert lines[-1] == ["FAIL", "gate", "recall@3", ">=", "0.9,", "test", "part:", "0.6667,", "missed", "by", "0.2333"]
