"""`POST /events/<source>` of a generated service: what is taken, what is refused, and a store that is in trouble."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from mlsd_framework.runtime.features.resp import Address, Connection
from tests.runtime.serving.conftest import Worker
from tests.runtime.serving.generated_services import GeneratedService, build
from tests.runtime.serving.valkey_process import Valkey

pytestmark = pytest.mark.process

PATH = "/events/payments"
EVENT: dict[str, Any] = {
    "payment_id": 1,
    "ts": "2026-01-31T12:00:00Z",
    "card_id": 7,
    "terminal_id": 3,
    "device_id": None,
    "amount": 40.0,
    "merchant_category": "grocery",
    "channel": "online",
}
TOKEN = "a-token-of-16-characters"  # noqa: S105 - a made-up one


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> GeneratedService:
    """The service of specs/fraud.yaml."""
    return build("fraud.yaml", tmp_path_factory.mktemp("card-fraud"), iterations=2)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey on a Unix socket."""
    with Valkey(tmp_path) as running:
        yield running


@pytest.fixture
def worker(
    service: GeneratedService, valkey: Valkey, listening: socket.socket, launch: Callable[..., Worker]
) -> Worker:
    """A worker of that service; it asks for a token."""
    env = {"MLSD_STORE_URL": valkey.url, "MLSD_TOKEN": TOKEN}
    return launch(listening, service.bundle.folder, service=service.path, **env)


@pytest.fixture
def client(worker: Worker) -> Iterator[httpx.Client]:
    """A client that has the token."""
    with httpx.Client(base_url=worker.url, timeout=10, headers={"authorization": f"Bearer {TOKEN}"}) as made:
        yield made


def streamed(valkey: Valkey) -> list[tuple[str, Any]]:
    """Return the ids and events of the stream."""
    connection = Connection(Address.parse(valkey.url), 5.0)
    found = connection.call(b"XRANGE", b"payments", b"-", b"+", timeout=5.0)
    connection.close()
    assert isinstance(found, list)
    return [(f"payments:{name.decode()}", msgspec.json.decode(fields[1])) for name, fields in found]  # type: ignore[union-attr, misc, index]


def test_one_event_and_a_list_reach_the_stream(client: httpx.Client, valkey: Valkey) -> None:
    """202 with the ids of the entries, in the order of the events; what is in the stream is what was sent."""
    one = client.post(PATH, json=EVENT)
    several = [EVENT | {"payment_id": number, "card_id": number % 3} for number in range(2, 40)]
    many = client.post(PATH, json=several)
    assert (one.status_code, many.status_code) == (202, 202)
    assert (one.json()["taken"], many.json()["taken"]) == (1, 38)
    ids = [*one.json()["ids"], *many.json()["ids"]]
    assert streamed(valkey) == list(zip(ids, [EVENT, *several], strict=True))
    assert client.post(PATH, json=[]).json()["ids"] == []


def test_bad_events_are_told_with_their_places_and_good_ones_are_taken(client: httpx.Client, valkey: Valkey) -> None:
    """422: each fault with its path, the number that was taken, and null in the place of an id that was not given."""
    without = {name: value for name, value in EVENT.items() if name != "device_id"}
    sent = [EVENT, EVENT | {"amount": -1}, without, 5, EVENT | {"payment_id": 2, "channel": "fax"}, EVENT | {"x": 1}]
    answer = client.post(PATH, json=sent)
    found = answer.json()
    assert answer.status_code == 422
    assert [one["path"] for one in found["error"]["faults"]] == [
        "[1].amount", "[2].device_id", "[3]", "[4].channel", "[5].x",
    ]  # fmt: skip
    assert found["error"]["code"] == "E6420"
    assert found["taken"] == 1
    assert [one is None for one in found["ids"]] == [False, True, True, True, True, True]
    assert [event for _, event in streamed(valkey)] == [EVENT]
    alone = client.post(PATH, json=EVENT | {"ts": "yesterday"}).json()
    assert [one["path"] for one in alone["error"]["faults"]] == ["ts"]
    metrics = client.get("/metrics").text
    assert 'mlsd_events_total{source="payments",outcome="refused"} 6' in metrics
    assert 'mlsd_events_total{source="payments",outcome="taken"} 1' in metrics
    assert 'mlsd_requests_total{endpoint="/events/payments",status="422"} 2' in metrics


def test_very_many_bad_events_are_counted_and_not_all_explained(client: httpx.Client) -> None:
    """A body of nothing but faults costs a bounded time and gives a bounded answer."""
    found = client.post(PATH, json=[{}] * 5000).json()
    assert found["error"]["message"] == "5000 events have faults"
    assert len(found["ids"]) == 5000
    assert len(found["error"]["faults"]) <= 100 * len(EVENT)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"[{},]", {}, 400, "E6421"),
        (b"[" * 100_000, {}, 400, "E6421"),
        (b"{", {}, 400, "E6421"),
        (b"", {}, 400, "E6421"),
        (b"[" + b" " * 300_000 + b"]", {}, 413, "E6423"),
        (b"{}", {"content-type": "text/plain"}, 415, "E6422"),
        (b"{}", {"authorization": "Bearer of-something-else"}, 401, "E6425"),
    ],
    ids=["a comma too many", "very deep", "cut off", "empty", "too long", "of another type", "of somebody else"],
)
def test_what_is_no_event_is_refused_as_a_request_is(
    client: httpx.Client, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """Malformed, too large, not declared as JSON, without the token: nothing reaches the stream."""
    answer = client.post(PATH, content=body, headers={"content-type": "application/json", **headers})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_description_shows_the_path(client: httpx.Client) -> None:
    """OpenAPI: one event or a list, what is answered, and an example that is taken; GET is none of it."""
    described = client.get("/openapi.json").json()["paths"][PATH]["post"]
    content = described["requestBody"]["content"]["application/json"]
    assert [sorted(one) for one in content["schema"]["oneOf"]] == [["$ref"], ["items", "type"]]
    assert {"202", "401", "413", "422", "503"} <= set(described["responses"])
    assert client.post(PATH, json=content["example"]).status_code == 202
    assert client.get(PATH).status_code == 405
    assert client.post("/events/chargebacks", json={}).status_code == 404


def test_a_store_in_trouble_refuses_events_and_holds_up_no_decision(client: httpx.Client, valkey: Valkey) -> None:
    """While the store hangs events get 503 with Retry-After, and every decision comes within its time meanwhile."""
    assert client.post(PATH, json=EVENT).status_code == 202
    valkey.freeze()
    answers: list[httpx.Response] = []
    sender = threading.Thread(target=lambda: answers.append(client.post(PATH, json=EVENT)))
    sender.start()
    with httpx.Client(base_url=str(client.base_url), timeout=10, headers=client.headers) as other:
        decided = 0
        while sender.is_alive():
            decision = other.post("/decide", json=EVENT)
            assert decision.status_code == 200
            assert decision.json()["degraded"] == ["fetch"]
            decided += 1
    sender.join()
    assert decided > 1
    refused = answers[0]
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "E6435")
    assert int(refused.headers["retry-after"]) >= 1
    valkey.thaw()
    limit = time.monotonic() + 10
    while client.post(PATH, json=EVENT).status_code != 202:
        assert time.monotonic() < limit
    valkey.kill()
    assert client.post(PATH, json=EVENT).status_code == 503
