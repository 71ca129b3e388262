"""The front door: one ASGI application that answers the endpoints itself and hands whatever else comes to BentoML."""

import asyncio
import os
import time
from itertools import count

import msgspec

from mlsd_framework.runtime.serving.admission import Admission, overloaded
from mlsd_framework.runtime.serving.application import Application, Endpoint
from mlsd_framework.runtime.serving.call import Call, DeadlineError, StageError
from mlsd_framework.runtime.serving.event_door import EventDoor
from mlsd_framework.runtime.serving.http import (
    AsgiApp,
    DisconnectError,
    ErrorAnswer,
    Head,
    Header,
    Receive,
    RefusalError,
    Scope,
    Send,
    answer,
    read_body,
)
from mlsd_framework.runtime.serving.lifespan import lifespan
from mlsd_framework.runtime.serving.pages import OPEN, pages
from mlsd_framework.runtime.serving.record import Recorder
from mlsd_framework.runtime.serving.turns import Turns
from mlsd_framework.runtime.serving.validation import MalformedError, UnfitError, explain

_JSON: Header = (b"content-type", b"application/json")
_ID_CHARACTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"
_ID_LENGTH = 64
_AROUND = 0.00005  # seconds that parsing and writing take around a handler
_REFUSED = ErrorAnswer(error=overloaded().error, request_id="")


