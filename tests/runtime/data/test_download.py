"""Downloading against a real server on this machine that cuts, lies and redirects."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.cache import Cache
from mlsd_framework.runtime.data.download import Transport, download
from mlsd_framework.runtime.data.fetch import fetch

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HERE = Transport(loopback_http=True, pause=0.0, timeout=5.0)


@dataclass
class Server:
    """A server of one content; `cuts` are the bytes after which the next answers end early."""

    address: str = ""
    content: bytes = CONTENT
    etag: str = '"1"'
    cuts: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve on a loopback port while a test runs."""
    state = Server()

    class Answers(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            state.ranges.append(self.headers.get("Range"))
            state.headers.append(dict(self.headers))
            if self.path.startswith("/to/"):
                self.send_response(302)
                self.send_header(
                    "Location", {"plain": "http://192.0.2.1/x", "file": "file:///etc/hostname"}[self.path[4:]]
                )
                self.end_headers()
                return
            status = state.statuses.pop(0) if state.statuses else 404 if self.path == "/none" else 200
            if status == 200 and self.headers.get("If-None-Match") == state.etag:
                status = 304
            start = 0
            asked = self.headers.get("Range")
            if status == 200 and asked and self.headers.get("If-Range") in (None, state.etag):
                status, start = 206, int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(status)
            body = state.content[start:] if status in (200, 206) else b""
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            self.send_header("ETag", state.etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)

    running = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    state.address = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, args=(0.02,))
    thread.start()
    yield state
    running.shutdown()
    thread.join()
    running.server_close()


def test_a_cut_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    """The rest is asked for with Range and If-Range, within one call."""
    server.cuts = [300_000, 300_000]
    seen: list[tuple[int, int | None]] = []
    got = download(f"{server.address}/a.bin", Cache(tmp_path), transport=HERE, progress=lambda *at: seen.append(at))
    assert got.content is not None
    assert got.content.sha256 == SHA256
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-"]
    assert server.headers[1]["If-Range"] == '"1"'
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_the_next_run_goes_on_too(server: Server, tmp_path: Path) -> None:
    """A download that failed for good keeps what came."""
    server.cuts = [300_000, 0, 0, 0]
    with pytest.raises(RunError, match="E6102") as raised:
        download(f"{server.address}/a.bin", Cache(tmp_path), transport=HERE)
    assert "300,000 bytes that came are kept" in str(raised.value.diagnostics[0].help)
    got = download(f"{server.address}/a.bin", Cache(tmp_path), transport=HERE)
    assert got.content is not None
    assert got.content.sha256 == SHA256
    assert server.ranges[-1] == "bytes=300000-"


def test_a_content_that_changed_meanwhile_starts_again(server: Server, tmp_path: Path) -> None:
    """Two versions are never glued together."""
    server.cuts = [300_000, 0, 0, 0]
    with pytest.raises(RunError):
        download(f"{server.address}/a.bin", Cache(tmp_path), transport=HERE)
    server.content, server.etag = b"new" * 200_000, '"2"'
    got = download(f"{server.address}/a.bin", Cache(tmp_path), transport=HERE)
    assert got.content is not None
    assert got.content.sha256 == hashlib.sha256(server.content).hexdigest()


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(server: Server, tmp_path: Path) -> None:
    """503 and 429 are waited for; 404 is final."""
    server.statuses = [503, 429]
    assert download(f"{server.address}/a.bin", Cache(tmp_path), transport=HERE).content is not None
    asked = len(server.ranges)
    with pytest.raises(RunError, match=r"E6102.*404"):
        download(f"{server.address}/none", Cache(tmp_path), transport=HERE)
    assert len(server.ranges) == asked + 1


def test_a_wrong_hash_is_refused_and_nothing_is_placed(server: Server, tmp_path: Path) -> None:
    """The pin decides; the next run asks anew."""
    with pytest.raises(RunError, match="E6103"):
        fetch(f"{server.address}/a.bin", sha256="0" * 64, into=tmp_path / "in", cache=tmp_path / "c", transport=HERE)
    assert not (tmp_path / "in").exists()
    assert not list((tmp_path / "c" / "blobs").rglob("*"))


@pytest.mark.parametrize("place", ["plain", "file"])
def test_redirects_stay_on_https(server: Server, tmp_path: Path, place: str) -> None:
    """A server cannot send the download to plain HTTP or to a local file."""
    with pytest.raises(RunError, match="E6101" if place == "plain" else r"E6102.*not allowed"):
        download(f"{server.address}/to/{place}", Cache(tmp_path), transport=HERE)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:1/a", "https://user:word@example.org/a", "ftp://example.org/a", "s3://b/a"]
)
def test_other_addresses_are_refused_without_their_secrets(tmp_path: Path, uri: str) -> None:
    """Only HTTPS without a password; the error does not repeat the password."""
    with pytest.raises(RunError, match="E6101") as raised:
        fetch(uri, into=tmp_path, cache=tmp_path / "c")
    assert "word" not in str(raised.value).replace("password", "")


def test_an_address_is_cached_by_its_pin_and_revalidated_without(server: Server, tmp_path: Path) -> None:
    """With a pin nothing is asked; without, the server is asked whether it changed."""
    uri, into, cache = f"{server.address}/a.bin", tmp_path / "in", tmp_path / "c"
    first = fetch(uri, into=into, cache=cache, transport=HERE)
    assert (first.sha256, first.size, first.cached, first.path) == (SHA256, len(CONTENT), False, into / "a.bin")
    assert fetch(uri, sha256=SHA256, into=into, cache=cache, transport=HERE).cached
    assert len(server.ranges) == 1
    assert fetch(uri, into=into, cache=cache, transport=HERE).cached
    server.content, server.etag = b"new", '"2"'
    assert fetch(uri, into=into, cache=cache, transport=HERE).path.read_bytes() == b"new"


def test_a_damaged_cache_entry_is_fetched_again(server: Server, tmp_path: Path) -> None:
    """The hash of what lies in the cache is checked each time."""
    uri, cache = f"{server.address}/a.bin", tmp_path / "c"
    fetch(uri, sha256=SHA256, into=tmp_path / "in", cache=cache, transport=HERE)
    blob = cache / "blobs" / SHA256[:2] / SHA256
    blob.chmod(0o644)
    with blob.open("r+b") as stream:
        stream.write(b"\xff")
    again = fetch(uri, sha256=SHA256, into=tmp_path / "in", cache=cache, transport=HERE)
    assert again.path.read_bytes() == CONTENT
    assert not again.cached


def test_concurrent_fetches_download_once(server: Server, tmp_path: Path) -> None:
    """The second waits for the first and takes its content."""
    done: list[str] = []

    def work(number: int) -> None:
        found = fetch(
            f"{server.address}/a.bin", sha256=SHA256, into=tmp_path / str(number), cache=tmp_path / "c", transport=HERE
        )
        done.append(found.sha256)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [SHA256] * 4
    assert len(server.ranges) == 1
    assert not list(tmp_path.rglob("*.part"))
