"""The control socket: JSON lines, one typed message to ask and one to answer."""

import socket
from pathlib import Path

import msgspec

from mlsd_framework.runtime.operations.deployment import Order
from mlsd_framework.runtime.operations.status import Status

MESSAGE_BYTES = 4 << 20


class StatusCommand(msgspec.Struct, frozen=True, tag="status"):
    """Ask how the deployment is."""


class ReplaceCommand(msgspec.Struct, frozen=True, tag="replace"):
    """Ask that another version takes over without a failed request; the same, healthy one is left alone."""

    order: Order


class ReloadCommand(msgspec.Struct, frozen=True, tag="reload"):
    """Ask for fresh workers of the version that serves."""


class StopCommand(msgspec.Struct, frozen=True, tag="stop"):
    """Ask that everything ends, the store last; answered when it has."""


Command = StatusCommand | ReplaceCommand | ReloadCommand | StopCommand


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The command was carried out."""

    status: Status


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """The command was refused or failed: the fields of a diagnostic, and the state that remains."""

    code: str
    what: str
    expected: str | None = None
    help: str | None = None
    notes: tuple[str, ...] = ()


Answer = Done | Fault


def encode(message: Command | Answer | Order) -> bytes:
    """Return `message` as one line."""
    return msgspec.json.encode(message) + b"\n"


def decode_command(line: bytes) -> Command:
    """Return the command in `line`; raises `msgspec.MsgspecError` where it is none."""
    command: Command = msgspec.json.decode(line, type=Command)
    return command


def decode_answer(line: bytes) -> Answer:
    """Return the answer in `line`; raises `msgspec.MsgspecError` where it is none."""
    answer: Answer = msgspec.json.decode(line, type=Answer)
    return answer


def call(path: Path | str, command: Command, timeout_s: float) -> Answer | None:
    """Send `command` to the supervisor at `path` and return its answer; None where nobody answers in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
            connection.sendall(encode(command))
            with connection.makefile("rb") as lines:
                line = lines.readline(MESSAGE_BYTES)
        except OSError:
            return None
    return decode_answer(line) if line.endswith(b"\n") else None
