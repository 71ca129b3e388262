"""Processes that are known by pid and moment of start, so that a reused pid is never signalled."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

_LINUX = sys.platform.startswith("linux")
_START_FIELD = 19  # field 22 of /proc/<pid>/stat, counted from the state (field 3) that follows the name
_POLL_S = 0.02


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A pid and when the process began, in a form that no later process with the same pid can have."""

    pid: int
    started: str


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of the living process `pid`; None where there is none (a zombie is none)."""
    started = _started_linux(pid) if _LINUX else _started_by_ps(pid)
    return None if started is None else ProcessIdentity(pid, started)


def is_alive(process: ProcessIdentity) -> bool:
    """Say whether this very process still runs."""
    return identify(process.pid) == process


def send(process: ProcessIdentity, number: signal.Signals, *, group: bool = False) -> bool:
    """Send a signal to `process` (and its process group); False where it runs no more.

    Where the kernel has pidfds the process is held while its start is compared, so the pid cannot change hands between.
    """
    with contextlib.ExitStack() as held:
        handle: int | None = None
        if hasattr(os, "pidfd_open"):
            try:
                handle = os.pidfd_open(process.pid)
            except OSError:
                return False
            held.callback(os.close, handle)
        if not is_alive(process):
            return False
        try:
            if group and os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, number)
            elif handle is not None and hasattr(signal, "pidfd_send_signal"):
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(process.pid, number)
        except ProcessLookupError:
            return False
    return True


def wait_gone(process: ProcessIdentity, seconds: float) -> bool:
    """Wait until `process` has ended, at most `seconds`; say whether it has."""
    limit = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() >= limit:
            return False
        time.sleep(_POLL_S)
    return True


def end(process: ProcessIdentity, grace_s: float) -> bool:
    """End `process`: SIGTERM, and after `grace_s` SIGKILL to its group; say whether it was running."""
    if not send(process, signal.SIGTERM):
        return False
    if not wait_gone(process, grace_s):
        send(process, signal.SIGKILL, group=True)
        wait_gone(process, grace_s)
    return True


def name_of(pid: int) -> str:
    """Return the short name of process `pid`, or "" where it cannot be read."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name may hold spaces and brackets
    return None if fields[0] in "ZX" else f"{boot}:{fields[_START_FIELD]}"


def _started_by_ps(pid: int) -> str | None:
    found = subprocess.run(  # noqa: S603 - a fixed program, an integer
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(int(pid))], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if not found or found[0].startswith("Z") else found[-1].strip()