class FrontDoor:
    """Answers the endpoints, the probes, the metrics and the docs; limits, checks and counts what comes in."""

    def __init__(self, application: Application, inner: AsgiApp) -> None:
        """Stand before `inner`."""
        self._application = application
        self._inner = inner
        self._pages = pages(application)
        self._encoder = msgspec.json.Encoder()
        self._prefix = os.urandom(6).hex()
        self._numbers = count(1)
        self._too_many = self._encoder.encode(_REFUSED)
        self._batch = 0
        self.turns: Turns | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one ASGI connection."""
        if scope["type"] == "http":
            endpoint = self._application.endpoints.get(scope["path"])
            if endpoint is not None:
                await self._answer(endpoint, scope, receive, send)
            else:
                await self._other(scope, receive, send)
        elif scope["type"] == "lifespan":
            await lifespan(self._open, self._close, self._inner, scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    def queues(self, path: str) -> bool:
        """Return whether requests for `path` take turns; probes and pages go past the queue."""
        return path in self._application.endpoints

    def refuse_early(self, path: str) -> bytes | None:
        """Return the body of a refusal where one more request for an endpoint is too many; nothing is read for it."""
        if not self.admission.full(self.admission.queued):
            return None
        self._recorder.shed(path)
        return self._too_many

    async def _open(self) -> None:
        """Load the bundle, unless the worker has done so, and begin to take requests."""
        if not self._application.started:
            self._application.start()
        self.admission = Admission(self._application.limits, self._application.telemetry)
        self._recorder = Recorder(self._application.telemetry, self._application.log, self._application.log_policy)
        self._events = EventDoor(self._application, self._recorder, self._check_access)
        self._housekeeping = asyncio.create_task(self._keep_house())

    def take_turns(self) -> Turns:
        """Return the queue of the worker whose connections hold requests at the door."""
        if self.turns is None:
            self.turns = Turns(self.admission, asyncio.get_running_loop())
        return self.turns

    def _close(self) -> None:
        """Write what is still buffered."""
        self._housekeeping.cancel()
        self._application.stop()
        self._events.close()
        self._application.log.flush()
        self._application.telemetry.retire()

    async def _keep_house(self) -> None:
        """Write logs ten times a second and counters once."""
        for beat in count():
            await asyncio.sleep(0.1)
            self._application.log.flush()
            if beat % 10 == 0:
                self._application.telemetry.flush()

    async def _answer(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        application, recorder = self._application, self._recorder
        head = Head(scope["headers"])
        request_id = self._request_id(head.request_id)
        headers = [_JSON, (b"x-request-id", request_id.encode())]
        if application.draining:
            headers.append((b"connection", b"close"))
        application.telemetry.in_flight += 1
        try:
            if self.turns is not None:
                self.admission.queued -= 1
            else:
                self.admission.check(self._in_batch())
            self._admit(endpoint, scope, head)
            body = await read_body(receive, application.limits)
            call = Call(request_id, began, application.limits.timeout, traced=head.traced)
            turn = time.perf_counter()
            status, encoded = 200, self._run(endpoint, body, call)
            self.admission.took(time.perf_counter() - turn + _AROUND)
        except RefusalError as refusal:
            status, encoded = refusal.status, refusal.body(request_id)
            headers += refusal.headers
            recorder.refused(endpoint.path, request_id, refusal)
        except DisconnectError:
            return
        finally:
            application.telemetry.in_flight -= 1
        await answer(send, status, encoded, headers)
        recorder.answered(endpoint.path, status, time.perf_counter() - began)

    def _in_batch(self) -> int:
        """Return how many requests have begun since the last look at the sockets: under another server, the queue."""
        if not self._batch:
            # Runs after everything that is queued now, and before what the next look brings.
            asyncio.get_running_loop().call_soon(self._end_batch)
        self._batch += 1
        return self._batch - 1

    def _end_batch(self) -> None:
        self.admission.drained_to(0)
        self._batch = 0

    def _admit(self, endpoint: Endpoint, scope: Scope, head: Head) -> None:
        """Refuse what can be refused by the head alone, the cheapest check first."""
        if scope["method"] != "POST":
            what = f"`{endpoint.path}` takes POST, not {scope['method']}"
            raise RefusalError(405, "E6427", what, headers=[(b"allow", b"POST")])
        self._check_access(scope, head)
        self.admission.check_rate()
        head.check_body(self._application.limits)

    def _check_access(self, scope: Scope, head: Head) -> None:
        access = self._application.access
        if not access.reachable(scope.get("server")):
            raise RefusalError(403, "E6401", "the service has no token and is open on loopback only", close=True)
        if not access.allows(head.authorization):
            raise _unauthorised()

    def _run(self, endpoint: Endpoint, body: bytes, call: Call) -> bytes:
        """Decode, run the pipeline, encode; each way to fail has its status."""
        request = _decoded(endpoint, body, self._application.limits.depth)
        try:
            if endpoint.handler is None:
                raise RefusalError(503, "E6402", "the service has not started", retry_after=1)  # noqa: TRY301 - goes on as any refusal does
            made = endpoint.handler(request, call)
            encoded = self._encoder.encode(made)
        except DeadlineError:
            what = f"no answer within {self._application.limits.timeout:g} s"
            raise RefusalError(504, "E6432", what) from None
        except StageError as fault:
            self._application.log.failure("stage_failed", fault.__cause__ or fault, request_id=call.request_id)
            raise RefusalError(503, "E6433", f"stage `{fault.stage}` failed", retry_after=1) from None
        except RefusalError:
            raise
        except Exception as fault:  # noqa: BLE001 - a bug in one request must not end the others; it is logged whole
            self._application.log.failure("request_failed", fault, request_id=call.request_id)
            raise RefusalError(500, "E6434", "the service failed; the log has the cause") from None
        self._recorder.made(endpoint.path, call, made)
        return encoded

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take events, answer a page of ours, or let BentoML answer; all need the token, the probes excepted."""
        path = scope["path"]
        head = Head(scope["headers"])
        source = self._application.sources.get(path)
        if source is not None:
            await self._events.take(source, scope, receive, send, self._request_id(head.request_id))
            return
        closing: list[Header] = [(b"connection", b"close")] if self._application.draining else []
        page = self._pages.get(path)
        try:
            if page is None or path not in OPEN:
                self._check_access(scope, head)
            if page is None:
                if head.length > self._application.limits.body:
                    raise RefusalError(413, "E6423", "the body is too large", close=True)  # noqa: TRY301 - answered below, as any refusal is
                await self._inner(scope, receive, send)
                return
            if scope["method"] not in ("GET", "HEAD"):
                headers = [(b"allow", b"GET, HEAD")]
                raise RefusalError(405, "E6427", f"`{path}` takes GET", headers=headers)  # noqa: TRY301 - as above
        except RefusalError as refusal:
            request_id = self._request_id(head.request_id)
            await answer(send, refusal.status, refusal.body(request_id), [_JSON, *refusal.headers, *closing])
            return
        status, kind, body = page()
        await answer(send, status, body, [(b"content-type", kind), *closing])

    def _request_id(self, given: bytes) -> str:
        """Return the caller's id when it is one that may go into logs and headers, else a new one."""
        if given and len(given) <= _ID_LENGTH and not given.translate(None, _ID_CHARACTERS):
            return given.decode("ascii")
        return f"{self._prefix}{next(self._numbers):08x}"


def _decoded(endpoint: Endpoint, body: bytes, depth: int) -> msgspec.Struct:
    """Decode the request; where that fails, find out everything that is wrong with it."""
    try:
        request: msgspec.Struct = endpoint.decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
        try:
            return explain(body, endpoint.request, depth)
        except MalformedError as fault:
            raise RefusalError(400, "E6421", str(fault)) from None
        except UnfitError as unfit:
            number = len(unfit.faults)
            what = "the request has a fault" if number == 1 else f"the request has {number} faults"
            raise RefusalError(422, "E6420", what, faults=unfit.faults) from None
    return request


def _unauthorised() -> RefusalError:
    return RefusalError(
        401, "E6425", "the token is missing or wrong", headers=[(b"www-authenticate", b"Bearer")], close=True
    )
