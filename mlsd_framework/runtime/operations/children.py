"""The supervisor's child processes: started so that they die with it, their output read, their end noticed.

A child's output goes through a pipe that the supervisor empties in batches: the log turns over without losing a
line, and a full disk stops no child.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlsd_framework.runtime.operations.journal import RotatingLog
from mlsd_framework.runtime.operations.processes import ProcessIdentity, identify

_LINUX = sys.platform.startswith("linux")
_PR_SET_PDEATHSIG = 1
_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_LINE_BYTES = 1 << 16
_BATCH_S = 0.05  # a busy child wakes the supervisor 20 times a second, not once a line
_TAIL_LINES = 40
_LIBC = ctypes.CDLL(None) if _LINUX else None  # loaded here: nothing may be loaded between fork and exec


@dataclass(slots=True, eq=False)
class Child:
    """A running child; `exited` becomes its exit status (negative: the signal that ended it)."""

    process: ProcessIdentity
    popen: subprocess.Popen[bytes]
    exited: "asyncio.Future[int]"
    ready: "asyncio.Future[bytes] | None" = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))


class Children:
    """Starts children and reaps them; one thread, one event loop."""

    def __init__(self) -> None:
        """Take over SIGCHLD of the running loop."""
        self._loop = asyncio.get_running_loop()
        self._living: dict[Child, _Output] = {}
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: RotatingLog,
        keep: Sequence[int] = (),
        ready_argument: str = "",
    ) -> Child:
        """Start `argv` in a process group of its own, its output into `log`, the descriptors `keep` inherited.

        With `ready_argument` the child gets that argument and the number of a pipe's end: a line written there makes
        what `Child.ready` gives, its closing without one gives nothing. Raises `OSError` where it cannot be started.
        """
        with contextlib.ExitStack() as ours:
            output, output_end = _pipe(ours)
            inherited = [*keep]
            command = [*argv]
            if ready_argument:
                signalled, ready_end = _pipe(ours)
                inherited.append(ready_end)
                command += [ready_argument, str(ready_end)]
            popen = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=output_end,
                stderr=output_end,
                cwd=folder,
                env=environment,
                pass_fds=inherited,
                process_group=0,
                preexec_fn=_die_with(os.getpid()) if _LINUX else None,  # noqa: PLW1509 - the supervisor has one thread
            )
            ours.pop_all()
        os.close(output_end)
        child = Child(identify(popen.pid) or ProcessIdentity(popen.pid, ""), popen, self._loop.create_future())
        self._living[child] = _Output(self._loop, output, log, child.tail)
        if ready_argument:
            os.close(ready_end)
            child.ready = self._loop.create_future()
            self._loop.add_reader(signalled, _hear, self._loop, signalled, child.ready)
        return child

    def _reap(self) -> None:
        for child in tuple(self._living):
            pid = child.popen.pid
            # While the leader is a zombie its group cannot be anyone else's: what it left behind ends here.
            if hasattr(os, "waitid") and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            status = child.popen.poll()
            if status is None:
                continue
            self._living.pop(child).finish()
            if not child.exited.done():
                child.exited.set_result(status)


class _Output:
    """Moves whole lines from a child's pipe to its log, at most one batch every `_BATCH_S`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handle: int, log: RotatingLog, tail: deque[str]) -> None:
        self._loop = loop
        self._handle = handle
        self._log = log
        self._tail = tail
        self._rest = b""
        self._next: asyncio.TimerHandle | None = None
        loop.add_reader(handle, self._batch)

    def finish(self) -> None:
        """Take what is left and close the pipe."""
        if self._handle < 0:
            return
        if self._next:
            self._next.cancel()
        self._loop.remove_reader(self._handle)
        while self._take():
            pass
        self._close()

    def _batch(self) -> None:
        self._loop.remove_reader(self._handle)
        if self._take():
            self._next = self._loop.call_later(_BATCH_S, self._loop.add_reader, self._handle, self._batch)
        elif self._ended:
            self._close()

    def _take(self) -> bool:
        """Read once; say whether something was there."""
        self._ended = False
        try:
            chunk = os.read(self._handle, _READ_BYTES)
        except BlockingIOError:
            return False
        self._ended = not chunk
        whole, line_end, rest = (self._rest + chunk).rpartition(b"\n")
        if not line_end and (self._ended or len(rest) > _LINE_BYTES) and rest:
            whole, rest, line_end = rest, b"", b"\n"
        self._rest = rest
        if whole or line_end:
            self._log.write(whole + line_end)
            self._tail.extend(line.decode(errors="replace") for line in whole.split(b"\n")[-_TAIL_LINES:])
        return bool(chunk)

    def _close(self) -> None:
        if self._rest:
            self._log.write(self._rest + b"\n")
            self._tail.append(self._rest.decode(errors="replace"))
            self._rest = b""
        os.close(self._handle)
        self._handle = -1


def _pipe(owned: contextlib.ExitStack) -> tuple[int, int]:
    receive, send = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    owned.callback(os.close, receive)
    owned.callback(os.close, send)
    os.set_blocking(receive, False)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # an ordinary user's share of pipes may be used up: the default size serves
            fcntl.fcntl(send, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return receive, send


def _hear(loop: asyncio.AbstractEventLoop, handle: int, ready: "asyncio.Future[bytes]") -> None:
    try:
        said = os.read(handle, _LINE_BYTES)
    except BlockingIOError:
        return
    loop.remove_reader(handle)
    os.close(handle)
    if not ready.done():
        ready.set_result(said)


class _die_with:  # noqa: N801 - used as a function, run between fork and exec
    """Ask the kernel for SIGTERM when the parent dies, however it dies."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def __call__(self) -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != self._parent:  # it died before the kernel was asked
            os._exit(1)
