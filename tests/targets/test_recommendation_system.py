"""A small shop built, trained and deployed from its spec: what it answers, what an event changes, what it refuses."""

import json
import re
import shutil
import socket
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.two_tower import TwoTower
from mlsd_framework.runtime.serving.bundle import write_bundle
from tests.runtime.serving.conftest import run_worker
from tests.targets.made_shop import BEGIN, CUSTOMERS, DAYS, KINDS, Shop, kind_of, liked

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("recommendation-system")]

TRACED = {"x-mlsd-trace": "1"}
NUMBERS = count(10**6)
NO_STORE = "redis://127.0.0.1:1"


def answer(ask: httpx.Client, user: int, *, traced: bool = False, **more: Any) -> Any:
    """Return the answer to a request."""
    found = ask.post("/recommend", json={"user_id": user, **more}, headers=TRACED if traced else {})
    assert found.status_code == 200, found.text
    return found.json()


def items_of(found: Any) -> list[int]:
    """Return the products of an answer."""
    return [one["item"] for one in found["items"]]


def buy(ask: httpx.Client, user: int, product: int) -> None:
    """Send an event of now."""
    event = {
        "basket_id": next(NUMBERS),
        "product_id": product,
        "user_id": user,
        "at": datetime.now(UTC).isoformat(),
    }
    assert ask.post("/events/purchases", json=event).status_code in (200, 202)


def await_history(ask: httpx.Client, user: int, newest: list[int]) -> Any:
    """Wait until the user's history begins with some products, and return the answer that shows it."""
    limit = time.monotonic() + 60
    while True:
        found = answer(ask, user, traced=True)
        if [one["item"] for one in found["trace"]["history"]][: len(newest)] == newest:
            return found
        assert time.monotonic() < limit, found
        time.sleep(0.02)


def outcomes(ask: httpx.Client) -> dict[str, float]:
    """Return how often each thing came of a look-up in the cache."""
    found = re.findall(r'mlsd_result_cache_total\{.*outcome="(\w+)"\} (\S+)', ask.get("/metrics").text)
    return {name: float(value) for name, value in found}


def awaited_outcomes(ask: httpx.Client, name: str, value: float) -> dict[str, float]:
    """Wait until the workers have told of an outcome so often, and return all of them."""
    limit = time.monotonic() + 30
    while (found := outcomes(ask)).get(name, 0) < value and time.monotonic() < limit:
        time.sleep(0.05)
    return found


def test_customers_get_what_they_like(ask: httpx.Client) -> None:
    """Lists are as long as asked for, of distinct products in words, mostly of the kind that the customer buys."""
    shares = []
    for user in range(0, CUSTOMERS, 20):
        found = answer(ask, user, k=8)
        assert (found["cold_start"], found["degraded"], found["cached"]) == (False, [], False)
        items = items_of(found)
        assert len(set(items)) == len(items) == 8
        assert all(set(one["sources"]) <= {"ease", "towers", "popular"} and one["sources"] for one in found["items"])
        assert [one["describe"] for one in found["items"]] == [f"product {i}, kind {kind_of(i - 1000)}" for i in items]
        scores = [one["score"] for one in found["items"]]
        assert scores == sorted(scores, reverse=True)
        shares.append(np.mean([kind_of(item - 1000) == liked(user) for item in items]))
    assert np.mean(shares) > 2 / KINDS


def test_an_unknown_customer_gets_what_is_popular(ask: httpx.Client) -> None:
    """The answer is marked as a cold start, and every item comes from the source that needs no history."""
    found = answer(ask, 10**9)
    assert found["cold_start"]
    assert found["degraded"] == []
    assert [one["sources"] for one in found["items"]] == [["popular"]] * 10


def test_an_unknown_customer_gets_what_it_says_that_it_likes(ask: httpx.Client) -> None:
    """The list begins with products of the kinds that the request names; others are what it was without them."""
    user = 10**9 + 2
    without, liking = answer(ask, user), answer(ask, user, interests=["kind 1", "kind 4"])
    kinds = [kind_of(item - 1000) for item in items_of(liking)]
    assert (liking["degraded"], liking["cached"], set(kinds)) == ([], False, {1, 4})
    assert all("liked" in one["sources"] for one in liking["items"])
    assert items_of(answer(ask, user, interests=[])) == items_of(without) != items_of(liking)
    assert answer(ask, user, interests=["kind 1", "kind 4"])["cached"]
    nothing = answer(ask, user, interests=["no such kind"], traced=True)
    assert (items_of(nothing), nothing["degraded"]) == (items_of(without), [])
    assert nothing["trace"]["candidates"]["liked"] == []


