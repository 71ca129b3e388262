"""The supervisor of one system: owns the socket, keeps its processes running, obeys the control socket.

Run as `python -m mlsd_framework.runtime.operations.supervisor --report-fd N` with an `Order` on standard input;
it leaves the terminal, and writes one `Answer` to the descriptor once the service is ready or has failed to be.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations.children import Children
from mlsd_framework.runtime.operations.control import (
    Answer,
    Command,
    Done,
    Fault,
    ReloadCommand,
    ReplaceCommand,
    StatusCommand,
    StopCommand,
    encode,
)
from mlsd_framework.runtime.operations.control_server import serve_control
from mlsd_framework.runtime.operations.deployment import Deployment, EmbeddedStore, Order
from mlsd_framework.runtime.operations.indexing import Indexing
from mlsd_framework.runtime.operations.journal import Journal, RotatingLog
from mlsd_framework.runtime.operations.kept import NotReadyError
from mlsd_framework.runtime.operations.places import (
    life_lock,
    metrics_folder,
    prepare,
    socket_path,
    state_file,
    try_lock,
)
from mlsd_framework.runtime.operations.ports import listen
from mlsd_framework.runtime.operations.processes import identify
from mlsd_framework.runtime.operations.status import Change, ServiceState, Status, write_status
from mlsd_framework.runtime.operations.store import StoreKeeper
from mlsd_framework.runtime.operations.surroundings import Surroundings
from mlsd_framework.runtime.operations.updaters import Updaters
from mlsd_framework.runtime.operations.workers import Generation

_LOCK_S = 2.0
_POLL_S = 0.01


class Supervisor:
    """Runs one deployment until it is told to stop. One thread; a change of version is one task at a time."""

    def __init__(self, order: Order) -> None:
        """Prepare the files of the deployment; needs a running loop."""
        self._deployment = order.deployment
        self._place = order.deployment.place
        logs = self._place.logs
        # A traceback of the interpreter itself follows the log when it turns over.
        log = RotatingLog(logs / "supervisor.log", opened=_follow)
        self._journal = Journal(log)
        self._children = Children()
        self._around = Surroundings(
            self._children,
            self._journal,
            RotatingLog(logs / "service.log"),
            RotatingLog(logs / "updater.log"),
            RotatingLog(logs / "indexer.log"),
            self._changed,
        )
        self._control = socket_path(self._place, "control.sock")
        self._identity = identify(os.getpid())
        self._since = time.time_ns() // 1000
        self._serving: Generation | None = None
        self._coming: Generation | None = None
        self._leaving: list[Generation] = []
        self._store = StoreKeeper(self._place, self._children, self._journal, self._changed)
        self._swapping = asyncio.Lock()
        self._swaps: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._ended = asyncio.Event()
        self._stopped: asyncio.Task[None] | None = None

    async def run(self, order: Order, report: int) -> int:
        """Start the service, report, serve until stopped; return the exit status."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._begin_stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._swap(self._answer(ReloadCommand())))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._journal.say("started", system=self._deployment.system, pid=os.getpid())
        self._changed()
        control = await serve_control(self._control, self._answer_safely)
        shutil.rmtree(metrics_folder(self._place), ignore_errors=True)
        metrics_folder(self._place).mkdir(parents=True)
        answer = await self._swap(self._answer(ReplaceCommand(order)))
        with contextlib.suppress(OSError):  # whoever started us may be gone; the service stays
            os.write(report, encode(answer))
        os.close(report)
        if isinstance(answer, Fault):
            self._begin_stop()
        await self._ended.wait()
        await asyncio.sleep(0)  # the answers to `stop` leave first
        control.close()
        self._control.unlink(missing_ok=True)
        self._journal.say("stopped")
        return 1 if isinstance(answer, Fault) else 0

    def status(self, change: Change = "none") -> Status:
        """Return what the deployment is doing."""
        serving = self._serving or self._coming
        generations = [found for found in (self._serving, self._coming, *self._leaving) if found]
        workers = tuple(worker for generation in generations for worker in generation.statuses())
        updaters = tuple(updater for generation in generations for updater in generation.updater_statuses())
        indexers = tuple(indexer for generation in generations for indexer in generation.indexer_statuses())
        address = serving.listener.getsockname() if serving and serving.listener.fileno() >= 0 else ("", 0)
        return Status(
            system=self._deployment.system,
            state=self._state(),
            version=self._deployment.version,
            host=self._deployment.host,
            port=address[1],
            supervisor=self._identity,
            since=self._since,
            restarts=sum(one.restarts for one in (*workers, *updaters, *indexers)),
            workers=workers,
            updaters=updaters,
            indexers=indexers,
            store=self._store.status(),
            change=change,
            deployment=self._deployment.shown,
            control=str(self._control),
        )

    def _state(self) -> ServiceState:
        if self._stopping:
            return "stopping"
        if self._serving is None:
            return "starting"
        if self._coming or self._leaving:
            return "replacing"
        if all(worker.state == "failed" for worker in self._serving.statuses()):
            return "failed"
        is_whole = self._serving.is_whole and self._serving.is_live and self._store.serves
        return "ready" if is_whole else "degraded"

    def _changed(self) -> None:
        try:
            write_status(self._place, self.status())
        except OSError as fault:  # a full disk must not end a service that runs
            self._journal.say("state not written", level="warning", why=str(fault))

    async def _answer_safely(self, command: Command) -> Answer:
        """Answer; a replace goes on where the peer hangs up, and is given up where a stop comes."""
        if isinstance(command, StatusCommand | StopCommand):
            return await self._answer(command)
        return await self._swap(self._answer(command))

    def _swap(self, change: Coroutine[Any, Any, Answer]) -> "asyncio.Task[Answer]":
        task = asyncio.create_task(self._unless_stopped(change))
        self._swaps.add(task)
        task.add_done_callback(self._swaps.discard)
        return task

    async def _unless_stopped(self, change: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            return await change
        except asyncio.CancelledError:
            return _STOPPING

    async def _answer(self, command: Command) -> Answer:
        match command:
            case StatusCommand():
                return Done(self.status())
            case StopCommand():
                self._begin_stop()
                await self._ended.wait()
                return Done(Status(system=self._deployment.system, state="stopped"))
        if self._stopping:
            return _STOPPING
        try:
            async with self._swapping:
                if isinstance(command, ReplaceCommand):
                    return Done(self.status(await self._replace(command.order)))
                if self._serving:
                    await self._bring(self._serving.order)
                return Done(self.status("replaced"))
        except RunError as error:
            found = error.diagnostics[0]
            self._journal.say("refused", level="error", code=found.code, what=found.what)
            return Fault(found.code, found.what, found.expected, found.help, found.notes)

    async def _replace(self, order: Order) -> Change:
        serving = self._serving
        if order.store_only:
            was_kept = self._store.is_kept
            await self._store.open(order.deployment.store)
            self._changed()
            return "unchanged" if was_kept else "started"
        if serving is None:
            await self._bring(order)
            return "started"
        wanted, found = order.deployment, serving.order.deployment
        if order.is_same(serving.order) and self._state() == "ready":
            return "unchanged"
        if wanted.workspace != found.workspace or wanted.system != found.system:
            raise RunError.of("E6505", f"this supervisor runs `{found.system}`, not `{wanted.system}`")
        await self._bring(order)
        return "replaced"

    async def _bring(self, order: Order) -> None:
        """Start the processes of `order` beside those that serve, hand over when all are ready, then drain the old."""
        old = self._serving
        had_store = self._store.is_kept
        listener = self._listener(order.deployment)
        self._journal.say("bringing", version=order.deployment.version)
        try:
            url = await self._store.open(order.deployment.store)
            self._coming = self._generation(order, listener, url)
            # Beside workers that serve, half of the cores are left to them: their requests are not to wait for imports.
            at_once = max(1, (os.cpu_count() or 1) // 2) if old else order.deployment.workers
            await self._coming.start(at_once)
        except NotReadyError as fault:
            raise _not_ready(order.deployment, fault, remains=old is not None) from fault
        finally:
            coming, self._coming = self._coming, None
            if coming is None or not coming.is_whole:
                if old is None or listener is not old.listener:
                    listener.close()
                if old and not had_store:
                    await self._store.close()
        self._serving, self._deployment = coming, order.deployment
        self._journal.say("serving", version=order.deployment.version, port=listener.getsockname()[1])
        if old:
            await self._retire(old, listener)
            if not isinstance(order.deployment.store, EmbeddedStore):
                await self._store.close()
        self._changed()

    async def _retire(self, old: Generation, listener: socket.socket) -> None:
        self._leaving.append(old)
        self._changed()
        if old.listener is not listener:
            old.listener.close()
        await old.stop()
        self._leaving.remove(old)

    def _listener(self, wanted: Deployment) -> socket.socket:
        """Return the socket to serve on: the one that serves, where the address stays."""
        if self._serving:
            now = self._serving.listener
            found = self._serving.order.deployment
            if wanted.host == found.host and wanted.port in (0, found.port, now.getsockname()[1]):
                return now
        return listen(wanted.host, wanted.port)

    def _generation(self, order: Order, listener: socket.socket, store_url: str) -> Generation:
        """Return the processes of `order`, under numbers that no living process has."""
        living = [generation for generation in (self._serving, *self._leaving) if generation]
        wanted = order.deployment
        updaters = _free(wanted.updaters if wanted.updater else 0, [one.updaters for one in living])
        workers = _free(wanted.workers, [one.numbers for one in living])
        fed = Updaters(order, updaters, store_url, self._around)
        indexing = Indexing(order, store_url, self._around)
        return Generation(order, listener, workers, fed, indexing, store_url, self._around)

    def _begin_stop(self) -> None:
        if self._stopped is None:
            self._stopping = True
            self._stopped = asyncio.create_task(self._stop())

    async def _stop(self) -> None:
        """End everything: what is coming, the workers, the store last."""
        self._changed()
        swaps = tuple(self._swaps)
        for swap in swaps:
            swap.cancel()
        if swaps:
            await asyncio.wait(swaps)
        generations = [found for found in (self._serving, *self._leaving) if found]
        for generation in generations:
            generation.listener.close()  # with the last worker's copy the port is free
        await asyncio.gather(*(generation.stop() for generation in generations))
        await self._store.close()
        with contextlib.suppress(OSError):
            state_file(self._place).unlink(missing_ok=True)
        self._ended.set()


def _free(count: int, used: Iterable[frozenset[int]]) -> tuple[int, ...]:
    taken = frozenset[int]().union(*used)
    return tuple(islice((number for number in range(count + len(taken)) if number not in taken), count))


_STOPPING = Fault("E6510", "the supervisor is stopping")


def _follow(handle: int) -> None:
    for standard in (1, 2):
        os.dup2(handle, standard)


def _not_ready(wanted: Deployment, fault: NotReadyError, *, remains: bool) -> RunError:
    kind = fault.process.partition(" ")[0]
    log = f"{kind}.log" if kind in ("updater", "indexer") else "service.log"
    return RunError.of(
        "E6503",
        f"{fault.process} of version `{wanted.version}` of `{wanted.system}` {fault.why}",
        expected=f"every worker, updater and indexer ready within {wanted.ready_s:g} s",
        help=("the former version still serves; " if remains else "") + f"the whole log is `{wanted.place.logs / log}`",
        notes=fault.tail[-10:],
    )


def _take_life(path: Path) -> bool:
    """Lock `path` for as long as this process lives; whoever only looks at the lock holds it for an instant."""
    limit = time.monotonic() + _LOCK_S
    while try_lock(path) is None:
        if time.monotonic() >= limit:
            return False
        time.sleep(_POLL_S)
    return True


def main() -> int:
    """Leave the terminal, take the workspace's lock, and supervise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report-fd", type=int, required=True)
    report: int = parser.parse_args().report_fd
    os.set_inheritable(report, False)  # noqa: FBT003 - the standard library's signature
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    if os.fork():  # the one who started us has nothing to wait for: we belong to init
        os._exit(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    prepare(order.deployment.place)
    if not _take_life(life_lock(order.deployment.place)):
        os.write(report, encode(Fault("E6507", "another supervisor of this system runs")))
        return 1

    async def supervise() -> int:
        return await Supervisor(order).run(order, report)

    return asyncio.run(supervise())


if __name__ == "__main__":
    raise SystemExit(main())
