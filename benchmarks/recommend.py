"""`/recommend` of the generated service beside the same pipeline written by hand with BentoML, valkey-py and CatBoost.

    python benchmarks/recommend.py [--seconds 5] [--rounds 3] [--users 1000] [--quick]

The system is `measured/recommend.yaml` over a made grocer: 20,000 items, histories of some 300 purchases, five sources
merged into 500 candidates, a CatBoost ranker of 30 features and 300 trees, MMR over the factors of ALS. The models are
fitted on its log, rows and live states lie in a Valkey that both read, each service has two workers. `wrk` asks for
other users each time, the services take turns; ours is then asked at half of its rate by an open load, and says itself
how long its stages took. The fetch of 500 candidates is timed in this process beside valkey-py's MGET of the same rows
as JSON, decoded. Without `wrk`, and with `--quick`, the open load alone is used.
"""

import argparse
import contextlib
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import uvloop
import valkey

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.decide import process
from benchmarks.measured import made_shop
from benchmarks.overload import Load, shown
from mlsd_framework.codegen.artefacts import write
from mlsd_framework.ir.system import System
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.features.client import client_of
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.features.row_reads import read_columns
from mlsd_framework.runtime.operations.workers import ONE_THREAD
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.serving.bundle import write_bundle
from mlsd_framework.runtime.serving.worker import load_service
from mlsd_framework.targets import artefacts
from tests.runtime.serving.valkey_process import Valkey

PATH = "/recommend"
WORKERS = 2
CANDIDATES = 500
STAGE = re.compile(r'mlsd_stage_seconds_(sum|count)\{.*stage="([^"]+)".*\} (\S+)')


def generated(folder: Path) -> tuple[System, ModuleType, Path]:
    """Compile the spec into `folder`; return the system, its service's module and file."""
    compiled = compile_spec(PROJECT / "benchmarks" / "measured" / "recommend.yaml")
    write(folder, {one.path: one.text for one in artefacts(compiled.system, compiled.registry)})
    path = folder / "service" / "service.py"
    return compiled.system, load_service(path), path


def fill(url: str, module: ModuleType, log: Interactions, size: made_shop.Size) -> OnlineStore:
    """Write rows and live states as the system does, and what the peer reads beside them; return the store."""
    names = {"system": module.APP.system, "features": module.FEATURES}
    layouts, live = (module.TREND, module.PRODUCT), (module.TASTE, module.ACTIVITY)
    store = OnlineStore.connect(url, **names, layouts=layouts, live=live, timeout=5.0)
    frames = made_shop.rows_of_items(size)
    with publishing(store, datetime.now(UTC)) as generation:
        for group, frame in frames.items():
            generation.write(group, frame)
    events = made_shop.purchases(log)
    kept, client = LiveNames(**names), client_of(Address.parse(url))
    states = {}
    for layout in live:
        held = {key: layout.compact(block) for key, block in zip(*layout.blocks(events), strict=True)}
        states[layout.group.name] = held
        client.put([(kept.states(b"1", layout.group.name) + key, state) for key, state in held.items()], 10.0)
    client.put([(kept.live, b"1")], 10.0)
    client.close()
    at = round(made_shop.after(log).timestamp() * 1e6)
    plain: dict[str, str] = {}
    for key, *values in frames["trend"].join(frames["product"], on="product_id").iter_rows():
        columns = [f"{layout.group}.{one.name}" for layout in layouts for one in layout.columns]
        plain[f"item:{key}"] = json.dumps(dict(zip(columns, values, strict=True)))
    for user in range(log.user_count):
        key = encode_key((user,)) or b""
        items, times = module.TASTE.finish(states["taste"].get(key), at)
        values = module.ACTIVITY.finish(states["activity"].get(key), at)
        activity = {f"activity.{one.name}": value for one, value in zip(module.ACTIVITY.columns, values, strict=True)}
        plain[f"user:{user}"] = json.dumps({"items": items, "times": times, "activity": activity})
    with contextlib.closing(valkey.Valkey(unix_socket_path=Address.parse(url).path)) as raw:
        raw.mset(plain)
    return store


