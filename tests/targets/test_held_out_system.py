"""The small shop with a quarter of each customer's purchases held out: trained, measured and proved by commands."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.training import artefacts
from mlsd_framework.runtime.training.retrieved import Retrieved
from mlsd_framework.runtime.workspace import Workspace
from tests.targets.made_shop import Shop, written

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("held-out-system")]

SPEC = (Path(__file__).parent / "cases" / "held_out.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop, trained."""
    made = written(tmp_path_factory.mktemp("held-out"))
    (made.root / "specs" / "shop.yaml").write_text(SPEC, encoding="utf-8")
    print(made.told("train", "specs/shop.yaml"))
    return made


@pytest.fixture(scope="module")
def place(shop: Shop) -> Workspace:
    """Its workspace."""
    return Workspace(shop.root / ".mlsd" / "held-out")


@pytest.fixture(scope="module")
def purchases(shop: Shop) -> pl.DataFrame:
    """What customers bought, and whether it is held out: by the published draw, worked out row by row."""
    rows = pl.read_parquet(shop.root / "data" / "purchases.parquet")
    drawn = np.random.RandomState(42).rand(rows.height)
    held = np.zeros(rows.height, bool)
    for customer in rows["user_id"].unique():
        own = np.flatnonzero(rows["user_id"].to_numpy() == customer)
        own = own[np.argsort(drawn[own])]
        held[own[round(0.75 * len(own)) :]] = True
    return rows.with_columns(pl.Series("held", held))


def test_what_is_held_out_is_what_is_asked_for(place: Workspace, purchases: pl.DataFrame) -> None:
    """Customers ask with their other purchases as histories; what was held out is relevant, and nothing else."""
    asked, catalogue = Retrieved.read(place.retrieved), Catalogue.load(place.catalogue("item"))
    customers = asked.requests["user_id"].to_list()
    held, known = purchases.filter("held"), purchases.filter(~pl.col("held"))
    assert customers == held["user_id"].unique().sort().to_list()
    for request, customer in enumerate(customers):
        relevant = asked.relevant.items[asked.relevant.offsets[request] : asked.relevant.offsets[request + 1]]
        own = held.filter(pl.col("user_id") == customer)["product_id"]
        assert sorted(catalogue.keys_of(relevant)) == own.unique().sort().to_list()
        met = asked.history.items[asked.history.offsets[request] : asked.history.offsets[request + 1]]
        before = known.filter(pl.col("user_id") == customer).sort("at", "basket_id", "product_id")["product_id"]
        assert catalogue.keys_of(met) == before.to_list()[-50:]


def test_features_are_of_what_is_known(place: Workspace, purchases: pl.DataFrame) -> None:
    """How often an item was bought is counted without the test's events, and without those of the fold."""
    data = pl.read_parquet(place.dataset)
    assert set(data["part"]) == {"train", "validate", "test"}
    counts = data.group_by("part", "product_id").agg(pl.col("trend.purchases_lifetime").unique())
    known = purchases.filter(~pl.col("held"))
    bought = dict(known.group_by("product_id").len().iter_rows())
    tested = counts.filter(pl.col("part") == "test")
    assert {item: found for _, item, found in tested.iter_rows()} == {
        item: [bought.get(item, 0)] for item in tested["product_id"]
    }
    # Of three folds two are known where the third is asked for.
    for part, folds in (("train", 2), ("validate", 1)):
        found = counts.filter(pl.col("part") == part)
        assert all(len(seen) <= folds for seen in found["trend.purchases_lifetime"])
        assert all(max(seen) <= bought.get(item, 0) for _, item, seen in found.iter_rows())
        most = found.sort(pl.col("trend.purchases_lifetime").list.max())[-1]
        assert most["trend.purchases_lifetime"][0].mean() < 0.8 * bought[most["product_id"][0]]


def test_the_whole_pipeline_is_measured(place: Workspace, purchases: pl.DataFrame) -> None:
    """The NDCG that is reported is that of the ranker's order against what was held out, and the gate holds."""
    report = json.loads((place.evaluation / "recommend.pipeline.metrics.json").read_text())
    data = pl.read_parquet(place.dataset).with_columns(
        pl.Series("score", artefacts.read_predictions(place.model("ranker")).score)
    )
    tested = data.filter(pl.col("part") == "test").sort(
        "request", "score", descending=[False, True], maintain_order=True
    )
    held = purchases.filter("held").group_by("user_id").agg(pl.col("product_id").unique())
    values = []
    for customer, wanted in held.iter_rows():
        shown = tested.filter(pl.col("user_id") == customer)["product_id"].to_list()[:10]
        gains = sum(1 / np.log2(rank + 2) for rank, item in enumerate(shown) if item in set(wanted))
        values.append(gains / sum(1 / np.log2(rank + 2) for rank in range(min(10, len(wanted)))))
    taken = next(one for one in report["lists"] if (one["role"], one["name"]) == ("stage", "take"))
    assert taken["values"]["ndcg@10"]["value"] == pytest.approx(np.mean(values), abs=1e-9)
    assert report["requests"] == held.height
    assert all(gate["holds"] for gate in report["gates"])


def test_nothing_held_out_reaches_an_example(shop: Shop, place: Workspace) -> None:
    """`verify` changes what is held out and says so, in the proof and in its report."""
    said = shop.told("verify", "specs/shop.yaml")
    assert "a fold of training and in the test" in said
    proof = json.loads(place.proof.read_text())
    assert proof["holds"]
    leakage = proof["leakage"]
    assert leakage["held_out"]
    assert leakage["rows"] > 0
    assert [one["kind"] for one in leakage["plants"]] == [
        "what is held out of a fold of training, changed",
        "what is held out of the test, changed",
    ]
    assert "made again after this had changed" in place.proof_report.read_text()
