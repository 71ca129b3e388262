"""The updater as a process: its end, its exit codes, its metrics and its log."""

import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.stream.exposition import serve_metrics
from mlsd_framework.runtime.stream.metrics import StreamMetrics
from mlsd_framework.runtime.stream.updater import Updater, UpdaterSettings
from tests.runtime.stream.payments import live, payment
from tests.runtime.stream.pumping import NAMES, valkey_source
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.watching import add, read_up_to, wait_for

UPDATE = "import sys; from tests.runtime.stream.updating import update; sys.exit(update(sys.argv[1]))"


def test_metrics_and_stop(store: StoreProcess) -> None:
    """An updater shows its metrics on loopback while it runs, and gives its lease back when it stops."""
    add(store, [payment(n) for n in range(10)] + [b"{"])
    settings = UpdaterSettings(store=Address.parse(store.url), names=NAMES, replica="a", metrics=("127.0.0.1", 0))
    updater = Updater([(live(), valkey_source(store))], settings)
    found: list[str] = []

    def look(port: int) -> None:
        wait_for(lambda: read_up_to(store) == 11)
        address = f"http://127.0.0.1:{port}/metrics"
        wait_for(lambda: b'mlsd_stream_lag_payloads{partition="payments"' in urllib.request.urlopen(address).read())
        found.append(urllib.request.urlopen(address).read().decode())
        updater.stop()

    thread = threading.Thread(target=updater.run, args=(look,))
    thread.start()
    thread.join(30)
    (text,) = found
    for line in (
        'mlsd_stream_events_total{source="payments"} 10.0',
        'mlsd_stream_rejected_total{reason="json",source="payments"} 1.0',
        'mlsd_stream_dead_letters_total{source="payments"} 1.0',
        'mlsd_stream_freshness_seconds_count{source="payments"} 11.0',
        'mlsd_stream_store_waits_total{source="payments",why="full"} 0.0',
        "mlsd_stream_store_evicted_keys 0.0",
    ):
        assert line in text
    assert store.ask(b"EXISTS", b"shop:f1:lease:payments:payments") == 0


def test_a_port_that_is_taken() -> None:
    """A port on which the metrics cannot be shown is refused."""
    registry = StreamMetrics().registry
    with (
        serve_metrics(registry, ("127.0.0.1", 0)) as port,
        pytest.raises(RunError, match="E6608"),
        serve_metrics(registry, ("127.0.0.1", port)),
    ):
        pass


@pytest.mark.process
def test_a_refusal_ends_the_process(store: StoreProcess) -> None:
    """What waiting cannot mend ends the process with code 3 and says what it is."""
    store.ask(b"SET", b"shop:f1:position:payments:payments", b"what")
    done = subprocess.run(
        [sys.executable, "-c", UPDATE, store.url], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 3
    assert "error[E6606]: the position of partition `payments` cannot be read" in done.stderr


@pytest.mark.process
def test_it_says_once_that_it_waits(own_folder: Path) -> None:
    """A store that is away is told of once when it goes and once when it is back, as lines of JSON."""
    store = StoreProcess(own_folder)
    store.start()
    log = own_folder / "updater.log"
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", UPDATE, store.url], stderr=file)
    try:
        wait_for(lambda: b'"reading"' in log.read_bytes())
        store.kill()
        wait_for(lambda: b"store_waits" in log.read_bytes())
        threading.Event().wait(0.5)
        store.start()
        wait_for(lambda: b"store_resumes" in log.read_bytes())
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        store.kill()
    said = [json.loads(line) for line in log.read_text().splitlines()]
    waits = [line for line in said if line["event"] == "store_waits"]
    assert [line["why"] for line in waits] == ["down"]
    assert said[-1]["event"] == "stopped"
