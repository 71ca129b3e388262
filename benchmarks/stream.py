"""From a Valkey stream to readable state: four windows of count and sum a card, ours beside Bytewax, in one run.

Both read the same events, one an entry, from one store on one Unix socket, and write to it. Ours commits states and
position in one transaction a batch; Bytewax keeps states in memory, with its recovery (what survives a crash, as ours
does) and without, and writes the cards' values after each batch. Bytewax lives in an environment of its own (it needs
`bytewax` and `valkey`); name its Python:

    python benchmarks/stream.py --peer-python /path/to/venv/bin/python
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address, Connection
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.operations.store import server_binary
from mlsd_framework.runtime.serving.logs import Log
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.leases import LeaseTerms
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource
from mlsd_framework.runtime.stream.live_store import LiveStore
from mlsd_framework.runtime.stream.metrics import SourceMetrics, StreamMetrics
from mlsd_framework.runtime.stream.producing import StreamWriter
from mlsd_framework.runtime.stream.pump import Pump
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream

BAR, PEER_BAR = 50_000, 10
WINDOWS = tuple(timedelta(minutes=m) for m in (1, 10, 60, 360))
GROUP = WindowGroup(
    "card", ("card",), "payments", "at", WINDOWS, (Aggregate("n", "count"), Aggregate("spent", "sum", "amount")),
    key=("payment_id",),
)  # fmt: skip
TABLE = SourceTable(
    name="payments",
    paths=("payments.parquet",),
    key=("payment_id",),
    event_time="at",
    columns=(
        Column(name="payment_id", type="int64"),
        Column(name="card", type="string"),
        Column(name="at", type="timestamp", time_format="microseconds"),
        Column(name="amount", type="float64", minimum=0),
        Column(name="country", type="category", categories=("de", "fr", "it")),
    ),
)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
PEER = Path(__file__).with_name("stream_bytewax.py")


def events(number: int, cards: int) -> list[tuple[bytes, bytes]]:
    """Make payments in order of time, a few cards with many of them; each with its key."""
    rng = np.random.default_rng(5)
    card = (rng.pareto(1.2, number) * cards / 50).astype(int) % cards
    begin = int(BEGIN.timestamp() * 1e6)
    made = []
    for at in range(number):
        name = f"card{card[at]}"
        event = {
            "payment_id": at,
            "card": name,
            "at": begin + at * 20_000,
            "amount": round(float(at % 977) / 7, 2),
            "country": ("de", "fr", "it")[at % 3],
        }
        made.append((name.encode(), json.dumps(event).encode()))
    return made


def ours(address: Address, number: int, run: int) -> tuple[float, bool]:
    """Return events a second until all are readable, and whether the hottest card's state says so."""
    names = LiveNames("bench", f"f{run}")
    layout = StateLayout(GROUP, {"payment_id": "int64", "amount": "float64"})
    source = ValkeyStream(ValkeySettings(address=address, stream="payments"), names, LeaseTerms("a"))
    log = Log(descriptor=os.open(os.devnull, os.O_WRONLY))
    metrics = SourceMetrics(StreamMetrics(), "payments", ["card"])
    live = LiveSource(table=TABLE, groups=(LiveGroup(layout),))
    pump = Pump(live, source, LiveStore(address, names), metrics, log)
    source.open(pump._assignment, log)  # noqa: SLF001 - as `run` does, without its loop
    begun, done = time.perf_counter(), 0
    while done < number:
        done += pump.step()
    rate = number / (time.perf_counter() - begun)
    connection = Connection(address, 5.0)
    generation = connection.call(b"GET", names.live, timeout=5.0)
    state = connection.call(b"GET", names.states(generation, "card") + encode_key(("card0",)), timeout=5.0)
    at = int(BEGIN.timestamp() * 1e6) + number * 20_000
    readable = layout.finish(state, at)[0] > 0
    source.close()
    connection.close()
    return rate, readable


