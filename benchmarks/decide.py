"""`/decide` of a generated service beside a hand-written BentoML + Feast SDK + CatBoost service of the same model.

In one run, under one client, and ours at half of that rate by an open load.

    python benchmarks/decide.py [--system card-fraud | fraud-ulb] [--seconds 5] [--rounds 3]

Needs `wrk`. The peer is written as the three projects' guides show: `@bentoml.api`, `get_online_features` (Feast's
SQLite store, its faster local one), `predict_proba`; it neither explains nor scores novelty, ours does. fraud-ulb reads
no store: there the peer is BentoML and CatBoost. Live groups are states of some 50 events a key, which ours finishes at
each request; the peer reads their values as rows. The services take turns, so that the machine's other work falls on
both alike.
"""

import argparse
import asyncio
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
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import uvloop

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.overload import Load, shown
from mlsd_framework.runtime.features.client import client_of
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.state.layout import StateLayout
from tests.runtime.serving.generated_services import GeneratedService, build
from tests.runtime.serving.valkey_process import Valkey

Groups = dict[str, tuple[RowLayout, pl.DataFrame]]
States = dict[str, tuple[StateLayout, dict[bytes, bytes], pl.DataFrame]]
ROWS = 1_000
EVENTS = 50
STORE = "MLSD_STORE_URL"

PAYMENT = {
    "payment_id": 1,
    "ts": "2026-01-31T12:00:00Z",
    "card_id": 17,
    "terminal_id": 3,
    "device_id": 5,
    "amount": 42.5,
    "merchant_category": "grocery",
    "channel": "online",
}
ULB = {"payment_id": 1, "time": "2013-09-02T07:30:00Z", **{f"V{i}": i / 28 - 0.5 for i in range(1, 29)}, "amount": 42.5}
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "card-fraud": ("fraud.yaml", PAYMENT),
    "fraud-ulb": ("benchmarks/fraud_ulb.yaml", ULB),
}

# ruff: noqa: E501 - the peer's code is as long as it is
PEER = """
import math

import bentoml
from catboost import CatBoostClassifier
from datetime import datetime

NAMES = {names}
FETCHED = [name for name in NAMES if name.partition(".")[0] in {groups}]

@bentoml.service(workers=1)
class Peer:
    def __init__(self):
        if FETCHED:
            from feast import FeatureStore
            self.store = FeatureStore("{repo}")
        self.model = CatBoostClassifier()
        self.model.load_model("{model}")

    @bentoml.api
    def decide(self, {parameters}) -> dict:
        values = {{}}
        if FETCHED:
            read = self.store.get_online_features(
                features=[name.replace(".", ":") for name in FETCHED],
                entity_rows=[{{"card_id": card_id, "terminal_id": terminal_id, "device_id": device_id}}],
                full_feature_names=True,
            ).to_dict()
            values = {{name: read[name.replace(".", "__")][0] for name in FETCHED}}
        nan = float("nan")
        {computed}
        row = [nan if values[name] is None else values[name] for name in NAMES]
        score = float(self.model.predict_proba([row])[0, 1])
        risk = score * amount / (score * amount + (1 - score) * 5.0)
        return {{"action": "decline" if risk > 0.95 else "review" if risk > 0.3 else "approve", "score": score}}
"""

COMPUTED = {
    "card-fraud": """mean = values["card_activity.spend_mean_30d"]
        values["payment.amount"] = amount
        values["payment.night"] = int(ts.hour < 6)
        values["payment.amount_ratio"] = amount / mean if mean else nan
        values["payment.max_ratio"] = values["card_activity.spend_max_7d"] / mean if mean else nan
        values["payment.merchant_category"] = merchant_category
        values["payment.channel"] = channel""",
    "fraud-ulb": """values |= {"payment.amount": amount, "payment.hour": time.hour, "payment.log_amount": math.log(amount + 1)}
        values |= {f"payment.V{i}": v for i, v in enumerate([V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, V14,
                   V15, V16, V17, V18, V19, V20, V21, V22, V23, V24, V25, V26, V27, V28], 1)}""",
}
TYPES = {"ts": "datetime", "time": "datetime", "merchant_category": "str", "channel": "str", "amount": "float"}

DEFINITIONS = """
from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

"""
VIEW = """
{group}_entity = Entity(name="{group}", join_keys=["{key}"], value_type=ValueType.INT64)
{group} = FeatureView(name="{group}", entities=[{group}_entity], ttl=timedelta(days=3650), schema={schema},
                      source=FileSource(path="{rows}", timestamp_field="event_timestamp"))
"""

