"""The few pieces of HTTP that the front door needs.

What a request's head says, its body in time and size, and answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

import msgspec

from mlsd_framework.runtime.serving.limits import Limits
from mlsd_framework.runtime.serving.validation import Fault

# ASGI's own types: a message is whatever its `type` says.
Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"


class ErrorBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is wrong, as the caller reads it; `mlsd explain CODE` has more."""

    code: str
    message: str
    faults: list[Fault] = []


class ErrorAnswer(msgspec.Struct, kw_only=True):
    """The body of every answer that is not a success."""

    error: ErrorBody
    request_id: str


class RefusalError(Exception):
    """The request is answered with an error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        faults: Sequence[Fault] = (),
        retry_after: float = 0.0,
        close: bool = False,
        headers: Iterable[Header] = (),
    ) -> None:
        """Answer `status` with an error body; `close` where the body was not read to its end."""
        super().__init__(message)
        self.status = status
        self.error = ErrorBody(code=code, message=message, faults=list(faults))
        self.headers = list(headers)
        if retry_after:
            self.headers.append((b"retry-after", str(max(1, round(retry_after + 0.5))).encode()))
        if close:
            self.headers.append((b"connection", b"close"))

    def body(self, request_id: str) -> bytes:
        """Return the answer's body."""
        return msgspec.json.encode(ErrorAnswer(error=self.error, request_id=request_id))


class DisconnectError(Exception):
    """The caller went away before the request was whole."""


class Head:
    """What the front door needs of a request's headers, found in one pass."""

    __slots__ = ("authorization", "content_type", "length", "request_id", "traced")

    def __init__(self, headers: Iterable[Header]) -> None:
        """Read the headers; names are lower case, as ASGI has them. `length` is -1 when not said."""
        self.content_type = b""
        self.authorization = b""
        self.request_id = b""
        self.length = -1
        self.traced = False
        for name, value in headers:
            if name == b"content-length":
                self.length = int(value) if value.isdigit() else -1
            elif name == b"content-type":
                self.content_type = value
            elif name == b"x-request-id":
                self.request_id = value
            elif name == b"authorization":
                self.authorization = value
            elif name == b"x-mlsd-trace":
                self.traced = value == b"1"

    def check_body(self, limits: Limits) -> None:
        """Refuse a body that is not JSON or too large before any of it is read."""
        if self.content_type != JSON and self.content_type.split(b";")[0].strip().lower() != JSON:
            found = self.content_type.decode("latin-1") or "none"
            raise RefusalError(
                415,
                "E6422",
                f"the content type is `{found[:80]}`, not `application/json`",
                close=self.length > limits.body,
            )
        if self.length > limits.body:
            raise _too_large(limits)


async def read_body(receive: Receive, limits: Limits) -> bytes:
    """Return the whole body; refuse one that is too large (413) or too slow (408)."""
    try:
        async with asyncio.timeout(limits.body_time):
            message = await receive()
            body: bytes = message.get("body", b"")
            if not message.get("more_body") and message["type"] == "http.request":
                _check_size(body, limits)
                return body
            parts = bytearray(body)
            while message["type"] == "http.request" and message.get("more_body"):
                message = await receive()
                parts += message.get("body", b"")
                _check_size(parts, limits)
            if message["type"] != "http.request":
                raise DisconnectError
            return bytes(parts)
    except TimeoutError:
        what = f"the body did not arrive within {limits.body_time:g} s"
        raise RefusalError(408, "E6424", what, close=True) from None


def _check_size(body: bytes | bytearray, limits: Limits) -> None:
    if len(body) > limits.body:
        raise _too_large(limits)


def _too_large(limits: Limits) -> RefusalError:
    return RefusalError(413, "E6423", f"the body is larger than {limits.body} bytes", close=True)


async def answer(send: Send, status: int, body: bytes, headers: list[Header]) -> None:
    """Send a whole answer; `headers` come after its type's and its length's."""
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body)), *headers]}
    )
    await send({"type": "http.response.body", "body": body})
