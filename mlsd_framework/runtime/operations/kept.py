"""One child process that is kept running: waited for, restarted with growing pauses, ended with a grace time."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from mlsd_framework.runtime.operations.children import Child
from mlsd_framework.runtime.operations.journal import Journal
from mlsd_framework.runtime.operations.processes import ProcessIdentity, send
from mlsd_framework.runtime.operations.status import WorkerState

REFUSED = 3  # the exit status of a process that refuses what it was given: another try would refuse it too
_SETTLED_S = 10.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0
_CRASH_LOOP = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start one process, how to know that it is ready, and how long each may take."""

    name: str
    launch: Callable[[], Child]
    is_ready: Callable[[Child], Awaitable[bool]]
    ready_s: float
    grace_s: float


class NotReadyError(Exception):
    """A process did not become ready: which, why, and the last lines that it printed."""

    def __init__(self, process: str, why: str, tail: tuple[str, ...]) -> None:
        """Take the recipe's name, the reason and the lines."""
        super().__init__(why)
        self.process = process
        self.why = why
        self.tail = tail


class Kept:
    """Keeps the process of a recipe running from `start` until `stop`."""

    def __init__(self, recipe: Recipe, journal: Journal, changed: Callable[[], None]) -> None:
        """Report to `journal`; call `changed` after every change of state."""
        self._recipe = recipe
        self._journal = journal
        self._changed = changed
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False
        self._refused = False
        self.state: WorkerState = "starting"
        self.since = _now()
        self.restarts = 0
        self.last_exit = ""

    @property
    def process(self) -> ProcessIdentity | None:
        """The process that runs now."""
        return self._child.process if self._child else None

    async def start(self) -> None:
        """Start the process, wait until it is ready, keep it; raise `NotReadyError` where it does not get ready."""
        await self._once()
        self._watch = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the process: SIGTERM once, SIGKILL after the grace time."""
        self._stopping = True
        child = self._child
        if child and not child.exited.done():
            self._enter("draining")
            await self._end(child, self._recipe.grace_s)
        if self._watch:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self._child = None
        self._enter("ended")

    async def _once(self) -> None:
        """One try: launch and wait; what does not get ready is ended."""
        self._enter("starting")
        try:
            child = self._child = self._recipe.launch()
        except OSError as fault:
            raise self._failed(f"cannot be started: {fault}", ()) from fault
        self._changed()
        waiting = asyncio.ensure_future(self._recipe.is_ready(child))
        try:
            ends: set[asyncio.Future[bool] | asyncio.Future[int]] = {waiting, child.exited}
            await asyncio.wait(ends, timeout=self._recipe.ready_s, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done() and waiting.result() and not child.exited.done():
                self._enter("ready")
                self._journal.say("ready", process=self._recipe.name, pid=child.process.pid)
                return
            late = not waiting.done() and not child.exited.done()
        finally:
            waiting.cancel()
            if self.state != "ready":
                # Also where this very wait is cancelled, by a stop during a start.
                await asyncio.shield(self._end(child, 2.0))
        self._child = None
        self._refused = child.exited.result() == REFUSED
        why = (
            f"is not ready after {self._recipe.ready_s:g} s"
            if late
            else f"ends before it is ready ({ending(child.exited.result())})"
        )
        raise self._failed(why, tuple(child.tail))

    def _failed(self, why: str, tail: tuple[str, ...]) -> NotReadyError:
        self.last_exit = why
        self._enter("failed")
        self._journal.say("not ready", level="error", process=self._recipe.name, why=why)
        return NotReadyError(self._recipe.name, why, tail)

    async def _keep(self) -> None:
        quick = 0
        while not self._stopping:
            if self._child:
                began = time.monotonic()
                status = await self._child.exited
                if self._stopping:
                    return
                self.last_exit = ending(status)
                self._refused = status == REFUSED
                self._journal.say("ended", level="error", process=self._recipe.name, how=self.last_exit)
                quick = 0 if time.monotonic() - began > _SETTLED_S else quick + 1
                self._child = None
            else:
                quick += 1
            if self._refused:
                self._enter("failed")
                return
            self._enter("failed" if quick >= _CRASH_LOOP else "waiting")
            await asyncio.sleep(pause(quick))
            self.restarts += 1
            try:
                await self._once()
            except NotReadyError:
                continue

    async def _end(self, child: Child, grace_s: float) -> None:
        send(child.process, signal.SIGTERM)
        done, _ = await asyncio.wait({child.exited}, timeout=grace_s)
        if not done:
            self._journal.say("killed", level="warning", process=self._recipe.name, after_s=grace_s)
            send(child.process, signal.SIGKILL, group=True)
            await asyncio.wait({child.exited})

    def _enter(self, state: WorkerState) -> None:
        if state != self.state:
            self.state = state
            self.since = _now()
            self._changed()


async def start_all(processes: Collection[Kept], at_once: int) -> None:
    """Start processes, `at_once` at a time; where one does not get ready, end all and raise `NotReadyError`."""
    turns = asyncio.Semaphore(max(1, at_once))

    async def in_turn(process: Kept) -> None:
        async with turns:
            await process.start()

    starts = [asyncio.create_task(in_turn(process)) for process in processes]
    try:
        await asyncio.gather(*starts)
    except (NotReadyError, asyncio.CancelledError):
        for task in starts:
            task.cancel()
        await asyncio.wait(starts)
        await stop_all(processes)
        raise


async def stop_all(processes: Collection[Kept]) -> None:
    """End processes at once and wait until they have ended."""
    await asyncio.gather(*(process.stop() for process in processes))


def pause(quick: int) -> float:
    """Return the seconds to wait before the next start, after `quick` short lives in a row."""
    return 0.0 if quick == 0 else min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (quick - 1))


def ending(status: int) -> str:
    """Say how a process ended."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _now() -> int:
    return time.time_ns() // 1000
