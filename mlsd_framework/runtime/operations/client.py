"""Starting, asking and stopping a local deployment: what `deploy`, `status`, `logs` and `stop` call."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import msgspec

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations.control import (
    MESSAGE_BYTES,
    Answer,
    Command,
    Done,
    Fault,
    ReloadCommand,
    ReplaceCommand,
    StatusCommand,
    StopCommand,
    call,
    decode_answer,
    encode,
)
from mlsd_framework.runtime.operations.deployment import Deployment, Order, order_of
from mlsd_framework.runtime.operations.import_path import import_path
from mlsd_framework.runtime.operations.logs import Part, follow, last_lines, log_file
from mlsd_framework.runtime.operations.places import (
    is_locked,
    life_lock,
    locked,
    prepare,
    socket_path,
    start_lock,
    state_file,
)
from mlsd_framework.runtime.operations.processes import end, send, wait_gone
from mlsd_framework.runtime.operations.status import Status, read_status
from mlsd_framework.runtime.workspace import Workspace

_ANSWER_S = 5.0
_STORE_S = 65.0  # loading or saving a large store
_ORPHAN_GRACE_S = 5.0
_POLL_S = 0.02
_MODULE = "mlsd_framework.runtime.operations.supervisor"


def start(deployment: Deployment, environment: Mapping[str, str] | None = None) -> Status:
    """Bring `deployment` to serve and return its status once it does; `Status.change` says what was done.

    Nothing runs: it is started, after what a killed supervisor left was ended. The same version serves already:
    `unchanged`. Another: it is replaced without a failed request. `environment` (this process's by default) is what
    the workers get. Two starts at once follow one another. Raises `RunError` E650x; a replace that fails leaves the
    former version serving, a first start that fails leaves nothing.
    """
    return _bring(order_of(deployment, os.environ if environment is None else environment))


def open_store(deployment: Deployment, environment: Mapping[str, str] | None = None) -> Status:
    """Bring the embedded store of `deployment` to run, under a supervisor, and leave the workers as they are.

    So rows can be published before the first worker asks for one. `start` goes on from there, `stop` ends it. Raises
    `RunError` E6504, E6505, E6506 or those of `start`.
    """
    return _bring(order_of(deployment, os.environ if environment is None else environment, store_only=True))


def _bring(order: Order) -> Status:
    """Give `order` to the supervisor that runs, or start one with it."""
    deployment = order.deployment
    place = deployment.place
    prepare(place)
    patience = _patience(deployment)
    with locked(start_lock(place), patience):
        while is_locked(life_lock(place)):
            if not _answers(place):
                _kill_supervisor(place)
                continue
            answer = _call(place, ReplaceCommand(order), patience)
            if isinstance(answer, Done):
                return answer.status
            if isinstance(answer, Fault) and answer.code != "E6510":
                raise _error(answer)
            _await_life(place, patience if answer else _ANSWER_S)  # it is stopping, or has ended meanwhile
        repair(place)
        return _launch(place, encode(order), patience)


def status(place: Workspace) -> Status:
    """Return how the system of a workspace runs; never raises, never starts anything."""
    if is_locked(life_lock(place)):
        answer = _call(place, StatusCommand(), _ANSWER_S)
        if isinstance(answer, Done):
            return answer.status
        found = read_status(place)
        return found or Status(system=place.root.name, state="starting")
    found = read_status(place)
    if found is None:
        return Status(system=place.root.name, state="stopped")
    return msgspec.structs.replace(found, state="dead", workers=(), updaters=(), indexers=(), store=None)


def reload(place: Workspace) -> Status:
    """Replace the workers by fresh ones of the same version, without a failed request; raise `RunError` E650x."""
    found = status(place)
    wait_s = _patience(found.deployment) if found.deployment else _ANSWER_S
    answer = _call(place, ReloadCommand(), wait_s)
    if isinstance(answer, Done):
        return answer.status
    raise _error(answer) if answer else RunError.of("E6511", f"no supervisor runs in `{place.root}`")


def stop(place: Workspace) -> Status:
    """End the service, the store last, and wait until all is gone; harmless where nothing runs."""
    if not place.root.exists():
        return Status(system=place.root.name, state="stopped")
    found = read_status(place)
    prepare(place)
    if is_locked(life_lock(place)):
        drain_s = found.deployment.drain_s if found and found.deployment else 10.0
        answer = _call(place, StopCommand(), 2 * drain_s + _STORE_S) if _answers(place) else None
        _await_life(place, _ANSWER_S if answer else 0.0)
        if answer is None:
            _kill_supervisor(place)
    with locked(start_lock(place), _STORE_S):
        if not is_locked(life_lock(place)):  # else another start has begun since
            repair(place)
    name = found.system if found else place.root.name
    return Status(system=name, state="stopped", change="none" if found is None else "stopped")


def logs(place: Workspace, part: Part = "service", *, lines: int = 100, following: bool = False) -> Iterator[str]:
    """Yield the last `lines` of a part's log, and with `following` whatever it prints from then on."""
    path = log_file(place, part)
    return follow(path, lines) if following else iter(last_lines(path, lines))


def repair(place: Workspace) -> int:
    """End what a killed supervisor left running, by pid and moment of start; return how many processes that were.

    Only for the holder of the start lock, when no supervisor lives.
    """
    found = read_status(place)
    ended = 0
    if found:
        grace_s = found.deployment.drain_s if found.deployment else _ORPHAN_GRACE_S
        store = found.store.process if found.store else None
        for process in found.processes:
            ended += end(process, _STORE_S if process == store else grace_s)
    state_file(place).unlink(missing_ok=True)
    return ended


def _launch(place: Workspace, order: bytes, patience_s: float) -> Status:
    """Start a detached supervisor and wait for its report."""
    log = log_file(place, "supervisor")
    receive, report = os.pipe()
    with os.fdopen(receive, "rb") as reports, log.open("ab") as output:
        log.chmod(0o600)
        try:
            begun = subprocess.Popen(  # noqa: S603 - this interpreter, our module
                [sys.executable, "-P", "-m", _MODULE, "--report-fd", str(report)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=place.root,
                env={**os.environ, **import_path(os.environ)},
                pass_fds=[report],
                start_new_session=True,
            )
        finally:
            os.close(report)
        begun.communicate(order, timeout=patience_s)  # the process that was started forks and ends at once
        line = reports.readline(MESSAGE_BYTES)
    answer = decode_answer(line) if line.endswith(b"\n") else None
    if isinstance(answer, Done):
        return answer.status
    _await_life(place, _ANSWER_S)
    if answer:
        raise _error(answer)
    raise RunError.of(
        "E6512", "the supervisor ends before it reports", help=f"its log is `{log}`", notes=last_lines(log, 10)
    )


def _kill_supervisor(place: Workspace) -> None:
    """End a supervisor that holds the lock and does not answer; raise `RunError` E6513 where that cannot be."""
    found = read_status(place)
    if found and found.supervisor and send(found.supervisor, signal.SIGKILL):
        wait_gone(found.supervisor, _ANSWER_S)
    _await_life(place, _ANSWER_S)
    if is_locked(life_lock(place)):
        raise RunError.of(
            "E6513",
            f"a supervisor holds `{life_lock(place)}`, does not answer, and cannot be ended",
            help="end that process by hand",
        )


def _await_life(place: Workspace, seconds: float) -> None:
    """Wait until no supervisor lives, at most `seconds`."""
    limit = time.monotonic() + seconds
    while is_locked(life_lock(place)) and time.monotonic() < limit:
        time.sleep(_POLL_S)


def _answers(place: Workspace) -> bool:
    """Say whether the supervisor answers; one that has only just begun gets the time to open its socket."""
    limit = time.monotonic() + _ANSWER_S
    while is_locked(life_lock(place)):
        if _call(place, StatusCommand(), _ANSWER_S) is not None:
            return True
        if time.monotonic() >= limit:
            return False
        time.sleep(_POLL_S)
    return True


def _call(place: Workspace, command: Command, timeout_s: float) -> Answer | None:
    found = read_status(place)
    return call(found.control if found and found.control else socket_path(place, "control.sock"), command, timeout_s)


def _patience(deployment: Deployment) -> float:
    return deployment.ready_s + 2 * deployment.drain_s + _STORE_S


def _error(fault: Fault) -> RunError:
    return RunError.of(fault.code, fault.what, expected=fault.expected, help=fault.help, notes=fault.notes)
