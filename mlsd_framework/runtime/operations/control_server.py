"""The supervisor's end of the control socket: who may connect, one answer for each line."""

import asyncio
import contextlib
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from mlsd_framework.runtime.operations.control import MESSAGE_BYTES, Answer, Command, Fault, decode_command, encode


async def serve_control(path: Path, answer: Callable[[Command], Awaitable[Answer]]) -> asyncio.Server:
    """Listen at `path` and give each command to `answer`; many connections at once."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):  # the peer went away, or sent a line without end
            while is_trusted(writer.get_extra_info("socket")) and (line := await reader.readline()):
                try:
                    command = decode_command(line)
                except msgspec.MsgspecError as fault:
                    writer.write(encode(Fault("E6509", f"the supervisor does not know this command: {fault}")))
                else:
                    writer.write(encode(await answer(command)))
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(converse, sock=control_listener(path), limit=MESSAGE_BYTES)


def control_listener(path: Path) -> socket.socket:
    """Return the listening control socket at `path`, mode 0600; a dead one that lies there is removed."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(16)
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener


def is_trusted(connection: socket.socket) -> bool:
    """Say whether the peer is this user or root, as the kernel knows it (where it tells)."""
    if not sys.platform.startswith("linux"):
        return True
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user in (os.getuid(), 0)
