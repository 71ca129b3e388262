"""Recommendations of a real worker: the answer, its trace, its description, what is counted and what is logged."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from mlsd_framework.runtime.serving.recommendations import Recommendations
from tests.runtime.serving.conftest import Worker, write_plain_bundle

pytestmark = pytest.mark.process

SHOP = Path(__file__).parent / "shop" / "service.py"
TOKEN = "a-token-of-16-characters"  # noqa: S105 - a made-up one
TRACED = {"x-mlsd-trace": "1"}


@pytest.fixture
def worker(tmp_path: Path, listening: socket.socket, launch: Callable[..., Worker]) -> Worker:
    """A worker of the shop; it asks for a token."""
    bundle = write_plain_bundle(tmp_path / "versions", system="shop")
    return launch(listening, bundle.folder, service=SHOP, MLSD_TOKEN=TOKEN)


@pytest.fixture
def client(worker: Worker) -> Any:
    """A client that has the token."""
    with httpx.Client(base_url=worker.url, timeout=10, headers={"authorization": f"Bearer {TOKEN}"}) as made:
        yield made


def test_items_come_in_order_with_their_sources(client: httpx.Client) -> None:
    """The answer has the items best first, what found each, and is what its type says; no trace unless asked for."""
    answer = client.post("/recommend", json={"user_id": 1, "k": 4})
    read = msgspec.json.decode(answer.content, type=Recommendations)
    assert [(item.item, item.sources) for item in read.items] == [
        (10, ["again", "popular"]),
        (11, ["again"]),
        (20, ["popular"]),
        (30, ["popular"]),
    ]
    assert (read.cold_start, read.degraded, read.version, read.cached, read.trace) == (False, [], "v1", False, None)
    assert answer.headers["x-request-id"] == read.request_id
    assert "why" not in answer.json()["items"][0]


def test_a_trace_is_made_for_those_who_ask_and_may(client: httpx.Client) -> None:
    """`x-mlsd-trace: 1` gives history, candidates by source and the stages with their times; without the token, 401."""
    assert client.post("/recommend", json={"user_id": 1}, headers=TRACED | {"authorization": ""}).status_code == 401
    assert client.post("/recommend", json={"user_id": 1}, headers={"x-mlsd-trace": "0"}).json()["trace"] is None
    trace = client.post("/recommend", json={"user_id": 1}, headers=TRACED).json()["trace"]
    assert trace["history"] == [{"item": 10}, {"item": 11}]
    assert [one["item"] for one in trace["candidates"]["popular"]] == [10, 20, 30, 40]
    assert [(stage["name"], stage["candidates"]) for stage in trace["stages"]] == [("fetch", None), ("retrieve", 5)]
    assert all(stage["milliseconds"] >= 0 for stage in trace["stages"])


def test_the_description_has_the_answer(client: httpx.Client) -> None:
    """OpenAPI describes recommendations where they are answered, and no decision."""
    described = client.get("/openapi.json").json()
    content = described["paths"]["/recommend"]["post"]["responses"]["200"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/Recommendations"}
    assert {"Recommendations", "RecommendedItem", "Trace", "TracedItem", "TracedStage"} <= set(
        described["components"]["schemas"]
    )
    assert "Decision" not in described["components"]["schemas"]


def test_what_was_recommended_is_counted(client: httpx.Client) -> None:
    """Lists, items, cold starts, items by source, and stages that were done without."""
    for request in ({"user_id": 1}, {"user_id": 2}, {"user_id": 99, "k": 2}, {"user_id": 1, "broken": True, "k": 1}):
        assert client.post("/recommend", json=request).status_code == 200
    lines = set(client.get("/metrics").text.splitlines())
    assert {
        'mlsd_recommendations_total{endpoint="/recommend"} 4',
        'mlsd_recommended_items_total{endpoint="/recommend"} 9',
        'mlsd_cold_starts_total{endpoint="/recommend"} 2',
        'mlsd_recommended_from_total{endpoint="/recommend",source="again"} 3',
        'mlsd_recommended_from_total{endpoint="/recommend",source="popular"} 8',
        'mlsd_degraded_total{endpoint="/recommend",stage="fetch"} 1',
    } <= lines


def test_the_log_says_what_an_evaluation_needs(client: httpx.Client, worker: Worker) -> None:
    """Every second list, and each that is degraded, with items, sources, propensities and how many it speaks for."""
    for number in range(4):
        client.post("/recommend", json={"user_id": 1, "k": 2}, headers={"x-request-id": f"r{number}"})
    client.post("/recommend", json={"user_id": 1, "k": 1, "broken": True}, headers={"x-request-id": "broken"})
    lines = [json.loads(line) for line in worker.stop()[1].splitlines()]
    found = [line for line in lines if line["event"] == "recommendations"]
    assert [(line["request_id"], line["weight"], line["degraded"]) for line in found] == [
        ("r1", 2, []),
        ("r3", 2, []),
        ("broken", 1, ["fetch"]),
    ]
    assert found[0]["items"] == [10, 11]
    assert found[0]["sources"] == [["again", "popular"], ["again"]]
    assert found[0]["scores"] == [1.0, 0.5]
    assert found[0]["propensities"] == [0.5, 0.5]
    assert (found[0]["version"], found[0]["cold_start"], found[0]["cached"]) == ("v1", False, False)
    assert found[2]["cold_start"] is True