def start_ours(folder: Path, path: Path, bundle: Path, url: str, stack: contextlib.ExitStack) -> int:
    """Start the workers of the generated service on one socket; return its port."""
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
    (folder / "metrics").mkdir()
    command = [sys.executable, "-m", "mlsd_framework.runtime.serving.worker", "--fd", str(listening.fileno())]
    command += ["--service", str(path), "--bundle", str(bundle), "--metrics-dir", str(folder / "metrics")]
    env = {**ONE_THREAD, "PYTHONPATH": str(PROJECT), "MLSD_STORE_URL": url}
    for worker in range(WORKERS):
        stack.enter_context(process([*command, "--worker", str(worker)], folder, (listening.fileno(),), **env))
    return int(listening.getsockname()[1])


def start_peer(folder: Path, system: System, stack: contextlib.ExitStack) -> int:
    """Start the hand-written service in the folder that has the models; return its port."""
    shutil.copy(Path(made_shop.__file__).with_name("hand_written_recommender.py"), folder / "peer.py")
    (folder / "features.json").write_text(json.dumps(made_shop.ranker_features(system)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "bentoml", "serve", "peer:Peer", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "bentoml")}
    stack.enter_context(process(command, folder, (), **quiet))
    return port


def answer(port: int, body: bytes) -> dict[str, Any]:
    """Ask until the service answers; return the answer."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", body, {"content-type": "application/json"})
    for _ in range(300):
        with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=20) as found:
            made: dict[str, Any] = json.load(found)
            return made
        time.sleep(0.2)
    raise TimeoutError(port)


def wrk(folder: Path, port: int, bodies: list[bytes], connections: int, seconds: float) -> tuple[float, float, float]:
    """Return good answers a second, p50 and p99 in ms."""
    listed = ",".join(f"'{body.decode()}'" for body in bodies)
    (folder / "ask.lua").write_text(
        f"local bodies, at = {{{listed}}}, 0\n"
        "local headers = {['Content-Type'] = 'application/json'}\n"
        f"function request() at = at % #bodies + 1; return wrk.format('POST', '{PATH}', headers, bodies[at]) end\n"
        "function done(s, l, r) io.write(string.format('\\nRESULT %f %f %f\\n', "
        "(s.requests - s.errors.status) / s.duration * 1e6, l:percentile(50) / 1e3, l:percentile(99) / 1e3)) end\n"
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s", "-s", str(folder / "ask.lua")]
    text = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\S+) (\S+) (\S+)", text)
    assert found, text
    return float(found[1]), float(found[2]), float(found[3])


def measure(folder: Path, ports: dict[str, int], bodies: list[bytes], seconds: float, rounds: int) -> float:
    """Load both in turns, print medians and ratios; return ours in requests a second."""
    ours = 0.0
    for connections in (8, 4, 1):
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ports}
        for _ in range(rounds):
            for name, port in ports.items():
                results[name].append(wrk(folder, port, bodies, connections, seconds))
        middle = {name: [statistics.median(c) for c in zip(*found, strict=True)] for name, found in results.items()}
        print(f"{connections} connections, medians of {rounds} rounds of {seconds:g} s")
        for name, (rate, p50, p99) in middle.items():
            print(f"  {name:8} {rate:8.1f} requests/s   p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")
        mine, peer = middle["mlsd"], middle["peer"]
        print(f"  ratio    {mine[0] / peer[0]:8.1f} x              p50 {peer[1] / mine[1]:7.1f} x shorter")
        ours = max(ours, mine[0])
    return ours


async def half_load(port: int, bodies: list[bytes], rate: float, seconds: float) -> None:
    """Ask at random moments, so many a second, whatever comes back; print what ours takes."""
    moments = np.sort(np.random.default_rng(0).uniform(0, seconds, max(1, int(rate * seconds))))
    load = Load(port, *bodies, path=PATH.encode())
    shown(f"mlsd at {rate:.0f} requests/s", await load.run(moments, 16))


def stages(port: int) -> dict[str, list[float]]:
    """Return the seconds and the number of each stage so far, all workers together."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as found:
        text = found.read().decode()
    taken: dict[str, list[float]] = {}
    for kind, stage, value in STAGE.findall(text):
        taken.setdefault(stage, [0.0, 0.0])[kind == "count"] += float(value)
    return taken