def test_the_past_is_answered_as_it_was(ask: httpx.Client) -> None:
    """A request of an earlier moment has the history of that moment."""
    at = datetime(2026, 1, 20, tzinfo=UTC)
    history = answer(ask, 1, traced=True, at=at.isoformat())["trace"]["history"]
    assert history
    assert all(datetime.fromisoformat(one["at"]) < at for one in history)
    assert len(answer(ask, 1, traced=True)["trace"]["history"]) > len(history)


def test_the_tower_reads_the_windows_of_the_moment(shop: Shop, ask: httpx.Client) -> None:
    """What towers find has the scores of a user with the history and the windows of then, by going through the log."""
    bundle, at = shop.bundle, BEGIN + timedelta(days=DAYS)  # a live state is that of the log's end
    towers = TwoTower.load(bundle.file("models/towers/item_vectors.safetensors"))
    catalogue = Catalogue.load(bundle.file("catalogues/item.safetensors"))
    log = pl.read_parquet(shop.root / "data" / "purchases.parquet").sort("at", "basket_id", "product_id")
    for user in (101, 102, 103):
        had = log.filter((pl.col("user_id") == user) & (pl.col("at") < at))
        row: dict[str, Any] = {"history": catalogue.codes(had["product_id"]).tolist()}
        row["person.city"] = "Rom" if user % 2 else "Köln"
        row["habit.newest_lifetime"] = had["product_id"][-1]
        row["habit.usual_lifetime"] = had["product_id"].mean()
        scores = towers.vectors @ towers.tower.vector(row)
        found = answer(ask, user, traced=True, at=at.isoformat())["trace"]["candidates"]["towers"]
        assert found
        codes = catalogue.codes(pl.Series([one["item"] for one in found]))
        assert [one["score"] for one in found] == pytest.approx(scores[codes].tolist(), abs=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"k": 51}, {"k": 0}, {"user_id": "x"}, {"unknown": 1}, {"interests": "kind 1"}, {"interests": [1]}]
)
def test_a_request_that_does_not_fit_is_refused(ask: httpx.Client, wrong: dict[str, Any]) -> None:
    """Bounds and types of the request are held."""
    assert ask.post("/recommend", json={"user_id": 1, **wrong}).status_code == 422


def test_an_event_changes_the_next_answer(ask: httpx.Client) -> None:
    """Purchases of somebody unknown make a history, sources that need one find items, and the order changes."""
    user = 10**9 + 1
    before = answer(ask, user)
    assert before["cold_start"]
    bought = [1002, 1008, 1014]
    for product in bought:
        buy(ask, user, product)
    await_history(ask, user, bought[::-1])
    after = answer(ask, user)
    assert not after["cold_start"]
    assert items_of(after) != items_of(before)
    assert {source for one in after["items"] for source in one["sources"]} > {"popular"}


def test_lists_are_kept_until_the_customer_does_something(ask: httpx.Client) -> None:
    """The second answer is the first one again; an event of that customer, and of no other, makes a new one."""
    user, other = 2, 3
    first, kept = answer(ask, user), answer(ask, user)
    assert (first["cached"], kept["cached"]) == (False, True)
    assert kept["items"] == first["items"]
    assert kept["request_id"] != first["request_id"]
    assert not answer(ask, user, k=3)["cached"]
    answer(ask, other)
    before = awaited_outcomes(ask, "hit", 1)
    assert before["hit"] >= 1
    buy(ask, user, 1010)
    await_history(ask, user, [1010])
    assert not answer(ask, user)["cached"]
    assert answer(ask, user)["cached"]
    assert answer(ask, other)["cached"]
    after = awaited_outcomes(ask, "invalidated", before.get("invalidated", 0) + 1)
    assert after["invalidated"] > before.get("invalidated", 0)  # counts of what came before may arrive in between


def test_an_older_moment_is_never_answered_with_a_newer_list(ask: httpx.Client) -> None:
    """A list that was made for now is not the answer to a request of a day in the past."""
    user = 4
    answer(ask, user)
    past = answer(ask, user, at="2026-01-03T00:00:00Z")
    assert not past["cached"]
    assert past["cold_start"] == (not answer(ask, user, traced=True, at="2026-01-03T00:00:00Z")["trace"]["history"])


