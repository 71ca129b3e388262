"""Updaters as real processes, many of them quickly: a server that has imported everything forks one for each request.

Run as a script it reads lines of JSON from standard input, forks an updater for each and answers with its process id.
"""

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any, Self


class Updaters:
    """Starts updaters; each is a process of its own that a test may kill."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.stream.updater_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        """End the server, and with it whatever it started."""
        assert self._server is not None
        self._server.communicate(timeout=30)

    def start(self, **wanted: Any) -> int:
        """Start an updater of payments and return its process id."""
        return int(self._asked({"start": wanted}))

    def signal(self, process: int, number: int) -> int:
        """Send a signal to an updater, wait for its end and return its exit code, negative for a signal."""
        return int(self._asked({"signal": number, "process": process}))

    def _asked(self, request: dict[str, Any]) -> str:
        assert self._server is not None
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return self._server.stdout.readline()


def _serve() -> None:
    # Imported before forking, and not used before: threads do not survive a fork.
    from tests.runtime.stream import updating  # noqa: PLC0415 - the tests that start this import no more than they need

    living: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            process = os.fork()
            if process == 0:
                os.close(0)
                os.dup2(2, 1)
                os._exit(updating.update(**request["start"]))
            living.add(process)
            print(process, flush=True)
        else:
            os.kill(request["process"], request["signal"])
            living.discard(request["process"])
            print(os.waitstatus_to_exitcode(os.waitpid(request["process"], 0)[1]), flush=True)
    for process in living:
        os.kill(process, 9)
        os.waitpid(process, 0)


if __name__ == "__main__":
    _serve()
