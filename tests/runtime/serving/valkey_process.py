"""A real Valkey server that a test can freeze, kill and start again."""

import contextlib
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from mlsd_framework.runtime.operations.store import server_binary


class Valkey:
    """A server on a Unix socket in `folder`, in memory only."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet."""
        self._folder = folder
        self._socket = folder / "v.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.kill()

    def start(self) -> None:
        """Start an empty server and wait for its socket."""
        self._socket.unlink(missing_ok=True)
        command = [str(server_binary()), "--port", "0", "--unixsocket", str(self._socket), "--save", ""]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        limit = time.monotonic() + 10
        while not self._socket.exists():
            assert time.monotonic() < limit, "no socket"
            time.sleep(0.01)

    def freeze(self) -> None:
        """Let it hang: connections are taken by the kernel, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=10)

    def _signal(self, sig: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(sig)
