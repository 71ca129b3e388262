"""A bundle for the plain service, and real workers that serve it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlsd_framework.runtime.serving.bundle import Bundle, write_bundle

PLAIN = Path(__file__).parent / "plain" / "service.py"
PROJECT = Path(__file__).parents[3]
THRESHOLDS = {"/decide": {"kind": "cost", "score": "fraud", "thresholds": {"review": 0.3, "decline": 0.9}}}


def write_plain_bundle(versions: Path, **changes: str) -> Bundle:
    """Write the bundle that the plain service fits, or one that differs from it."""
    parts = {"system": "plain", "spec": "sha256:spec", "features": "sha256:features", "version": "v1"} | changes
    return write_bundle(versions, files={"thresholds.json": json.dumps(THRESHOLDS).encode()}, **parts)  # type: ignore[arg-type]


class Worker:
    """A running worker process and the address it serves."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, ready: dict[str, object]) -> None:
        """Hold them together."""
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ready = ready

    def stop(self) -> tuple[int, str]:
        """End it; return the exit status and what it logged."""
        self.process.terminate()
        _, logged = self.process.communicate(timeout=20)
        return self.process.returncode, logged.decode()


Start = Callable[..., Worker]


def run_worker(listening: socket.socket, bundle: Path, *arguments: str, service: Path = PLAIN, **env: str) -> Worker:
    """Start a worker on `listening` and wait until it is ready."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "mlsd_framework.runtime.serving.worker", "--fd", str(listening.fileno())]
    command += ["--service", str(service), "--bundle", str(bundle), "--ready-fd", str(writing), *arguments]
    process = subprocess.Popen(
        command,
        pass_fds=(listening.fileno(), writing),
        stderr=subprocess.PIPE,
        cwd=PROJECT,
        env={**os.environ, **env},
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        line = pipe.readline()
    if not line:
        _, logged = process.communicate(timeout=20)
        raise AssertionError(f"exit status {process.returncode}: {logged.decode()}")
    return Worker(process, listening.getsockname()[1], json.loads(line))


@pytest.fixture
def plain_bundle() -> Callable[..., Bundle]:
    """Return the function that writes a bundle of the plain service."""
    return write_plain_bundle


@pytest.fixture
def launch() -> Iterator[Start]:
    """Return the function that starts a worker on a socket; what still runs at the end is ended."""
    with contextlib.ExitStack() as stack:

        def begin(*arguments: Any, **env: Any) -> Worker:
            worker = run_worker(*arguments, **env)
            stack.callback(_end, worker)
            return worker

        yield begin


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A listening socket on loopback."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as made:
        yield made


@pytest.fixture
def start(tmp_path: Path, listening: socket.socket) -> Iterator[Start]:
    """Return a function that starts a worker of the plain service on the test's socket."""
    bundle = write_plain_bundle(tmp_path / "versions")
    with contextlib.ExitStack() as stack:

        def begin(*arguments: str, **env: str) -> Worker:
            worker = run_worker(listening, bundle.folder, *arguments, **env)
            stack.callback(_end, worker)
            return worker

        yield begin


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker of the plain service for all tests of a module."""
    bundle = write_plain_bundle(tmp_path_factory.mktemp("versions"))
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as made:
        running = run_worker(made, bundle.folder)
        try:
            yield running
        finally:
            _end(running)


@pytest.fixture
def client(worker: Worker) -> Iterator[httpx.Client]:
    """A client of the module's worker."""
    with httpx.Client(base_url=worker.url, timeout=10) as made:
        yield made


def _end(worker: Worker) -> None:
    if worker.process.poll() is None:
        worker.process.kill()
    worker.process.communicate()
