"""Worker processes: start, refusal to start, tokens, drain, several on one socket."""

import contextlib
import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

pytestmark = pytest.mark.process

Made = Callable[..., Any]
PROJECT = Path(__file__).parents[3]
PLAIN = Path(__file__).parent / "plain" / "service.py"
PAYMENT = {"card_id": "c1", "amount": 12.5, "ts": "2026-01-31T12:00:00Z"}
TOKEN = "a-token-of-some-length"  # noqa: S105 - of a test


def test_ready_line_and_clean_exit(start: Made) -> None:
    """A worker says once that it is ready, and exits 0 when told to stop."""
    worker = start()
    assert worker.ready["ready"] is True
    assert worker.ready["version"] == "v1"
    status, logged = worker.stop()
    assert status == 0
    assert [json.loads(line)["event"] for line in logged.splitlines()] == ["ready", "drained"]


def test_token_guards_all_but_the_probes(start: Made) -> None:
    """With a token, only the probes and the empty docs page are open."""
    worker = start(MLSD_TOKEN=TOKEN)
    with httpx.Client(base_url=worker.url) as client:
        assert client.post("/decide", json=PAYMENT).status_code == 401
        assert client.post("/decide", json=PAYMENT, headers={"authorization": "Bearer no"}).status_code == 401
        right = {"authorization": f"Bearer {TOKEN}"}
        assert client.post("/decide", json=PAYMENT, headers=right).status_code == 200
        codes = {path: client.get(path).status_code for path in ("/metrics", "/openapi.json", "/schema.json", "/")}
        assert set(codes.values()) == {401}
        assert {client.get(path).status_code for path in ("/healthz", "/readyz", "/docs")} == {200}
        assert client.get("/metrics", headers=right).status_code == 200


def test_wider_than_loopback_without_a_token_is_refused(tmp_path: Path, plain_bundle: Made) -> None:
    """A worker on 0.0.0.0 without a token exits 3 with E6401."""
    with socket.create_server(("0.0.0.0", 0)) as wide:  # noqa: S104 - that it is refused is the test
        _refused(wide, plain_bundle(tmp_path).folder, "E6401")


def test_mixed_set_is_refused(tmp_path: Path, listening: socket.socket, plain_bundle: Made) -> None:
    """A bundle that was made from another spec exits 3 with E6405."""
    _refused(listening, plain_bundle(tmp_path, spec="sha256:other").folder, "E6405")


def test_no_bundle_and_no_service_are_refused(tmp_path: Path, listening: socket.socket, plain_bundle: Made) -> None:
    """A missing bundle and a missing service are told apart."""
    _refused(listening, tmp_path / "none", "E6402")
    _refused(listening, plain_bundle(tmp_path).folder, "E6410", service=tmp_path / "service.py")


def _refused(listening: socket.socket, bundle: Path, code: str, service: Path = PLAIN) -> None:
    command = [sys.executable, "-m", "mlsd_framework.runtime.serving.worker", "--fd", str(listening.fileno())]
    command += ["--service", str(service), "--bundle", str(bundle)]
    done = subprocess.run(
        command, pass_fds=[listening.fileno()], capture_output=True, text=True, cwd=PROJECT, check=False
    )
    assert done.returncode == 3
    assert f"error[{code}]" in done.stderr
    assert "Traceback" not in done.stderr


