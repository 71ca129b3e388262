"""The queue in front of the handlers: requests take turns, and between a few of them the sockets are looked at.

Handlers run on the event loop. Without a queue of our own, whatever one look at the sockets brings is worked off before
the next look, and a refusal would wait as long as the requests that are answered.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from mlsd_framework.runtime.serving.admission import Admission

Begin = Callable[[], bool]


class Turns:
    """Requests in the order in which they came."""

    __slots__ = ("_admission", "_begun", "_loop", "_scheduled", "_waiting")

    def __init__(self, admission: Admission, loop: asyncio.AbstractEventLoop) -> None:
        """Take the turns that `admission` says may run at once."""
        self._admission = admission
        self._loop = loop
        self._waiting: deque[Begin] = deque()
        self._begun = 0
        self._scheduled = False

    def join(self, begin: Begin) -> None:
        """Let `begin` start a request's task, now or when its turn has come; it returns whether it has started one."""
        self._admission.queued += 1
        if self._begun < self._admission.run and not self._waiting:
            self._begin(begin)
        else:
            self._waiting.append(begin)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        """Begin the next few; this runs once for each look at the sockets."""
        self._begun = 0
        waiting, run = self._waiting, self._admission.run
        while waiting and self._begun < run:
            self._begin(waiting.popleft())
        self._admission.drained_to(self._admission.queued)
        self._scheduled = bool(self._begun)
        if self._scheduled:
            self._loop.call_soon(self._next)

    def _begin(self, begin: Begin) -> None:
        if begin():
            self._begun += 1
        else:
            self._admission.queued -= 1