CONFIG = """
project: card_fraud
provider: local
registry: registry.db
online_store: {type: sqlite, path: online.db}
entity_key_serialization_version: 3
"""


FLOOR = """
import asyncio, sys, uvloop

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\n{}")

async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

uvloop.run(main())
"""


def frames(module: ModuleType) -> Groups:
    """Make a row of each feature group that the service fetches for each key."""
    rng = np.random.default_rng(1)
    found = {}
    for layout in (value for value in vars(module).values() if isinstance(value, RowLayout)):
        made = {c.name: rng.poisson(20, ROWS) if c.dtype == "int64" else rng.gamma(2, 40, ROWS) for c in layout.columns}
        found[layout.group] = (layout, pl.DataFrame({layout.entity[0]: range(ROWS), **made}))
    return found


def states(module: ModuleType) -> States:
    """Make the states of each live group that the service fetches, and the rows that they are worth at the payment."""
    rng = np.random.default_rng(2)
    asked = datetime.fromisoformat(str(PAYMENT["ts"]))
    found = {}
    for layout in (value for value in vars(module).values() if isinstance(value, StateLayout)):
        number = ROWS * EVENTS
        key = layout.entity[0]
        ages = rng.gamma(0.5, 86400 * 7, number)
        events = pl.DataFrame(
            {
                key: np.arange(number) % ROWS,
                layout.group.key[0]: np.arange(number),
                layout.group.event_time: [asked - timedelta(seconds=1 + age) for age in ages],
                "amount": rng.gamma(2, 40, number),
                **{name: rng.integers(0, 30, number) for name in ("terminal_id", "card_id") if name != key},
            }
        ).with_columns(pl.col(layout.group.event_time).cast(pl.Datetime("us", "UTC")))
        held = {one: layout.compact(block) for one, block in zip(*layout.blocks(events), strict=True)}
        at = round(asked.timestamp() * 1e6)
        rows = [(one, *layout.finish(held[encode_key((one,)) or b""], at)) for one in range(ROWS)]
        schema = [key, *(column.name for column in layout.columns)]
        frame = pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)
        found[layout.group.name] = (layout, held, frame)
    return found


def feast_repository(folder: Path, groups: Groups, live: States) -> None:
    """Apply and materialise a plain Feast repository with the same rows."""
    folder.mkdir()
    now = datetime.now(UTC)
    views = []
    rows = [(group, layout.entity, layout.columns, frame) for group, (layout, frame) in groups.items()]
    rows += [(group, layout.entity, layout.columns, frame) for group, (layout, _, frame) in live.items()]
    for group, entity, columns, frame in rows:
        path = folder / f"{group}.parquet"
        frame.with_columns(pl.lit(now - timedelta(hours=1)).alias("event_timestamp")).write_parquet(path)
        fields = [f"Field(name={c.name!r}, dtype={'Int64' if c.dtype == 'int64' else 'Float64'})" for c in columns]
        views.append(VIEW.format(group=group, key=entity[0], rows=path, schema=f"[{', '.join(fields)}]"))
    (folder / "definitions.py").write_text(DEFINITIONS + "".join(views))
    (folder / "feature_store.yaml").write_text(CONFIG)
    feast = [sys.executable, "-W", "ignore", "-c", "from feast.cli.cli import cli; cli()"]
    until = (now + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")
    for command in (["apply"], ["materialize-incremental", until]):
        subprocess.run([*feast, *command], cwd=folder, check=True, capture_output=True)


@contextlib.contextmanager
def online_store(folder: Path, module: ModuleType, groups: Groups, live: States) -> Iterator[dict[str, str]]:
    """Run a Valkey with the rows in it and yield the variable that says where; nothing for a system without groups."""
    if not groups:
        yield {}
        return
    with Valkey(folder) as running:
        layouts = [layout for layout, _ in groups.values()]
        names = {"system": module.APP.system, "features": module.FEATURES}
        store = OnlineStore.connect(running.url, **names, layouts=layouts, timeout=1.0)
        with publishing(store, datetime.now(UTC)) as generation:
            for group, (_, frame) in groups.items():
                generation.write(group, frame)
        store.close()
        kept, client = LiveNames(**names), client_of(Address.parse(running.url))
        for group, (_, held, _) in live.items():
            client.put([(kept.states(b"1", group) + key, state) for key, state in held.items()], 10.0)
        client.put([(kept.live, b"1")], 10.0)
        client.close()
        yield {STORE: running.url}


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


def wait(port: int, payment: dict[str, Any]) -> dict[str, Any]:
    """Wait until a payment is answered; return the answer."""
    body = json.dumps(payment).encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/decide", body, {"content-type": "application/json"})
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
        time.sleep(0.1)
    raise TimeoutError(port)


def load(
    folder: Path, port: int, payment: dict[str, Any], connections: int, seconds: float
) -> tuple[float, float, float]:
    """Return good answers a second, p50 and p99 in ms, as `wrk` sees them."""
    script = folder / "decide.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{json.dumps(payment)}'\nwrk.headers['Content-Type'] = 'application/json'\n"
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


def measure(folder: Path, ports: dict[str, int], payment: dict[str, Any], seconds: float, rounds: int) -> None:
    """Load both in turns and print medians and ratios."""
    for connections in (32, 1):
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ports}
        for _ in range(rounds):
            for name, port in ports.items():
                results[name].append(load(folder, port, payment, connections, seconds))
        middle = {name: [statistics.median(c) for c in zip(*found, strict=True)] for name, found in results.items()}
        print(f"{connections} connections, medians of {rounds} rounds of {seconds:g} s")
        for name, (rate, p50, p99) in middle.items():
            print(f"  {name:8} {rate:8.0f} requests/s   p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")
        ours, peer = middle["mlsd"], middle["peer"]
        print(f"  ratio    {ours[0] / peer[0]:8.1f} x              p50 {peer[1] / ours[1]:7.1f} x shorter")
        if connections > 1:
            uvloop.run(half_load(ports["mlsd"], payment, ours[0] / 2, seconds, folder))


