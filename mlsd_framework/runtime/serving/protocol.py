"""One HTTP connection of a worker: uvicorn's, with the time and size limits on a request's head that it lacks."""

import asyncio
import socket
from functools import partial
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mlsd_framework.runtime.serving.front import FrontDoor

HEAD_BYTES = 64 * 1024
CONNECTIONS = 4096

_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"content-length: %d\r\n\r\n%b"
)
_FULL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """Sends small packets at once, and knows since when the head of a request is awaited."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own parameters, handed through
        """Make one connection's protocol, as uvicorn does."""
        super().__init__(*args, **kwargs)
        self.awaited_since = 0.0
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.awaited_since = self.loop.time()
        if len(self.connections) > CONNECTIONS:
            self.refuse(_FULL)

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a head."""
        super().on_message_begin()
        self.awaited_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """End the wait; the body's time is the front door's business."""
        self.awaited_since = 0.0
        self._head_bytes = 0
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Queue a request for its turn, or refuse it here: this is uvicorn's own step between parsing and running.

        Should a later uvicorn no longer have it, the front door still refuses where requests begin, only later.
        """
        front = self.app
        if not isinstance(front, FrontDoor) or not front.queues(cycle.scope["path"]):
            super()._start_asgi_task(cycle, app)
            return
        turns = front.take_turns()
        refusal = front.refuse_early(cycle.scope["path"])
        if refusal is None:
            turns.join(partial(self._begin, cycle, app))
            return
        cycle.response_started = cycle.response_complete = True
        self.transport.write(_BUSY % (len(refusal), refusal))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _begin(self, cycle: RequestResponseCycle, app: ASGI3Application) -> bool:
        """Start the task of a request whose turn has come, unless its caller has gone."""
        if cycle.disconnected:
            return False
        super()._start_asgi_task(cycle, app)
        return True

    def data_received(self, data: bytes) -> None:
        """Parse what has come; refuse a head that does not end."""
        super().data_received(data)
        if self.awaited_since:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.refuse(_LARGE)

    def expire(self, before: float) -> None:
        """Close the connection when the head it owes has been awaited since `before` or longer."""
        if 0.0 < self.awaited_since < before and self.transport is not None:
            self.refuse(_SLOW)

    def refuse(self, answer: bytes) -> None:
        """Answer and close, without asking anyone."""
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
