"""How a worker takes connections off a socket that it shares with others, so that each has about as many."""

import asyncio
import errno
import socket
from collections.abc import Callable

MOST_WAIT = 10
"""Milliseconds that a connection may wait for a worker that has fewer."""

_ROUND = 8
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_SECONDS = 1.0


class Acceptor:
    """Accepts on a listening socket that other processes accept on too.

    The kernel wakes all of them for a connection, and who is first once is first again: one worker has most of the
    connections, and one core of the machine answers. So a worker waits a millisecond for every connection that it has,
    and one that has fewer is before it.
    """

    def __init__(
        self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol], held: Callable[[], int]
    ) -> None:
        """Take the socket; `protocol` makes one for each connection, `held` says how many there are."""
        self._listening = listening
        self._protocol = protocol
        self._held = held
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._beginning: set[asyncio.Task[object]] = set()
        listening.settimeout(0)
        self._watch()

    def stop(self) -> None:
        """Accept no more; what has been accepted goes on."""
        self._loop.remove_reader(self._listening)
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        self._loop.add_reader(self._listening, self._woken)

    def _woken(self) -> None:
        self._wait(min(self._count(), MOST_WAIT) / 1000)

    def _wait(self, seconds: float) -> None:
        if seconds:
            self._loop.remove_reader(self._listening)
            self._timer = self._loop.call_later(seconds, self._due)
        else:
            self._take()

    def _due(self) -> None:
        self._watch()
        self._take()

    def _take(self) -> None:
        for _ in range(1 + self._count() // _ROUND):
            try:
                accepted, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as fault:
                if fault.errno not in _EXHAUSTED:
                    raise
                self._wait(_PAUSE_SECONDS)
                return
            accepted.settimeout(0)
            task = self._loop.create_task(self._begin(accepted))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, accepted)
        except OSError:
            accepted.close()  # who asked has gone

    def _count(self) -> int:
        return self._held() + len(self._beginning)
