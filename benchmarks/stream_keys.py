"""Ten million distinct keys through the updater into a store with less memory than they need: what fits, what it costs.

Run as `python benchmarks/stream_keys.py [--quick] [KEYS] [MEGABYTES]`. The store is started by the deployment's own
command line with `store_evict: idle_states`; events come in entries of some hundred, and what is read is trimmed.
"""

import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address, Connection, encode_many
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.operations.deployment import EmbeddedStore
from mlsd_framework.runtime.operations.places import prepare
from mlsd_framework.runtime.operations.store import server_binary, server_command, store_url
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.leases import LeaseTerms
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource
from mlsd_framework.runtime.stream.updater import Updater, UpdaterSettings
from mlsd_framework.runtime.stream.valkey import ValkeySettings, ValkeyStream
from mlsd_framework.runtime.workspace import Workspace

KEYS = 10_000_000
MEGABYTES = 512
QUICK = (100_000, 48)
ENTRY = 500
PART = 20_000
NAMES = LiveNames("keys", "f1")
TABLE = SourceTable(
    name="events",
    paths=("events.parquet",),
    key=("id",),
    event_time="at",
    columns=(
        Column(name="id", type="int64"),
        Column(name="card", type="int64"),
        Column(name="at", type="timestamp"),
        Column(name="amount", type="float64"),
    ),
)
GROUP = WindowGroup(
    name="card",
    entity=("card",),
    source="events",
    event_time="at",
    windows=(timedelta(hours=1), timedelta(days=1)),
    aggregates=(Aggregate("events", "count"), Aggregate("spent", "sum", "amount")),
    key=("id",),
)


def main() -> None:
    """Start a store, send, and say what came of it."""
    import subprocess  # noqa: PLC0415 - as the supervisor starts it

    numbers = [int(one) for one in sys.argv[1:] if one != "--quick"]
    keys, megabytes = [*numbers, *(QUICK if "--quick" in sys.argv else (KEYS, MEGABYTES))[len(numbers) :]]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        place = Workspace(Path(folder) / "w")
        prepare(place)
        store = EmbeddedStore(memory_mb=megabytes, evict="idle_states")
        with subprocess.Popen(server_command(server_binary(), place, store), stdout=subprocess.DEVNULL) as server:
            try:
                _measure(store_url(place), keys, megabytes)
            finally:
                server.terminate()


def _measure(url: str, keys: int, megabytes: int) -> None:
    address = Address.parse(url)
    connection = _connected(address)
    settings = ValkeySettings(address=address, stream="events", retention=timedelta(0))
    layout = StateLayout(GROUP, {"id": "int64", "amount": "float64"})
    live = LiveSource(table=TABLE, groups=(LiveGroup(layout),))
    stream = ValkeyStream(settings, NAMES, LeaseTerms("bench"))
    updater = Updater([(live, stream)], UpdaterSettings(store=address, names=NAMES, replica="bench"))
    working = threading.Thread(target=updater.run, daemon=True)
    working.start()
    begun = time.perf_counter()
    done = 0.0
    for first in range(0, keys, PART):
        _send(connection, first, min(PART, keys - first))
        while first + PART - done > 2 * PART:  # what waits in the stream is bounded, as by a producer that is slowed
            time.sleep(0.02)
            done = _events(updater)
    while _events(updater) < keys:
        time.sleep(0.02)
    seconds = time.perf_counter() - begun
    info = connection.call(b"INFO", timeout=10.0)
    facts = (
        dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
        if isinstance(info, bytes)
        else {}
    )
    updater.stop()
    working.join()
    held = connection.call(b"DBSIZE", timeout=10.0)
    print(f"{keys:,} keys in {seconds:.0f} s: {keys / seconds:,.0f} events/s, cap {megabytes} MB")
    print(f"{held:,} names held, {int(facts['evicted_keys']):,} evicted, {facts['used_memory_peak_human']} at the peak")


def _connected(address: Address) -> Connection:
    for _ in range(500):
        try:
            return Connection(address, 5.0)
        except Exception:  # noqa: BLE001 - it has not begun to listen
            time.sleep(0.02)
    raise SystemExit("the store does not start")


def _send(connection: Connection, first: int, number: int) -> None:
    moment = datetime.now(UTC).isoformat().encode()
    events = [b'{"id":%d,"card":%d,"at":"%b","amount":1.5}' % (n, n, moment) for n in range(first, first + number)]
    entries = [b"[" + b",".join(events[at : at + ENTRY]) + b"]" for at in range(0, number, ENTRY)]
    replies = connection.exchange(
        encode_many([(b"XADD", b"events", b"*", b"e", one) for one in entries]), len(entries), 60.0
    )
    faults = [reply for reply in replies if isinstance(reply, Exception)]
    if faults:
        raise faults[0]


def _events(updater: Updater) -> float:
    return updater.metrics.registry.get_sample_value("mlsd_stream_events_total", {"source": "events"}) or 0.0


if __name__ == "__main__":
    main()
