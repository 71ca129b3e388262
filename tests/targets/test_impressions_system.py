"""The small site that learns from what it has shown: trained, measured and proved by commands."""

import json
import runpy
import sys
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import DAY
from mlsd_framework.runtime.training import artefacts
from mlsd_framework.runtime.training.logged import Answered
from mlsd_framework.runtime.training.retrieved import candidates_from
from mlsd_framework.runtime.workspace import Workspace
from tests.targets.made_pages import KINDS, chance, written
from tests.targets.made_shop import Shop

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("impressions-system")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The site, trained."""
    made = written(tmp_path_factory.mktemp("impressions"))
    print(made.told("train", "specs/site.yaml"))
    return made


@pytest.fixture(scope="module")
def place(site: Shop) -> Workspace:
    """Its workspace."""
    return Workspace(site.root / ".mlsd" / "impressions")


@pytest.fixture(scope="module")
def views(site: Shop) -> pl.DataFrame:
    """What was shown."""
    return pl.read_parquet(site.root / "data" / "views.parquet")


def test_training_has_what_was_shown(site: Shop, place: Workspace, views: pl.DataFrame) -> None:
    """A row for each item of each page of training and validation, as of the page, with whether it was clicked."""
    data = pl.read_parquet(place.dataset)
    clicks = pl.read_parquet(site.root / "data" / "clicks.parquet")
    end = int(clicks["at"].dt.timestamp("us").max()) + 1  # type: ignore[arg-type] # there are some
    week = 7 * DAY
    for name, first, last in (("train", end - 4 * week, end - 2 * week), ("validate", end - 2 * week, end - week)):
        stamp = pl.col("at").dt.timestamp("us")
        span = views.filter((stamp >= first) & (stamp < last))
        shown = span.group_by("page_id", "at", "user_id", "item_id").agg(pl.col("clicked").any())
        if name == "train":  # pages without a click, or with nothing else, teach nothing
            teaches = pl.col("clicked").any() & ~pl.col("clicked").all()
            shown = shown.filter(teaches.over("page_id"))
        rows = data.filter(pl.col("part") == name).select("at", "user_id", "item_id", "clicked")
        assert rows.sort("at", "user_id", "item_id").equals(
            shown.select("at", "user_id", "item_id", "clicked").sort("at", "user_id", "item_id")
        )
    assert not {"place", "views.place", "propensity"} & set(data.columns)
    histories = data.filter(pl.col("part") != "test").sample(40, seed=1)
    for row in histories.iter_rows(named=True):
        before = clicks.filter((pl.col("user_id") == row["user_id"]) & (pl.col("at") < row["at"]))
        assert row["taste.count_lifetime"] == before.height


def test_the_test_is_over_what_is_retrieved(place: Workspace) -> None:
    """Requests of the test are those of the label's events, with all candidates; the ranker finds what users like."""
    data = pl.read_parquet(place.dataset).with_columns(
        pl.Series("score", artefacts.read_predictions(place.model("ranker")).score)
    )
    tested = data.filter(pl.col("part") == "test")
    assert tested["at"].n_unique() == 1
    assert tested.group_by("request").len()["len"].min() == 20
    best = tested.sort("score", descending=True).group_by("request").first()
    assert np.mean(best["user_id"].to_numpy() % KINDS == best["item_id"].to_numpy() % KINDS) > 0.95
    report = json.loads((place.evaluation / "recommend.pipeline.metrics.json").read_text())
    ranked = next(one for one in report["lists"] if (one["role"], one["name"]) == ("stage", "score"))
    assert ranked["values"]["ndcg@10"]["value"] > 0.3


def test_what_the_pipeline_would_have_earned_is_covered(
    site: Shop, place: Workspace, views: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimates hold what its lists earn by the known chances of clicks; the mean of what was logged does not."""
    scripts = site.root / "generated" / "impressions" / "training"
    with monkeypatch.context() as patched:
        patched.syspath_prepend(str(scripts))
        patched.setitem(sys.modules, "features", ModuleType("features"))
        patched.delitem(sys.modules, "features")
        script = runpy.run_path(str(scripts / "evaluate.py"))
    logged, catalogue = Answered.read(place.retrieved), Catalogue.load(place.catalogue("item"))
    candidates = candidates_from(
        logged.data, catalogue, logged.asked.requests, item="item_id", columns=script["COLUMNS"]
    )
    stages, _ = script["answers"](place, logged.asked, candidates)
    shown = stages["take"]
    users = logged.asked.requests["user_id"].to_numpy()[shown.request_of]
    items = np.array(catalogue.keys_of(shown.items))
    earned = float(chance(users, items, shown.place_of).mean())
    pages = views.filter(pl.col("at").is_between(*logged.asked.requests["at"].sort()[[0, -1]]))
    assert logged.asked.requests.height == pages["page_id"].n_unique()
    report = json.loads((place.evaluation / "recommend.pipeline.metrics.json").read_text())
    found = {one["estimator"]: one for one in report["off_policy"]}
    for name in ("ips", "snips", "doubly_robust"):
        assert found[name]["low"] <= earned <= found[name]["high"], (earned, found[name])
        assert 100 < found[name]["effective_size"] < 0.2 * found[name]["rows"]
    assert found["on_policy"]["high"] < 0.6 * earned
    assert found["on_policy"]["value"] == pytest.approx(float(pages["clicked"].mean()))  # type: ignore[arg-type] # a share
    assert [(one["gate"], one["holds"]) for one in report["gates"]] == [("snips >= 0.2", True)]
    assert "doubly robust" in (place.evaluation / "recommend.pipeline.card.md").read_text()


def test_nothing_of_the_future_reaches_an_example(site: Shop, place: Workspace) -> None:
    """`verify` changes what is known after requests of the past, of what was shown too, and says so."""
    assert "proved" in site.told("verify", "specs/site.yaml", "--rows", "60")
    proof = json.loads(place.proof.read_text())
    assert proof["holds"]
    assert "shown to them in" in proof["leakage"]["sample"]
    assert len(proof["leakage"]["cuts"]) == 4
    assert {"views", "clicks"} == {one["source"] for one in proof["leakage"]["plants"]}