class Freshness(SourceMetrics):
    """Keeps every time from an entry to its commit."""

    waits_us: list[np.ndarray]

    def fresh(self, times: np.ndarray, now: int) -> None:
        """Keep them."""
        self.waits_us = [*getattr(self, "waits_us", []), now - times]


def freshness(address: Address, made: list[tuple[bytes, bytes]], rate: int) -> np.ndarray:
    """Return the milliseconds from each event's entry to its readable state, while events come at a rate."""
    connection = Connection(address, 10.0)
    connection.call(b"DEL", b"payments", timeout=10.0)
    names, log = LiveNames("bench", "fresh"), Log(descriptor=os.open(os.devnull, os.O_WRONLY))
    layout = StateLayout(GROUP, {"payment_id": "int64", "amount": "float64"})
    metrics = Freshness(StreamMetrics(), "payments", ["card"])
    source = ValkeyStream(ValkeySettings(address=address, stream="payments"), names, LeaseTerms("a"))
    pump = Pump(LiveSource(table=TABLE, groups=(LiveGroup(layout),)), source, LiveStore(address, names), metrics, log)
    stop = threading.Event()
    thread = threading.Thread(target=pump.run, args=(stop,))
    thread.start()
    writer, step = StreamWriter("payments"), max(rate // 100, 1)
    begun = time.monotonic()
    for at in range(0, len(made), step):
        writer.add(connection, made[at : at + step])
        time.sleep(max(begun + at / rate - time.monotonic(), 0))
    time.sleep(0.5)
    stop.set()
    thread.join()
    connection.close()
    return np.concatenate(metrics.waits_us) / 1e3


def bytewax(python: Path, address: Address, number: int, *, recovers: bool) -> float:
    """Return Bytewax's events a second."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), str(PEER), str(address.path), str(number), *([folder] if recovers else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return float(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Start a store, fill the stream, let both read it in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--cards", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    number, runs = (5_000, 1) if options.quick else (options.events, options.runs)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "s"
        command = [str(server_binary()), "--port", "0", "--unixsocket", str(path), "--save", "", "--logfile", "log"]
        server = subprocess.Popen(command, cwd=folder)
        try:
            address = _started(path)
            _fill(address, events(number, options.cards))
            mine: list[float] = []
            theirs: dict[bool, list[float]] = {True: [], False: []}
            ours(address, min(number, 5000), -1)  # compiles
            for run in range(runs):
                rate, readable = ours(address, number, run)
                assert readable
                mine.append(rate)
                if options.peer_python:
                    for recovers, rates in theirs.items():
                        rates.append(bytewax(options.peer_python, address, number, recovers=recovers))
            print(f"{number:,} events, {options.cards:,} cards, 4 windows of count and sum")
            print(f"  ours, stream to state          {statistics.median(mine):10,.0f} events/s   (bar {BAR:,})")
            for recovers, rates in theirs.items():
                if rates:
                    name = "with recovery" if recovers else "without"
                    bar = f"   (bar {PEER_BAR}x)" if recovers else ""
                    ratio = statistics.median(mine) / statistics.median(rates)
                    print(f"  bytewax, {name:22}{statistics.median(rates):10,.0f} events/s   {ratio:.1f}x{bar}")
            rate = 1000 if options.quick else 2000
            waits = freshness(address, events(rate * (1 if options.quick else 5), options.cards), rate)
            p50, p99 = np.percentile(waits, (50, 99))
            print(f"  freshness at {rate:,} events/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms from entry to commit")
        finally:
            server.terminate()
            server.wait(10)


def _started(path: Path) -> Address:
    for _ in range(500):
        if path.exists():
            break
        time.sleep(0.01)
    return Address.parse(f"unix://{path}")


def _fill(address: Address, made: list[tuple[bytes, bytes]]) -> None:
    connection = Connection(address, 10.0)
    writer = StreamWriter("payments")
    for at in range(0, len(made), 5000):
        writer.add(connection, made[at : at + 5000])
    connection.close()


if __name__ == "__main__":
    sys.exit(main())
