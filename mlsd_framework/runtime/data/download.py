"""Downloading one file over HTTPS into the cache: resumed where it stopped, sized, hashed."""

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit, urlunsplit

from mlsd_framework import __version__
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.cache import Cache, Stored, no_space
from mlsd_framework.runtime.digest import file_sha256

Progress = Callable[[int, int | None], None]
_CHUNK = 1 << 18
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_RETRIED = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True, slots=True)
class Transport:
    """How to reach a server: HTTPS only, redirects included; HTTP to this machine where `loopback_http` says so.

    `timeout` and `pause` are seconds; `attempts` counts failures in a row without a byte received.
    """

    loopback_http: bool = False
    cafile: str | None = None
    timeout: float = 60.0
    attempts: int = 4
    pause: float = 0.5
    max_bytes: int = 50 << 30

    def open(self, url: str, headers: dict[str, str], secret: dict[str, str] | None = None) -> http.client.HTTPResponse:
        """Open `url`; `secret` headers go to its own server and to no redirect. Raises E6101, urllib's errors."""
        self.check(url)
        request = urllib.request.Request(url, headers={"User-Agent": f"mlsd/{__version__}", **headers})  # noqa: S310 - checked
        for name, value in (secret or {}).items():
            request.add_unredirected_header(name, value)
        opener = urllib.request.OpenerDirector()
        proxies: dict[str, str] | None = {} if urlsplit(url).hostname in _LOOPBACK else None
        for handler in (
            urllib.request.ProxyHandler(proxies),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.cafile)),
            urllib.request.HTTPDefaultErrorHandler(),
            _Redirects(self),
            urllib.request.HTTPErrorProcessor(),
        ):
            opener.add_handler(handler)
        return cast("http.client.HTTPResponse", opener.open(request, timeout=self.timeout))

    def check(self, url: str) -> None:
        """Raise E6101 unless `url` is HTTPS (or allowed HTTP to this machine) without a password in it."""
        parts = urlsplit(url)
        plain = parts.scheme == "http" and self.loopback_http and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or plain):
            raise RunError.of(
                "E6101", f"`{shown(url)}` is not an HTTPS address", expected="`https://…`, also after redirects"
            )
        if parts.username is not None:
            raise RunError.of(
                "E6101", f"`{shown(url)}` carries a user name", expected="an address without a user name or a password"
            )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects as far as the transport allows."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        self._transport.check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


HTTPS = Transport()


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A downloaded content; `etag` is the server's tag of it, `unchanged` says that the tag asked about still holds."""

    content: Stored | None
    etag: str | None
    unchanged: bool = False


@dataclass(slots=True)
class _Job:
    """One download under way: what is asked, the part file, and what its first answer said."""

    url: str
    part: Path
    transport: Transport
    progress: Progress | None
    secret: dict[str, str]
    trusted: bool
    etag: str | None = None
    unchanged: bool = False
    asked: str | None = None
    failures: list[str] = field(default_factory=list)


def download(
    url: str,
    cache: Cache,
    *,
    sha256: str | None = None,
    known_etag: str | None = None,
    transport: Transport = HTTPS,
    progress: Progress | None = None,
    secret: dict[str, str] | None = None,
) -> Downloaded:
    """Download `url` into the cache and return its content; one with the hash `sha256` that is there is taken.

    A download that was cut goes on with a Range request when the server still has the same version. Raises RunError:
    E6101 the address, E6102 the server or the line, E6103 another hash, E6106 no space.
    """
    name = urlsplit(url).path.rsplit("/", 1)[-1] or "download"
    with cache.lock(f"download {url}"):
        if sha256 is not None and (blob := cache.blob(sha256)) is not None:
            return Downloaded(Stored(name, sha256, blob.stat().st_size), None)
        job = _Job(
            url, cache.partial(url), transport, progress, secret or {}, trusted=sha256 is not None, asked=known_etag
        )
        _run(job)
        if job.unchanged:
            return Downloaded(None, known_etag, unchanged=True)
        found = file_sha256(job.part)
        job.part.with_suffix(".json").unlink(missing_ok=True)
        if sha256 is not None and found != sha256:
            job.part.unlink()
            raise wrong_hash(shown(url), sha256, found)
        size = job.part.stat().st_size
        cache.adopt(job.part, found)
        return Downloaded(Stored(name, found, size), job.etag)


def wrong_hash(what: str, wanted: str, found: str) -> RunError:
    """Return the error for a content that is not the one that was pinned."""
    return RunError.of(
        "E6103",
        f"`{what}` has SHA-256 `{found}`",
        expected=f"`{wanted}`",
        help="the content changed since it was pinned: look at it before you change the pin",
    )


def shown(url: str) -> str:
    """Return the address without what may be secret: user, password, query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _run(job: _Job) -> None:
    """Ask until the part file is whole."""
    while True:
        before = _size(job.part)
        try:
            if _attempt(job):
                return
            why = "the connection ended early"
        except urllib.error.HTTPError as error:
            why = f"the server answers {error.code} {error.reason}"
            error.close()
            if error.code not in _RETRIED and error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise _failed(job, why) from error
        except (OSError, http.client.HTTPException) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
            if "CERTIFICATE_VERIFY_FAILED" in why:
                raise _failed(job, why) from error
        job.failures = [*job.failures, why] if _size(job.part) <= before else [why]
        if len(job.failures) >= job.transport.attempts:
            raise _failed(job, why)
        time.sleep(job.transport.pause * 2 ** (len(job.failures) - 1))


def _attempt(job: _Job) -> bool:
    """Ask once, from where the part file ends; return whether it is whole now."""
    note = job.part.with_suffix(".json")
    validator = _validator(note)
    offset = _size(job.part) if validator or job.trusted else 0
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    if offset and validator:
        headers["If-Range"] = validator
    if job.asked and not offset:
        headers["If-None-Match"] = job.asked
    try:
        response = job.transport.open(job.url, headers, job.secret)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_MODIFIED:
            job.unchanged = True
            return True
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # The part is not a beginning of what the server has: start again.
            job.part.unlink(missing_ok=True)
        raise
    with response:
        if response.status != HTTPStatus.PARTIAL_CONTENT or not _continues(response, offset):
            if response.status == HTTPStatus.PARTIAL_CONTENT:
                job.part.unlink(missing_ok=True)
                return False
            offset = 0
        job.etag = response.headers.get("ETag")
        strong = job.etag if job.etag and not job.etag.startswith("W/") else response.headers.get("Last-Modified")
        note.write_text(json.dumps({"validator": strong}))
        return _receive(job, response, offset)


def _receive(job: _Job, response: http.client.HTTPResponse, offset: int) -> bool:
    length = response.headers.get("Content-Length")
    total = offset + int(length) if length is not None and length.isdigit() else None
    done = offset
    with no_space(job.part), job.part.open("ab" if offset else "wb") as out:
        while chunk := response.read(_CHUNK):
            done += len(chunk)
            if done > job.transport.max_bytes:
                raise _failed(job, f"more than {job.transport.max_bytes:,} bytes come")
            out.write(chunk)
            if job.progress is not None:
                job.progress(done, total)
    return total is None or done == total


def _continues(response: http.client.HTTPResponse, offset: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


def _validator(note: Path) -> str | None:
    try:
        found = json.loads(note.read_text())["validator"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _failed(job: _Job, why: str) -> RunError:
    kept = _size(job.part)
    return RunError.of(
        "E6102",
        f"`{shown(job.url)}` cannot be downloaded: {why}",
        help=f"the {kept:,} bytes that came are kept, the next run goes on from there"
        if kept
        else "look at the address and the connection",
    )
