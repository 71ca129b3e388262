"""uvicorn's server as a worker needs it.

It says when it is ready, sweeps slow connections, and drains without a failed request.
"""

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from mlsd_framework.runtime.serving.accepting import Acceptor
from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.protocol import Connection

LAST_REQUEST_SECONDS = 2.0
ACCEPTED_SECONDS = 0.05
BACKLOG = 2048


class WorkerServer(uvicorn.Server):
    """Serves an application on a socket that it was given."""

    def __init__(self, config: uvicorn.Config, application: Application, ready: Callable[[], None]) -> None:
        """Call `ready` once when requests can be answered."""
        super().__init__(config)
        self._application = application
        self._ready = ready
        self._acceptors: list[Acceptor] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup([])  # the application alone: uvicorn would accept on its own
        for listening in sockets or []:
            listening.listen(BACKLOG)
            self._acceptors.append(Acceptor(listening, self._connection, lambda: len(self.server_state.connections)))
        self._ready()

    def _connection(self) -> asyncio.Protocol:
        return Connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def on_tick(self, counter: int) -> bool:
        """Sweep, each second, the connections that owe the head of a request."""
        if counter % 10 == 0:
            before = asyncio.get_running_loop().time() - self._application.limits.body_time
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.expire(before)
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's signature
        """Begin to drain; a second signal changes nothing."""
        self._application.draining = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting at once; let every open connection have one more request; then close what is idle.

        A request may already be on its way over a connection that looks idle here, so it is not closed at once: its
        answer says `Connection: close`.
        """
        loop = asyncio.get_running_loop()
        for acceptor in self._acceptors:
            acceptor.stop()
        for sock in sockets or []:
            sock.close()
        await asyncio.sleep(ACCEPTED_SECONDS)  # until what was accepted last is among the connections
        until = loop.time() + LAST_REQUEST_SECONDS
        while self.server_state.connections and loop.time() < until:  # noqa: ASYNC110 - uvicorn's set has no event
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)
