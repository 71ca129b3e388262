"""`specs/fraud.yaml`, smaller, as a live system: store, updater and service under `mlsd deploy`, events, an attack."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest

from mlsd_framework.runtime.data.simulate.live import LivePayments
from mlsd_framework.runtime.data.simulate.settings import CardSimulation
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.status import Status
from mlsd_framework.runtime.operations.store import store_url
from mlsd_framework.runtime.serving.worker import load_service
from mlsd_framework.runtime.workspace import Workspace

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("live-system")]

ROOT = Path(__file__).resolve().parents[2]
WORLD = {"profile": "extended", "customers": 200, "terminals": 300, "days": 80, "start": "2018-04-01", "seed": 7}
SMALLER = (
    ("customers: 5000, terminals: 10000, days: 183", "customers: 200, terminals: 300, days: 80"),
    ("iterations: 300", "iterations: 20"),
    ("trees: 100", "trees: 10"),
    ('gates: ["average_precision >= 0.5", "roc_auc >= 0.8"]', "gates: []"),
    ("bootstrap: 100", "bootstrap: 0"),
    ("local: {port: 3101, workers: 1}", "local: {port: 0, workers: 1, store_memory: 64MB}"),
)
CARDS = range(200)
SENT = 1500
DAYS = 8  # after which nothing has happened when the first events were sent


@dataclass(frozen=True)
class Live:
    """The running system."""

    root: Path

    @property
    def place(self) -> Workspace:
        """Its workspace."""
        return Workspace(self.root / ".mlsd" / "card-fraud")

    @property
    def status(self) -> Status:
        """How it is."""
        return client.status(self.place)

    def run(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin a command as a user does."""
        command = [sys.executable, "-m", "mlsd_framework.cli.main", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        return subprocess.Popen(
            command, cwd=self.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def told(self, *arguments: str) -> str:
        """Run a command that succeeds and return what it printed."""
        running = self.run(*arguments)
        output, errors = running.communicate(timeout=300)
        assert running.returncode == 0, output + errors
        return output

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the first updater."""
        connection = http.client.HTTPConnection(urlsplit(self.status.updaters[0].metrics).netloc, timeout=5)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def decide(self, **request: object) -> Any:
        """Ask for one decision; again where a busy machine took longer than the budget of a stage."""
        for _ in range(50):
            answer = self._decide(**request)
            if not answer["degraded"]:
                break
            time.sleep(0.05)
        return answer

    def _decide(self, **request: object) -> Any:
        asked: dict[str, object] = {"payment_id": 10**16, "device_id": None, "channel": "card_present"}
        asked |= {"amount": 4.0, "merchant_category": "grocery", **request}
        connection = http.client.HTTPConnection("127.0.0.1", self.status.port, timeout=10)
        try:
            connection.request("POST", "/decide", json.dumps(asked), {"content-type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def counts(self, at: datetime) -> dict[int, int]:
        """Return how many payments each card has in the 30 days before a moment, as the store's states say."""
        service = load_service(Path(str(self.status.deployment and self.status.deployment.service)))
        store = OnlineStore.connect(
            store_url(self.place),
            system="card-fraud",
            features=service.FEATURES,
            layouts=(),
            live=(service.CARD_ACTIVITY,),
        )
        asked = [("card_activity", (card,)) for card in CARDS]
        rows = store.read(asked, 10.0, at=round(at.timestamp() * 1e6))
        store.close()
        return {
            card: row[service.CardActivity._fields.index("payments_30d")]
            for (_, (card,)), row in zip(asked, rows, strict=True)
        }


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The smaller system, deployed."""
    root = tmp_path_factory.mktemp("live")
    text = (ROOT / "specs" / "fraud.yaml").read_text()
    for old, new in SMALLER:
        assert old in text
        text = text.replace(old, new)
    (root / "specs").mkdir()
    (root / "specs" / "fraud.yaml").write_text(text)
    found = Live(root)
    try:
        begun = time.monotonic()
        said = found.told("deploy", "specs/fraud.yaml", "--yes")
        print(f"deployed in {time.monotonic() - begun:.1f} s\n{said}")
        yield found
    finally:
        client.stop(found.place)


def eventually(holds: Callable[[], object], seconds: float = 90.0) -> None:
    """Wait until `holds` is true."""
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, "it never came true"
        time.sleep(0.05)


def world(sent: int = SENT, skipped: int = 0) -> pl.DataFrame:
    """Return the payments that a live simulation sends first, drawn here once more."""
    days = LivePayments(CardSimulation(**WORLD), skipped=skipped).days()  # type: ignore[arg-type]
    return pl.concat(islice(days, 10)).head(sent)


def oracle(live: Live, events: pl.DataFrame, at: datetime) -> dict[int, int]:
    """Count each card's payments of 30 days in the log and in what was sent, each once."""
    log = next((live.place.root / "data").glob("cards-*/payments.parquet"))
    columns = ["payment_id", "ts", "card_id"]
    every = pl.concat([pl.read_parquet(log, columns=columns), events.select(columns)]).unique("payment_id")
    inside = every.filter(pl.col("ts") < at, pl.col("ts") >= at - timedelta(days=30))
    found = dict(inside.group_by("card_id").len().iter_rows())
    return {card: found.get(card, 0) for card in CARDS}


def test_a_deployed_system_is_live(live: Live) -> None:
    """Store, updater and worker run; the states that the log gave are what the log says; the status tells it all."""
    status = live.status
    assert (status.state, len(status.updaters), len(status.workers)) == ("ready", 1, 1)
    assert status.store
    at = world()["ts"][0]
    assert live.counts(at) == oracle(live, world(sent=0), at)
    said = live.told("status", "specs/fraud.yaml")
    assert f"updater 0 ready, pid {status.updaters[0].process.pid}" in said  # type: ignore[union-attr]
    assert live.metrics()["mlsd_stream_freshness_required_seconds"] == 5.0


def test_a_live_stream_survives_a_killed_updater(live: Live) -> None:
    """While payments flow the updater is killed: nothing is lost, and nothing counts twice."""
    sending = live.run("data", "simulate", "specs/fraud.yaml", "--live", "--rate", "500/s", "--for", "3s")
    victim = live.status.updaters[0].process
    assert victim
    eventually(lambda: live.metrics()['mlsd_stream_events_total{source="payments"}'] > 100)
    os.kill(victim.pid, signal.SIGKILL)
    output, errors = sending.communicate(timeout=60)
    assert sending.returncode == 0, errors
    assert f"{SENT:,} payments sent" in output
    events = world()
    at = events["ts"][-1] + timedelta(seconds=1)
    eventually(lambda: live.counts(at) == oracle(live, events, at))
    back = live.status
    assert (back.state, back.updaters[0].restarts, back.updaters[0].last_exit) == ("ready", 1, "SIGKILL")
    found = live.metrics()
    name = 'mlsd_stream_freshness_seconds_{}{{source="payments"}}'
    mean = found[name.format("sum")] / max(found[name.format("count")], 1)
    stale = found['mlsd_stream_stale_total{source="payments"}']
    print(f"freshness after the kill: {mean * 1000:.0f} ms in the mean, {stale:.0f} events later than 5 s")


def test_a_velocity_attack_changes_the_decisions_of_its_card(live: Live) -> None:
    """Approved before, declined by the rule during the attack; another card is decided as before."""
    moment = world(skipped=DAYS)["ts"][0]
    ts = (moment + timedelta(seconds=301)).isoformat()

    def action(card: int, terminal: int) -> str:
        return str(live.decide(ts=ts, card_id=card, terminal_id=terminal)["action"])

    quiet = next(
        (card, terminal) for terminal in range(50) for card in (17, 18, 19) if action(card, terminal) == "approve"
    )
    card, terminal = quiet
    before = live.decide(ts=ts, card_id=card, terminal_id=terminal)
    other = live.decide(ts=ts, card_id=card + 10, terminal_id=terminal)
    assert before["degraded"] == []
    said = live.told(
        "data", "simulate", "specs/fraud.yaml", "--live", "--rate", "500/s", "--for", "500ms",
        "--after", f"{DAYS}d", "--attack", f"card={card}", "--url", live.status.url,
    )  # fmt: skip
    assert f"40 of them are the attack on card {card}" in said
    eventually(lambda: action(card, terminal) != "approve")
    after = live.decide(ts=ts, card_id=card, terminal_id=terminal)
    assert after["action"] == "decline"
    assert "card_velocity" in [reason["name"] for reason in after["reasons"]]
    again = live.decide(ts=ts, card_id=card + 10, terminal_id=terminal)
    assert (again["action"], again["score"]) == (other["action"], other["score"])
    print(f"card {card}: {before['action']} at {before['score']:.3f}, then {after['action']} at {after['score']:.3f}")


def test_an_event_becomes_readable_soon(live: Live) -> None:
    """From a POST to the store's new value; how long that takes is printed, not judged."""
    last = world(skipped=DAYS + 2)["ts"][0]
    at = last + timedelta(days=1)
    times: list[float] = []
    for number in range(20):
        before = live.counts(at)[5]
        event = {
            "payment_id": 10**17 + number, "ts": last.isoformat(), "card_id": 5, "terminal_id": 1, "device_id": None,
            "amount": 1.0, "merchant_category": "grocery", "channel": "online",
        }  # fmt: skip
        connection = http.client.HTTPConnection("127.0.0.1", live.status.port, timeout=10)
        begun = time.perf_counter()
        connection.request("POST", "/events/payments", json.dumps(event), {"content-type": "application/json"})
        assert connection.getresponse().status == 202
        connection.close()
        eventually(lambda before=before: live.counts(at)[5] == before + 1)
        times.append(time.perf_counter() - begun)
    print(f"from an event to its readable value: {sorted(times)[10] * 1000:.0f} ms in the middle")