def test_drain_fails_no_request(tmp_path: Path, listening: socket.socket, plain_bundle: Made, launch: Made) -> None:
    """While one of two workers drains under load, every request is answered, and kept connections are told to close."""
    bundle = plain_bundle(tmp_path / "versions").folder
    metrics = tmp_path / "metrics"
    first = launch(listening, bundle, "--worker", "1", "--metrics-dir", str(metrics))
    second = launch(listening, bundle, "--worker", "2", "--metrics-dir", str(metrics))
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=first.url, timeout=10) as client:
            while not stop.is_set():
                statuses.append(client.post("/decide", json=PAYMENT).status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    try:
        for thread in threads:
            thread.start()
        stop.wait(0.3)
        assert first.stop()[0] == 0
        stop.wait(0.3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with httpx.Client(base_url=second.url) as client:
        text = client.get("/metrics").text
    second.stop()
    answered = statuses.count(200)
    assert answered == len(statuses) > 10
    assert f'mlsd_requests_total{{endpoint="/decide",status="200"}} {answered}' in text


def test_connections_are_shared(tmp_path: Path, listening: socket.socket, plain_bundle: Made, launch: Made) -> None:
    """Of connections that come to idle workers, each takes about as many."""
    bundle = plain_bundle(tmp_path / "versions").folder
    workers = [launch(listening, bundle, "--worker", name) for name in ("1", "2")]
    with contextlib.ExitStack() as stack:
        clients = _clients(workers[0], stack, 20)
        assert {_status(client) for client in _asked(clients, "c1")} == {200}
        held = [len(psutil.Process(one.process.pid).net_connections(kind="tcp")) - 1 for one in workers]
    assert sum(held) == 20
    assert min(held) >= 8


def test_restarted_worker_goes_on_counting(tmp_path: Path, plain_bundle: Made, launch: Made) -> None:
    """A worker that takes over a name goes on from its counts."""
    plain_bundle(tmp_path / "versions")
    for expected in (1, 2):
        with socket.create_server(("127.0.0.1", 0)) as made:
            worker = launch(made, tmp_path / "versions" / "v1", "--metrics-dir", str(tmp_path / "metrics"))
            with httpx.Client(base_url=worker.url) as client:
                client.post("/decide", json=PAYMENT)
                assert f'status="200"}} {expected}' in client.get("/metrics").text
            worker.stop()


def test_burst_is_answered_whole(start: Made) -> None:
    """64 requests at once, 3 ms each, are a burst and no overload: each is answered."""
    with contextlib.ExitStack() as stack:
        clients = _clients(start(), stack, 64)
        for _ in range(2):
            assert {_status(client) for client in _asked(clients, "sleep-0.003")} == {200}


def test_lasting_overload_is_shed_with_retry_after(start: Made) -> None:
    """When more comes than can be answered for longer, some get a 503 that says when to come back, others an answer.

    What is refused waits for no handler, and when the load falls nothing is refused any more.
    """
    with contextlib.ExitStack() as stack:
        worker = start()
        clients = _clients(worker, stack, 60)
        found: list[int] = []
        until = time.monotonic() + 20
        _asked(clients, "sleep-0.005")
        while found.count(503) < 20 and time.monotonic() < until:
            answered = select.select(clients, [], [], 10)[0]
            found += [_status(client) for client in answered]
            _asked(answered, "sleep-0.005")
        found += [_status(client) for client in clients]
        assert set(found) == {200, 503}
        limit = time.monotonic() + 20
        while (calm := [_status(client) for client in _asked(clients[:3], "c1")]) != [200, 200, 200]:
            found += calm
            assert time.monotonic() < limit
        with httpx.Client(base_url=worker.url) as client:
            assert (
                f'mlsd_refused_total{{endpoint="/decide",code="E6431"}} {found.count(503)}'
                in client.get("/metrics").text
            )


def test_rate_limit_says_when_to_come_back(
    tmp_path: Path, listening: socket.socket, plain_bundle: Made, launch: Made
) -> None:
    """Requests beyond the rate get 429 with `Retry-After`; a stranger without the token uses none of it up."""
    limited = tmp_path / "service.py"
    limited.write_text(PLAIN.read_text().replace("Limits(timeout=0.2,", "Limits(rate=5, burst=3, timeout=0.2,"))
    worker = launch(listening, plain_bundle(tmp_path / "versions").folder, service=limited, MLSD_TOKEN=TOKEN)
    with httpx.Client(base_url=worker.url) as client:
        assert {client.post("/decide", json=PAYMENT).status_code for _ in range(5)} == {401}
        right = {"authorization": f"Bearer {TOKEN}"}
        answers = [client.post("/decide", json=PAYMENT, headers=right) for _ in range(8)]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert {(answer.headers["retry-after"], answer.json()["error"]["code"]) for answer in refused} == {
            ("1", "E6430")
        }
        limit = time.monotonic() + 10
        while client.post("/decide", json=PAYMENT, headers=right).status_code != 200:
            assert time.monotonic() < limit
            time.sleep(0.1)


def test_callers_that_leave_the_queue_are_not_answered_for(start: Made) -> None:
    """Requests whose callers have gone before their turn hold nobody up and are not counted as waiting."""
    with contextlib.ExitStack() as stack:
        worker = start()
        for client in _asked(_clients(worker, stack, 40), "sleep-0.01"):
            client.close()
        with httpx.Client(base_url=worker.url, timeout=10) as staying:
            assert staying.post("/decide", json=PAYMENT).status_code == 200
            assert 'mlsd_in_flight{worker="0"} 0' in staying.get("/metrics").text


def test_old_clients_are_told_by_closing(start: Made) -> None:
    """HTTP/1.0 and `Connection: close` get their answer and then the end of the connection."""
    worker = start()
    body = json.dumps(PAYMENT).encode()
    for version, more in ((b"1.0", b""), (b"1.1", b"connection: close\r\n")):
        with socket.create_connection(("127.0.0.1", worker.port)) as client:
            client.settimeout(10)
            client.sendall(
                b"POST /decide HTTP/%b\r\nhost: x\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b"
                % (version, more, len(body), body)
            )
            with client.makefile("rb") as answer:
                assert answer.read().startswith(b"HTTP/1.1 200")


def _clients(worker: Any, stack: contextlib.ExitStack, number: int) -> list[socket.socket]:
    made = [stack.enter_context(socket.create_connection(("127.0.0.1", worker.port))) for _ in range(number)]
    for client in made:
        client.settimeout(10)
    return made


def _asked(clients: list[socket.socket], card: str) -> list[socket.socket]:
    body = json.dumps(PAYMENT | {"card_id": card}).encode()
    head = b"POST /decide HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(
        body
    )
    for client in clients:
        client.sendall(head + body)
    return clients


def _status(client: socket.socket) -> int:
    head, _, body = client.recv(65536).partition(b"\r\n\r\n")
    length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    status = int(head[9:12])
    assert status != 503 or b"retry-after: 1" in head
    return status