async def half_load(port: int, payment: dict[str, Any], rate: float, seconds: float, folder: Path) -> None:
    """Ask at random moments, so many a second, whatever comes back; print what ours takes.

    Beside it what the machine itself takes: the same load on a process that answers at once with two bytes.
    """
    moments = np.sort(np.random.default_rng(0).uniform(0, seconds, int(rate * seconds)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        floor = int(free.getsockname()[1])
    with process([sys.executable, "-c", FLOOR, str(floor)], folder):
        await asyncio.sleep(1)
        for name, place in (("mlsd", port), ("an empty answer", floor)):
            load = Load(place, json.dumps(payment).encode())
            shown(f"{name} at {rate:.0f} requests/s", await load.run(moments, 32))


def main() -> None:
    """Build both from one model, run them side by side, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--system", choices=sorted(SYSTEMS), default="card-fraud")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("`wrk` is needed: apt-get install wrk")
    spec, payment = SYSTEMS[options.system]
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        ours = build(spec, folder / "generated", iterations=500)
        groups, live = frames(ours.module), states(ours.module)
        if groups:
            feast_repository(folder / "repo", groups, live)
        ports = {"mlsd": start_ours(folder, ours, groups, live, stack)}
        ports["peer"] = start_peer(folder, options.system, ours, [*groups, *live], stack)
        scores = {name: wait(port, payment)["score"] for name, port in ports.items()}
        print(f"{options.system}: one payment", ", ".join(f"{name} {score:.9f}" for name, score in scores.items()))
        assert abs(scores["mlsd"] - scores["peer"]) < 1e-6  # the same model, the same features
        measure(folder, ports, payment, options.seconds, options.rounds)


def start_ours(folder: Path, ours: GeneratedService, groups: Groups, live: States, stack: contextlib.ExitStack) -> int:
    """Start a worker of the generated service; return its port."""
    store = stack.enter_context(online_store(folder, ours.module, groups, live))
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
    worker = [sys.executable, "-m", "mlsd_framework.runtime.serving.worker", "--fd", str(listening.fileno())]
    worker += ["--service", str(ours.path), "--bundle", str(ours.bundle.folder)]
    stack.enter_context(process(worker, folder, (listening.fileno(),), PYTHONPATH=str(PROJECT), **store))
    return int(listening.getsockname()[1])


def start_peer(
    folder: Path, system: str, ours: GeneratedService, groups: list[str], stack: contextlib.ExitStack
) -> int:
    """Write and start the hand-written service; return its port."""
    parameters = ", ".join(
        f"{name}: {TYPES.get(name, type(value).__name__)}" for name, value in SYSTEMS[system][1].items()
    )
    text = PEER.format(
        names=ours.features,
        groups=groups,
        repo=folder / "repo",
        model=folder / "generated" / "model.cbm",
        parameters=parameters,
        computed=COMPUTED[system],
    )
    (folder / "peer.py").write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    peer = [sys.executable, "-m", "bentoml", "serve", "peer:Peer", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "bentoml")}
    stack.enter_context(process(peer, folder, **quiet))
    return port


if __name__ == "__main__":
    main()