def refused(shop: Shop, bundle: Path) -> str:
    """Start a worker with a bundle, which it refuses; return what it says."""
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(AssertionError) as caught:
        run_worker(listening, bundle, service=shop.service, MLSD_STORE_URL=NO_STORE)
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "models/ease/source.safetensors",
        "catalogues/item.safetensors",
    ],
)
def test_a_damaged_file_refuses_to_start(shop: Shop, tmp_path: Path, name: str) -> None:
    """A worker whose bundle has one byte changed ends with E6404 and the file's name."""
    folder = tmp_path / shop.bundle.version
    shutil.copytree(shop.bundle.folder, folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    said = refused(shop, folder)
    assert "exit status 3" in said
    assert "E6404" in said
    assert name in said


def test_model_and_index_of_a_version_belong_together(shop: Shop, tmp_path: Path) -> None:
    """The index is over the model's vectors; a version with the vectors of another training is refused with E6807."""
    bundle = shop.bundle
    vectors = bundle.file("models/towers/item_vectors.safetensors")
    towers = TwoTower.load(vectors).with_index(bundle.folder / "indexes" / "items")
    assert towers.index is not None
    ids, scores = towers.index.search(towers.vectors[:20], 1)
    np.testing.assert_allclose(scores[:, 0], (towers.vectors[:20] @ towers.vectors.T).max(axis=1), rtol=1e-5)
    assert len(ids) == 20
    with safe_open(vectors, framework="numpy") as opened:
        header = opened.metadata()
    other = {name: one * np.float32(0.5) for name, one in load_file(vectors).items()}
    save_file(other, tmp_path / "other.safetensors", metadata=header)
    files: dict[str, Path | bytes] = {name: bundle.file(name) for name in bundle.manifest.files}
    files["models/towers/item_vectors.safetensors"] = tmp_path / "other.safetensors"
    manifest = bundle.manifest
    mixed = write_bundle(
        tmp_path / "versions", system="shop", spec=manifest.spec, features=manifest.features, files=files
    )
    assert "E6807" in refused(shop, mixed.folder)
    with pytest.raises(RunError, match="E6807"):
        TwoTower.load(mixed.file("models/towers/item_vectors.safetensors")).with_index(mixed.folder / "indexes/items")


def test_the_report_tells_the_measured_numbers(shop: Shop) -> None:
    """Page, card and JSON have the same values, and the ranker is better than what is popular."""
    folder = shop.place.evaluation
    figures = json.loads((folder / "recommend.pipeline.metrics.json").read_text())
    assert (figures["pipeline"], figures["version"]) == ("/recommend", shop.bundle.version)
    page = (folder / "recommend.pipeline.report.html").read_text()
    card = (folder / "recommend.pipeline.card.md").read_text()
    values = {(one["role"], one["name"]): one["values"]["ndcg@10"]["value"] for one in figures["lists"]}
    for (role, _), value in values.items():
        assert f"{value:.4f}" in page
        assert role == "source" or value != values["stage", "take"] or f"{value:.4g}" in card
    assert values["stage", "take"] > values["source", "popular"]
    assert [gate["holds"] for gate in figures["gates"]] == [True, True, True]
    slices = {one["name"]: one for one in figures["slices"] if one["stage"] == "take"}
    new, onboarded = (slices[name] for name in ("newcomers", "onboarded"))
    assert new["requests"] == onboarded["requests"] == 100
    assert new["relevant"] == onboarded["relevant"] > 0
    assert onboarded["values"]["ndcg@10"]["value"] > new["values"]["ndcg@10"]["value"]
    deep = {one["name"]: one["values"]["recall@50"]["value"] for one in figures["slices"] if one["stage"] == "boost"}
    assert deep["onboarded"] > 1.5 * deep["newcomers"]
    assert figures["gates"][2]["value"] == onboarded["values"]["ndcg@10"]["value"]
    assert "onboarded" in page
    assert "newcomers" in card
    assert figures["gates"][0]["value"] == values["stage", "take"]
    events = pl.read_parquet(shop.root / "data" / "purchases.parquet")
    end = events["at"].max()
    last = events.filter(pl.col("at") >= pl.lit(end).dt.offset_by("-7d").dt.offset_by("1us"))
    assert figures["requests"] == last["user_id"].n_unique()
    assert figures["relevant"] == last.select("user_id", "product_id").unique().height


def test_a_second_plan_has_nothing_to_do(shop: Shop) -> None:
    """What was deployed is what the spec says."""
    assert "nothing" in shop.told("plan", "specs/shop.yaml")
