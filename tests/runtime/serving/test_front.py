"""The front door of a real worker over a real socket."""

import json
import socket
import time

import httpx
import pytest

pytestmark = pytest.mark.process

PAYMENT = {"card_id": "c1", "amount": 12.5, "ts": "2026-01-31T12:00:00Z"}


def test_decision_has_action_score_and_reasons(client: httpx.Client) -> None:
    """A payment is answered with its action, score, reasons in words, version and the caller's request id."""
    answer = client.post("/decide", json=PAYMENT | {"amount": 6000}, headers={"x-request-id": "order-7"})
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == body["request_id"] == "order-7"
    assert (body["action"], body["version"], body["degraded"]) == ("decline", "v1", [])
    assert body["reasons"][0] == {"kind": "rule", "name": "large", "text": "the amount is over 5,000 EUR"}
    assert body["reasons"][1]["text"] == "amount of 6,000 EUR raises the risk"


@pytest.mark.parametrize("given", ["a" * 65, "a b", "ü", 'x"y', ""])
def test_strange_request_id_is_replaced(client: httpx.Client, given: str) -> None:
    """An id that could break a log or a header is replaced."""
    answer = client.post("/decide", json=PAYMENT, headers=[(b"x-request-id", given.encode())])
    assert answer.json()["request_id"] != given


def test_all_faults_at_once(client: httpx.Client) -> None:
    """A request with several faults gets 422 with the path, what was expected and what came, of each."""
    answer = client.post("/decide", json={"card_id": 1, "amont": 2, "ts": "yesterday", "items": 0})
    faults = {fault["path"]: fault for fault in answer.json()["error"]["faults"]}
    assert answer.status_code == 422
    assert list(faults) == ["card_id", "ts", "items", "amont"]
    assert faults["card_id"] == {"path": "card_id", "expected": "string", "got": "number 1"}
    assert faults["amont"]["help"] == "did you mean `amount`?"
    assert faults["items"]["expected"] == "whole number >= 1"


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b'{"amount": NaN}', "application/json", 400, "E6421"),
        (b'{"card_id": "\xff"}', "application/json", 400, "E6421"),
        (b"", "application/json", 400, "E6421"),
        (b'{"a":' + b"[" * 5000, "application/json", 400, "E6421"),
        (b"[1]", "application/json", 422, "E6420"),
        (b'{"card_id":"c","amount":1e999,"ts":"2026-01-31T12:00:00Z"}', "application/json", 422, "E6420"),
        (b"{}", "text/plain", 415, "E6422"),
        (b"x" * 70_000, "application/json", 413, "E6423"),
    ],
)
def test_refused_bodies(client: httpx.Client, body: bytes, kind: str, status: int, code: str) -> None:
    """What is not a JSON body of the right size and type is refused with the code that says why."""
    answer = client.post("/decide", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_chunked_body_is_limited(client: httpx.Client) -> None:
    """A body without a length is cut off at the limit."""
    chunks = (b"x" * 10_000 for _ in range(20))
    answer = client.post("/decide", content=chunks, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_charset_parameter_is_accepted(client: httpx.Client) -> None:
    """`application/json; charset=utf-8` is JSON."""
    kind = {"content-type": "application/json; charset=utf-8"}
    assert client.post("/decide", content=json.dumps(PAYMENT), headers=kind).status_code == 200


@pytest.mark.parametrize(
    ("card", "status", "code"),
    [("dead-model", 503, "E6433"), ("bug", 500, "E6434"), ("sleep-0.3", 504, "E6432")],
)
def test_failures_have_their_status(client: httpx.Client, card: str, status: int, code: str) -> None:
    """A failed stage, a bug and a spent deadline are told apart, and none shows its inside."""
    answer = client.post("/decide", json=PAYMENT | {"card_id": card})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "Traceback" not in answer.text
    assert client.post("/decide", json=PAYMENT).status_code == 200


def test_dead_store_degrades(client: httpx.Client) -> None:
    """A stage with a default that fails is named in the answer, which is given all the same."""
    answer = client.post("/decide", json=PAYMENT | {"card_id": "dead-store"})
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["fetch"])


def test_slow_body_is_refused(client: httpx.Client) -> None:
    """A body that does not arrive in its time gets 408, while others are answered."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as slow:
        slow.sendall(
            b"POST /decide HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
        )
        assert client.post("/decide", json=PAYMENT).status_code == 200
        slow.settimeout(10)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_slow_head_is_cut_off(client: httpx.Client) -> None:
    """A connection that never ends its head is closed."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as slow:
        slow.sendall(b"POST /decide HTTP/1.1\r\nx: ")
        slow.settimeout(10)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_endless_head_is_refused(client: httpx.Client) -> None:
    """A head that grows without end is refused instead of kept."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as large:
        large.settimeout(10)
        large.sendall(b"GET /healthz HTTP/1.1\r\nx: ")
        for _ in range(16):
            large.sendall(b"y" * 4096)
            time.sleep(0.005)
        assert large.recv(4096).startswith(b"HTTP/1.1 431")


def test_other_methods_and_paths(client: httpx.Client) -> None:
    """GET on an endpoint is 405 and says what is allowed; an unknown path is BentoML's 404."""
    answer = client.get("/decide")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert client.get("/nothing").status_code == 404
    assert client.post("/docs").status_code == 405


def test_metrics_count_what_happened(client: httpx.Client) -> None:
    """The metrics hold decisions, rules, statuses, stages and the version."""
    client.post("/decide", json=PAYMENT | {"amount": 6000})
    text = client.get("/metrics").text
    assert 'mlsd_decisions_total{endpoint="/decide",action="decline"}' in text
    assert 'mlsd_rules_total{endpoint="/decide",rule="large"}' in text
    assert 'mlsd_stage_seconds_count{endpoint="/decide",stage="score"}' in text
    assert 'mlsd_info{system="plain",version="v1",worker="0"} 1' in text


def test_description_and_docs_need_no_network(client: httpx.Client) -> None:
    """The description is OpenAPI 3.1 with the example; the page loads nothing from elsewhere."""
    described = client.get("/openapi.json").json()
    media = described["paths"]["/decide"]["post"]["requestBody"]["content"]["application/json"]
    assert described["openapi"] == "3.1.0"
    assert media["example"] == PAYMENT
    assert media["schema"]["$ref"].split("/")[-1] in described["components"]["schemas"]
    page = client.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page
