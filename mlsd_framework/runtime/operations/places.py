"""Paths of the supervisor's files in a workspace, sockets with short enough names among them."""

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.workspace import Workspace

_SOCKET_PATH_BYTES = 103  # macOS has 104 with the closing zero, Linux 108
_POLL_S = 0.02


def state_file(place: Workspace) -> Path:
    """Return the file of the supervisor's state."""
    return place.run / "supervisor.json"


def life_lock(place: Workspace) -> Path:
    """Return the file that a supervisor holds locked for as long as it lives."""
    return place.run / "supervisor.lock"


def start_lock(place: Workspace) -> Path:
    """Return the file that serialises starts and repairs."""
    return place.run / "start.lock"


def store_folder(place: Workspace) -> Path:
    """Return the folder of the embedded store's data."""
    return place.root / "store"


def metrics_folder(place: Workspace) -> Path:
    """Return the folder of the counters that all workers share."""
    return place.run / "metrics"


def changes_folder(place: Workspace, version: str) -> Path:
    """Return the folder of what has changed of a version's items since it was made."""
    return place.items / version


def socket_path(place: Workspace, name: str) -> Path:
    """Return where the Unix socket `name` lies: in `run/`, or in a private folder where that path is too long."""
    inside = place.run.resolve() / name
    if len(os.fsencode(inside)) <= _SOCKET_PATH_BYTES:
        return inside
    digest = hashlib.sha256(os.fsencode(inside.parent)).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"mlsd-{os.getuid()}-{digest}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    # A shared temporary folder lets a stranger make it first: then it is not ours to trust.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise RunError.of(
            "E6508",
            f"`{folder}` is not a private folder of this user, and `{inside}` is too long for a socket",
            help="remove it, or move the project to a path under 80 characters",
        )
    return folder / name


def prepare(place: Workspace) -> None:
    """Make the folders and locks of a deployment; `run/` and the store's data are this user's alone.

    Raises `RunError` E6514 where that cannot be: no permission, a full disk.
    """
    try:
        place.logs.mkdir(parents=True, exist_ok=True)
        for folder in (place.run, store_folder(place)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        for lock in (life_lock(place), start_lock(place)):
            lock.touch(mode=0o600)
    except OSError as fault:
        raise RunError.of(
            "E6514",
            f"the workspace `{place.root}` cannot be written: {fault.strerror or fault}",
            help="free some space, or run as the user who owns it",
        ) from fault


def try_lock(path: Path) -> int | None:
    """Lock `path` for this process; return the descriptor that holds the lock, None where another holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def is_locked(path: Path) -> bool:
    """Say whether a living process holds the lock on `path`."""
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look do not see each other
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock on `path`; raise `RunError` E6507 where another holds it for longer than `seconds`."""
    limit = time.monotonic() + seconds
    while (handle := try_lock(path)) is None:
        if time.monotonic() >= limit:
            raise RunError.of("E6507", f"another start of this system has held `{path}` for {seconds:.0f} s")
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        os.close(handle)