def show_stages(before: dict[str, list[float]], after: dict[str, list[float]]) -> None:
    """Print the mean time of each stage between two moments."""
    for stage, (seconds, number) in after.items():
        begun = before.get(stage, [0.0, 0.0])
        if number > begun[1]:
            print(f"  {stage:20} {(seconds - begun[0]) / (number - begun[1]) * 1e3:7.2f} ms")


def fetches(store: OnlineStore, url: str, size: made_shop.Size, rounds: int) -> None:
    """Print what it takes to fetch the features of 500 candidates, ours and with valkey-py and JSON in turns."""
    draw = np.random.default_rng(4)
    number = min(CANDIDATES, size.items)
    taken: dict[str, list[float]] = {"ours": [], "peer": []}
    with contextlib.closing(valkey.Valkey(unix_socket_path=Address.parse(url).path)) as raw:
        for _ in range(rounds):
            keys: Any = list(map(made_shop.key_of, draw.choice(size.items, number, replace=False).tolist()))
            begun = time.perf_counter()
            read_columns(store, (("trend", (keys,)), ("product", (keys,))), number)
            middle = time.perf_counter()
            rows: Any = raw.mget([f"item:{key}" for key in keys])
            assert all(json.loads(row) for row in rows)
            taken["ours"].append(middle - begun)
            taken["peer"].append(time.perf_counter() - middle)
    ours, peer = (statistics.median(times) * 1e3 for times in taken.values())
    print(f"fetch of {number} candidates: ours {ours:.2f} ms, valkey-py and JSON {peer:.2f} ms, {peer / ours:.1f} x")


def main() -> None:
    """Build, fit, fill, start both, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="a small grocer, no peer")
    told = parser.parse_args()
    quick = told.quick or not shutil.which("wrk")
    size = made_shop.Size(1_000, 20, 50, 200, 20) if told.quick else made_shop.Size(20_000, told.users, 300, 3_000, 300)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        system, module, path = generated(folder / "generated")
        log = made_shop.drawn(size)
        files = made_shop.bundled(folder, log, size, system)
        application = module.APP
        versions = {"system": application.system, "spec": application.spec, "features": application.features}
        bundle = write_bundle(folder / "versions", files=files, **versions)
        url = stack.enter_context(Valkey(folder)).url
        store = fill(url, module, log, size)
        at = made_shop.after(log).strftime("%Y-%m-%dT%H:%M:%SZ")
        asked = [{"household_id": user, "at": at, "k": 20} for user in range(size.users)]
        bodies = [json.dumps(one).encode() for one in asked]
        ports = {"mlsd": start_ours(folder, path, bundle.folder, url, stack)}
        if not quick:
            ports["peer"] = start_peer(folder, system, stack)
        answers = {name: answer(port, bodies[0]) for name, port in ports.items()}
        print("one request:", ", ".join(f"{name} {len(found['items'])} items" for name, found in answers.items()))
        rate = 10.0 if quick else measure(folder, ports, bodies, told.seconds, told.rounds) / 2
        before = stages(ports["mlsd"])
        uvloop.run(half_load(ports["mlsd"], bodies, rate, 1.0 if told.quick else told.seconds))
        show_stages(before, stages(ports["mlsd"]))
        fetches(store, url, size, 20 if told.quick else 300)
        store.close()


if __name__ == "__main__":
    main()
