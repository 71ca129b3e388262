"""A Valkey server of a test's own: started, paused, killed and started again on the same data."""

import contextlib
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from mlsd_framework.runtime.features.resp import Address, Connection, Reply, StoreError
from mlsd_framework.runtime.operations.store import server_binary


class StoreProcess:
    """A server on a Unix socket in `folder`, with the options given."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Start nothing yet."""
        self.folder = folder
        self.socket = folder / "s"
        self.url = f"unix://{self.socket}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        """End it."""
        self.resume()
        self.kill()

    def start(self) -> None:
        """Start it and wait until it has loaded its data."""
        options = ("--port", "0", "--unixsocket", str(self.socket), "--save", "", "--logfile", "log", *self._options)
        self._process = subprocess.Popen([str(server_binary()), *options], cwd=self.folder)
        for _ in range(1000):
            with contextlib.suppress(StoreError):
                self.ask(b"PING")
                return
            time.sleep(0.01)
        raise AssertionError("the store does not start")

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def pause(self) -> None:
        """Stop it without ending it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, *arguments: bytes) -> Reply:
        """Send one command on a connection of its own."""
        connection = Connection(Address.parse(self.url), 5.0)
        try:
            return connection.call(*arguments, timeout=5.0)
        finally:
            connection.close()
