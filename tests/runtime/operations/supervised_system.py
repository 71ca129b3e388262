"""A system of the test worker, requests to it, and a constant load."""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.deployment import Deployment, deployment_of
from mlsd_framework.runtime.operations.processes import is_alive
from mlsd_framework.runtime.operations.status import Status
from mlsd_framework.runtime.workspace import Workspace

HERE = Path(__file__).resolve().parent


@dataclass
class System:
    """One system of the test worker."""

    place: Workspace
    seen: set[Any] = field(default_factory=set)

    def deployment(
        self,
        version: str = "v1",
        *,
        settings: dict[str, object] | None = None,
        **options: Any,
    ) -> Deployment:
        """Write the bundle of `version` and return its deployment."""
        bundle = self.place.versions / version
        bundle.mkdir(parents=True, exist_ok=True)
        (bundle / "bundle.json").write_text(json.dumps({"version": version, **(settings or {})}))
        service = self.place.root / "service.py"
        service.touch()
        options = {"port": 0, "worker_module": "supervised_worker", "drain_s": 3.0, "ready_s": 10.0, **options}
        return deployment_of(self.place, system="test", version=version, service=service, bundle=bundle, **options)

    def environment(self, **more: str) -> dict[str, str]:
        """Return this process's environment with the test worker importable."""
        return {**os.environ, "PYTHONPATH": str(HERE), **more}

    def start(self, version: str = "v1", **options: Any) -> Status:
        """Start `version` and remember its processes."""
        return self.note(client.start(self.deployment(version, **options), self.environment()))

    def status(self) -> Status:
        """Ask and remember."""
        return self.note(client.status(self.place))

    def note(self, found: Status) -> Status:
        """Remember the processes of a status, to know later that they ended."""
        self.seen.update(found.processes)
        if found.supervisor:
            self.seen.add(found.supervisor)
        return found

    def living(self) -> list[Any]:
        """Return the remembered processes that still run."""
        return [process for process in self.seen if is_alive(process)]


def eventually(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until `holds` is true."""
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, "it never came true"
        time.sleep(0.02)


def ask(port: int) -> dict[str, Any]:
    """Send one request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()


class Load:
    """Clients that send requests a few milliseconds apart, on kept-alive connections, without retries."""

    def __init__(
        self,
        port: int,
        clients: int = 4,
        pause_s: float = 0.008,
        *,
        keep_alive: bool = True,
        path: str = "/",
        body: bytes = b"",
    ) -> None:
        """Prepare the clients."""
        self.versions: list[str] = []
        self.failures: list[str] = []
        self.shed = 0
        self._port, self._pause, self._keep = port, pause_s, keep_alive
        self._path, self._body = path, body
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End and wait."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {"Content-Type": "application/json"}
        while not self._ended.is_set():
            try:
                connection.request("POST" if self._body else "GET", self._path, self._body, headers)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status == HTTPStatus.OK:
                    self.versions.append(json.loads(content)["version"])
                elif b"E6431" in content:  # the worker sheds what the machine cannot carry, replaced or not
                    self.shed += 1
                else:
                    self.failures.append(f"{answer.status} {content!r}")
            except (OSError, http.client.HTTPException, ValueError) as fault:
                self.failures.append(repr(fault))
                connection.close()
            if not self._keep:
                connection.close()
            self._ended.wait(self._pause)
        connection.close()
