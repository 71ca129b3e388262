"""A worker that keeps the contract of `runtime.serving.worker` without BentoML: it answers its version and pid."""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

IDLE_S = 1.0


class Http(asyncio.Protocol):
    """Answers each request after the bundle's delay; while draining, each connection gets one more."""

    living: "set[Http]" = set()  # noqa: RUF012 - the whole process's
    draining = False

    def __init__(self, settings: dict[str, object]) -> None:
        """Take the bundle's settings."""
        self.settings = settings
        self.buffer = b""
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        self.transport = transport
        self.living.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Forget the connection."""
        self.living.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer a whole request."""
        self.buffer += data
        if b"\r\n\r\n" in self.buffer:
            self.buffer = b""
            self.busy = True
            asyncio.get_running_loop().call_later(float(self.settings.get("delay_s", 0.002)), self.answer)

    def answer(self) -> None:
        """Write the answer; close where draining."""
        facts = {
            "version": self.settings["version"],
            "pid": os.getpid(),
            "store": os.environ.get("MLSD_STORE_URL", ""),
            "token": os.environ.get("TEST_TOKEN", ""),
            "threads": [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS")],
        }
        body = json.dumps(facts).encode()
        close = b"Connection: close\r\n" if self.draining else b""
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), close, body))
        self.busy = False
        if self.draining:
            self.transport.close()


async def serve(listener: socket.socket, settings: dict[str, object], ready: int, drain_s: float) -> None:
    """Serve until SIGTERM, then drain."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Http(settings), sock=listener)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    print(json.dumps({"event": "worker ready", "version": settings["version"]}), file=sys.stderr, flush=True)
    os.write(ready, b'{"ready": true}\n')
    os.close(ready)
    await ended.wait()
    Http.draining = True
    # A connection that was just accepted gets its protocol a turn later; asyncio drops it if the server is closed.
    loop.remove_reader(listener.fileno())
    await asyncio.sleep(0.05)
    server.close()
    limit = loop.time() + drain_s
    idle_limit = loop.time() + IDLE_S
    while Http.living and loop.time() < limit:
        await asyncio.sleep(0.02)
        for connection in tuple(Http.living):
            if loop.time() > idle_limit and not connection.busy:
                connection.transport.close()


def main() -> int:
    """Read the contract's arguments and do what the bundle says."""
    parser = argparse.ArgumentParser()
    for name in ("--fd", "--ready-fd", "--worker"):
        parser.add_argument(name, type=int)
    parser.add_argument("--drain", type=float)
    for name in ("--service", "--bundle", "--metrics-dir", "--changes"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    settings = json.loads((given.bundle / "bundle.json").read_text())
    match settings.get("fault"):
        case "exit":
            print("error: the model is broken", file=sys.stderr)
            return 1
        case "refuse":
            print("error[E6401]: no token", file=sys.stderr)
            return 3
        case "hang":
            signal.pause()
        case "late":  # ready, and dead at once
            os.write(given.ready_fd, b"ready\n")
            return 1
    if settings.get("fault_of_worker") == given.worker and (given.bundle / "broken").exists():
        return 1
    listener = socket.socket(fileno=given.fd)
    listener.setblocking(False)
    asyncio.run(serve(listener, settings, given.ready_fd, given.drain))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
