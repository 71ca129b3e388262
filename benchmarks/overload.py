"""A worker at half of its capacity, at three times of it, and in bursts: who is answered, who is refused, how quickly.

    python benchmarks/overload.py [--seconds 10] [--work 1.0]

The handler computes for `--work` ms. The load is open: requests go out at their moments whatever comes back, on as many
connections as that takes; a latency runs from a request's moment to its answer, the generator's own lateness included.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import uvloop

PROJECT = Path(__file__).resolve().parent.parent

SERVICE = """
import time

import bentoml
from msgspec import Struct

from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.bento import in_front
from mlsd_framework.runtime.serving.bundle import Bundle
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.serving.decision import Decision
from mlsd_framework.runtime.serving.limits import Limits

APP = Application("load", spec="s", features="f", file=__file__, limits=Limits(concurrency=64))


class Asked(Struct):
    ms: float


@APP.post("/decide", request=Asked, example={{"ms": {work}}})
class Decide:
    def __init__(self, bundle: Bundle) -> None:
        self.version = bundle.version

    def __call__(self, request: Asked, call: Call) -> Decision:
        until = time.perf_counter() + request.ms / 1e3
        while time.perf_counter() < until:
            pass
        made = {{"action": "approve", "score": None, "risk": None, "reasons": [], "degraded": []}}
        return Decision(request_id=call.request_id, version=self.version, **made)


@in_front(APP)
@bentoml.service(name="load", workers=1)
class Service:
    pass
"""


@contextlib.contextmanager
def worker(folder: Path, work: float) -> Iterator[int]:
    """Run a worker of the service; yield its port."""
    sys.path.insert(0, str(PROJECT))
    from mlsd_framework.runtime.serving.bundle import write_bundle  # noqa: PLC0415 - after the path is set

    (folder / "service.py").write_text(SERVICE.format(work=work))
    bundle = write_bundle(folder / "versions", system="load", spec="s", features="f", files={})
    reading, writing = os.pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        fds = (listening.fileno(), writing)
        command = [
            sys.executable,
            "-m",
            "mlsd_framework.runtime.serving.worker",
            "--fd",
            str(fds[0]),
            "--ready-fd",
            str(writing),
        ]
        command += ["--service", str(folder / "service.py"), "--bundle", str(bundle.folder)]
        running = subprocess.Popen(command, pass_fds=fds, cwd=PROJECT, stderr=subprocess.DEVNULL)
        os.close(writing)
        try:
            with os.fdopen(reading) as pipe:
                assert pipe.readline(), "the worker did not start"
            yield int(listening.getsockname()[1])
        finally:
            running.terminate()
            running.wait(timeout=20)


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: "Load") -> None:
        """Answers go to `load`."""
        self.load = load
        self.since = 0.0
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def ask(self, since: float) -> None:
        """Send the request whose moment was `since`."""
        self.since = since
        self.load.late.append((time.perf_counter() - since) * 1e3)
        self.transport.write(next(self.load.requests))

    def data_received(self, data: bytes) -> None:
        """Count an answer once it is whole."""
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0) if found else 0
        if found and len(body) >= length and self.since:  # 0: it closes a connection that was never used
            self.buffer = b""
            now = time.perf_counter()
            self.load.answered[head[9:12].decode()].append((now - self.since) * 1e3)
            if now < self.load.closed_until:
                self.ask(now)
            else:
                self.load.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Count what the worker closed with a request open; a connection unused for 5 s it closes too."""
        if self in self.load.idle:
            self.load.idle.remove(self)
        else:
            self.load.answered["lost"].append(0.0)


class Load:
    """An open load of so many requests a second."""

    def __init__(self, port: int, *bodies: bytes, path: bytes = b"/decide") -> None:
        """Ask with the bodies in turns."""
        head = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        self.requests = itertools.cycle([head % (path, len(body), body) for body in bodies])
        self.port = port
        self.idle: list[Client] = []
        self.answered: dict[str, list[float]] = defaultdict(list)
        self.late: list[float] = []
        self.closed_until = 0.0

    async def saturate(self, seconds: float, connections: int) -> float:
        """Let each connection ask again as soon as it is answered; return good answers a second."""
        self.closed_until = time.perf_counter() + seconds
        await self.run(np.zeros(connections), connections)
        await asyncio.sleep(seconds)
        self.closed_until = 0.0
        return len(self.answered["200"]) / seconds

    async def connect(self) -> Client:
        """Open a connection."""
        _, client = await asyncio.get_running_loop().create_connection(lambda: Client(self), "127.0.0.1", self.port)
        return client

    async def run(
        self, moments: "np.ndarray[tuple[int], np.dtype[np.float64]]", connections: int
    ) -> dict[str, list[float]]:
        """Send a request at each of the moments (seconds from now)."""
        self.answered = defaultdict(list)
        self.idle += [await self.connect() for _ in range(connections - len(self.idle))]
        start = time.perf_counter() + 0.01
        for moment in start + moments:
            late = time.perf_counter()
            if late < moment:
                await asyncio.sleep(moment - late)
            while self.idle and self.idle[-1].transport.is_closing():
                self.idle.pop()
            (self.idle.pop() if self.idle else await self.connect()).ask(moment)
        for _ in range(0 if self.closed_until else 200):
            if sum(map(len, self.answered.values())) >= len(moments):
                break
            await asyncio.sleep(0.01)
        return self.answered


def shown(name: str, answered: dict[str, list[float]]) -> None:
    """Print one line for each status."""
    total = sum(map(len, answered.values()))
    for status, times in sorted(answered.items()):
        p50, p99, most = np.percentile(times, [50, 99, 100])
        share = f"{name:26} {status:>5} {len(times) / total:7.1%}"
        print(f"{share}   p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   max {most:7.2f} ms")


async def measure(port: int, work: float, seconds: float) -> None:
    """Find the capacity, then load below and above it, then in bursts."""
    load = Load(port, b'{"ms":%f}' % work)
    capacity = await load.saturate(2.0, 32)
    refused = sum(map(len, load.answered.values())) - len(load.answered["200"])
    print(f"32 connections that ask again at once: {capacity:.0f} requests/s of {work:g} ms each, {refused} refused")
    await asyncio.sleep(0.5)
    rng = np.random.default_rng(0)
    onset = np.sort(rng.uniform(0, 1, int(capacity * 3)))
    found = {}
    for share in (0.5, 3.0):
        if share > 1:
            shown(f"{share:g} x, its first second", await load.run(onset, 64))
        number = int(capacity * share * seconds)
        found[share] = await load.run(np.sort(rng.uniform(0, seconds, number)), 64)
        shown(f"{share:g} x, after that" if share > 1 else f"{share:g} x capacity", found[share])
        await asyncio.sleep(0.5)
    for size in (32, 64):
        shown(f"bursts of {size} each 200 ms", await load.run(np.repeat(np.arange(0, 4, 0.2), size), size))
    print(
        f"the generator itself was late by p50 {np.median(load.late):.2f} ms, p99 {np.percentile(load.late, 99):.2f} ms"
    )
    shares = {share: np.percentile(answered["200"], 99) for share, answered in found.items()}
    print(f"ratio: p99 of the answered at 3 x is {shares[3.0] / shares[0.5]:.1f} x that at 0.5 x")


def main() -> None:
    """Run one worker and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--work", type=float, default=1.0, help="ms of the handler")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, worker(Path(name), options.work) as port:
        uvloop.run(measure(port, options.work, options.seconds))


if __name__ == "__main__":
    main()
