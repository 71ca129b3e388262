"""An endpoint that is asked by an item, beside one that is asked by a user: a real worker of the generated service."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.serving.bundle import load_bundle
from mlsd_framework.runtime.training import requests
from mlsd_framework.runtime.workspace import Workspace
from tests.runtime.serving.conftest import run_worker
from tests.runtime.serving.valkey_process import Valkey
from tests.targets.generated_system import GeneratedSystem, command
from tests.targets.similar_shop import generate, items_of

pytestmark = pytest.mark.process
TRACED = {"x-mlsd-trace": "1"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> GeneratedSystem:
    """The small shop, trained."""
    return generate(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def client(shop: GeneratedSystem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a worker, whose store knows what users did."""
    version = load_bundle(shop.workspace.versions / shop.workspace.current.read_text())
    with Valkey(tmp_path_factory.mktemp("v")) as valkey, socket.create_server(("127.0.0.1", 0)) as listening:
        features = [sys.executable, str(shop.generated / "training" / "features.py"), "--store", valkey.url]
        command(features, shop.folder)
        service = shop.generated / "service" / "service.py"
        worker = run_worker(listening, version.folder, service=service, MLSD_STORE_URL=valkey.url)
        try:
            with httpx.Client(base_url=worker.url, timeout=30) as made:
                yield made
        finally:
            worker.stop()


def ask(client: httpx.Client, path: str, **request: Any) -> dict[str, Any]:
    """Return the answer to a request, with its trace."""
    answer = client.post(path, json=request, headers=TRACED)
    assert answer.status_code == httpx.codes.OK, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_items_bought_together_come_first_and_the_item_itself_never(client: httpx.Client) -> None:
    """An item is answered with those of its group, best first, never with itself, though no source says `new`."""
    for item in items_of(2):
        answer = ask(client, "/similar", item=item, k=50)
        alike = [one["item"] for one in answer["trace"]["candidates"]["together"]]
        assert set(alike[: len(items_of(2)) - 1]) == set(items_of(2)) - {item}
        assert item not in [one["item"] for one in answer["items"]]
        assert not answer["cold_start"]
        assert [one["item"] for one in answer["trace"]["history"]] == [item]
        assert answer["trace"]["candidates"].keys() == {"together", "popular"}


@pytest.mark.parametrize(("item", "cold"), [("of-no-catalogue", True), ("never-bought", False)])
def test_an_item_that_nobody_met_is_answered_with_what_is_popular(client: httpx.Client, item: str, cold: bool) -> None:
    """An unknown item is a cold start, and one that was never bought finds nothing like it: popular items, no error."""
    answer = ask(client, "/similar", item=item)
    assert (answer["cold_start"], answer["degraded"]) == (cold, [])
    assert len(answer["items"]) == 5
    assert {source for one in answer["items"] for source in one["sources"]} == {"popular"}


def test_endpoints_do_not_meet(client: httpx.Client) -> None:
    """Each endpoint answers by its own history, limits and stages, whatever the other was asked in between."""
    before = ask(client, "/recommend", user_id=3)
    ask(client, "/similar", item=items_of(1)[0])
    after = ask(client, "/recommend", user_id=3)
    assert before["items"] == after["items"]
    assert not before["cold_start"]
    assert len(before["items"]) == 10
    # `/recommend` gives again what the user has: no source of its spec says `new`.
    assert {one["item"] for one in before["items"]} & {one["item"] for one in before["trace"]["history"]}
    assert client.post("/similar", json={"user_id": 3}).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_each_file_is_loaded_once(shop: GeneratedSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoints of one service share the items and the sources that both of them ask."""
    from mlsd_framework.runtime.serving.worker import load_service  # noqa: PLC0415 - imports the service's modules

    monkeypatch.setenv("MLSD_STORE_URL", "unix:///nowhere")
    monkeypatch.syspath_prepend(str(shop.generated / "service"))
    monkeypatch.setitem(sys.modules, "service", sys)
    module = load_service(shop.generated / "service" / "service.py")
    bundle = load_bundle(shop.workspace.versions / shop.workspace.current.read_text())
    recommend, similar = module.Recommend(bundle), module.Similar(bundle)
    assert recommend.catalogue is similar.catalogue
    assert recommend.sources.keys() == similar.sources.keys()
    assert all(recommend.sources[name] is similar.sources[name] for name in recommend.sources)
    assert recommend.retrieving is not similar.retrieving


def test_items_of_events_are_kept_as_requests(tmp_path: Path) -> None:
    """Each of some items of events is a request, once; the same events give the same ones."""
    events = [number % 7 for number in range(1000)]
    for name in ("a", "b"):
        requests.write_items(Workspace(tmp_path / name), "/similar", events, "item")
    kept, again = ((tmp_path / name / "evaluation" / requests.FILE).read_text() for name in ("a", "b"))
    assert kept == again
    assert sorted(one["request"]["item"] for one in json.loads(kept)["/similar"]) == list(range(7))


def test_what_is_asked_by_counts_as_met_now() -> None:
    """The history of an item is that item at the moment; of one that the catalogue lacks, nothing."""
    catalogue = Catalogue((10, 20))
    one = catalogue.of_one(20, 5, {"taste.age": 3})
    assert (one.items.tolist(), one.times.tolist(), one.at.tolist()) == ([1], [5], [5])
    assert one.columns["taste.age"].tolist() == [3.0]
    assert catalogue.of_one(30, 5).items.tolist() == []
