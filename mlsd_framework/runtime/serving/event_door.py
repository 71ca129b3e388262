"""`POST /events/<source>`: events are checked as requests are, and added to the source's stream.

Checking and writing happen in threads of their own: a slow store holds up whoever sends events, and no decision.
"""

import asyncio
import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.admission import overloaded
from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.event_source import EventSource, Sent
from mlsd_framework.runtime.serving.http import (
    DisconnectError,
    ErrorBody,
    Head,
    Header,
    Receive,
    RefusalError,
    Scope,
    Send,
    answer,
    read_body,
)
from mlsd_framework.runtime.serving.record import Recorder
from mlsd_framework.runtime.serving.store import store_url
from mlsd_framework.runtime.serving.validation import MalformedError

EVENTS_BODY = 256 * 1024
_THREADS = 2
_AT_ONCE = 16  # requests: what waits for a slow store is bounded
_JSON: Header = (b"content-type", b"application/json")


class Taken(msgspec.Struct, kw_only=True):
    """Where each event is in its stream, in the order in which they were sent."""

    taken: int
    ids: list[str]
    request_id: str


class PartlyTaken(msgspec.Struct, kw_only=True):
    """What is wrong with some events, and where the others are in the stream; null for one that was not taken."""

    error: ErrorBody
    taken: int
    ids: list[str | None]
    request_id: str


class EventDoor:
    """Takes events for the sources of an application."""

    def __init__(self, application: Application, recorder: Recorder, check: Callable[[Scope, Head], None]) -> None:
        """Refuse whom `check` refuses; connect nothing yet."""
        self._application = application
        self._recorder = recorder
        self._check = check
        self._limits = dataclasses.replace(application.limits, body=max(EVENTS_BODY, application.limits.body))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="events")
        self._writers = {one.path: _Lazily(one) for one in application.sources.values()}
        self._held = 0

    async def take(self, source: EventSource, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Answer one request."""
        began = time.perf_counter()
        headers = [_JSON, (b"x-request-id", request_id.encode())]
        if self._application.draining:
            headers.append((b"connection", b"close"))
        self._held += 1
        try:
            self._admit(source, scope)
            body = await read_body(receive, self._limits)
            status, encoded = await self._added(source, body, request_id)
        except RefusalError as refusal:
            status, encoded = refusal.status, refusal.body(request_id)
            headers += refusal.headers
            self._recorder.refused(source.path, request_id, refusal)
        except DisconnectError:
            return
        finally:
            self._held -= 1
        await answer(send, status, encoded, headers)
        self._recorder.answered(source.path, status, time.perf_counter() - began)

    def close(self) -> None:
        """Let what was begun end; no new events are taken."""
        self._threads.shutdown()

    def _admit(self, source: EventSource, scope: Scope) -> None:
        head = Head(scope["headers"])
        if scope["method"] != "POST":
            what = f"`{source.path}` takes POST, not {scope['method']}"
            raise RefusalError(405, "E6427", what, headers=[(b"allow", b"POST")])
        self._check(scope, head)
        if self._held > _AT_ONCE:
            raise overloaded()
        head.check_body(self._limits)

    async def _added(self, source: EventSource, body: bytes, request_id: str) -> tuple[int, bytes]:
        """Have the events checked and written; what comes of it is counted and logged here, on the event loop."""
        loop = asyncio.get_running_loop()
        try:
            sent, ids = await loop.run_in_executor(self._threads, self._work, source, body)
        except MalformedError as fault:
            raise RefusalError(400, "E6421", str(fault)) from None
        except RunError as error:
            self._application.log.failure("events_not_taken", error, request_id=request_id, source=source.source)
            raise RefusalError(503, "E6435", "the stream does not take events now", retry_after=1) from None
        self._recorder.took(source.source, len(ids), sent.number - len(ids))
        if len(ids) == sent.number:
            return 202, msgspec.json.encode(Taken(taken=len(ids), ids=ids, request_id=request_id))
        return 422, msgspec.json.encode(_partly(sent, ids, request_id))

    def _work(self, source: EventSource, body: bytes) -> tuple[Sent, list[str]]:
        sent = source.read(body, self._limits.depth)
        added = [(key, content) for _, key, content in sent.events]
        return sent, self._writers[source.path].add(added, self._limits.timeout) if added else []


class _Lazily:
    """The writer of a source's stream, made when the first events come: a service starts without its store."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._add: Callable[[list[tuple[bytes, bytes]], float], list[str]] | None = None

    def add(self, events: list[tuple[bytes, bytes]], timeout: float) -> list[str]:
        if self._add is None:
            from mlsd_framework.runtime.stream.producing import writer_of  # noqa: PLC0415 - for those who send events

            self._add = writer_of(self._source.stream, self._source.partitions, store_url())
        return self._add(events, timeout)


def _partly(sent: Sent, ids: list[str], request_id: str) -> PartlyTaken:
    places: list[str | None] = [None] * sent.number
    for (at, _, _), one in zip(sent.events, ids, strict=True):
        places[at] = one
    bad = sent.number - len(ids)
    what = "an event has faults" if bad == 1 else f"{bad} events have faults"
    error = ErrorBody(code="E6420", message=what, faults=list(sent.faults))
    return PartlyTaken(error=error, taken=len(ids), ids=places, request_id=request_id)
