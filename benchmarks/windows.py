"""Three aggregates over three windows of 1M events.

The window kernel beside polars rolling and DuckDB range frames, in one run.

Every event asks for the values just before itself, `[t - w, t)`. Prints medians and ratios, and how far each is from
the exact answer; then the kernel's speed on one thread, four windows of a count and a sum. With `--large N`, each way
also goes from a Parquet file of N events to one of their values, in a process of its own, and its peak of memory is
printed; of out of core, for several bounds.
"""

import argparse
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from mlsd_framework.runtime.features.offline import window_features
from mlsd_framework.runtime.features.out_of_core import write_window_features
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup

DAYS = (1, 7, 30)
GROUP = WindowGroup(
    "card",
    ("card",),
    "payments",
    "ts",
    tuple(timedelta(days=d) for d in DAYS),
    (Aggregate("n", "count"), Aggregate("spend", "sum", "amount"), Aggregate("mean", "mean", "amount")),
)
FOUR = WindowGroup(
    "card",
    ("card",),
    "payments",
    "ts",
    tuple(timedelta(hours=h) for h in (1, 24, 168, 720)),
    (Aggregate("n", "count"), Aggregate("spend", "sum", "amount")),
)
BOUNDS = (2048, 512, 128)


def payments(events: int, cards: int) -> pl.DataFrame:
    """Make a log in order of time, with distinct times."""
    rng = np.random.default_rng(7)
    ts = np.sort(rng.choice(90 * 86_400_000, events, replace=False)) * 1000
    return pl.DataFrame(
        {"card": rng.integers(0, cards, events), "ts": ts, "amount": np.round(rng.lognormal(3, 1, events), 2)}
    ).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))


def with_kernel(log: pl.DataFrame) -> pl.DataFrame:
    """The window kernel."""
    return window_features(log, log, GROUP)


def with_polars(log: pl.DataFrame) -> pl.DataFrame:
    """Polars as its documentation writes it: one `rolling` a window, grouped by key; its rows come sorted by key."""
    made = [
        log.rolling("ts", period=f"{d}d", closed="left", group_by="card").agg(
            pl.len().cast(pl.Int64).alias(f"n_{d}d"),
            pl.col("amount").sum().alias(f"spend_{d}d"),
            pl.col("amount").mean().alias(f"mean_{d}d"),
        )
        for d in DAYS
    ]
    return pl.concat([made[0], *(frame.drop("card", "ts") for frame in made[1:])], how="horizontal")


def with_polars_by(log: pl.DataFrame) -> pl.DataFrame:
    """Polars' `rolling_*_by` over keys, the faster of its two ways for sums and means."""
    made = []
    for d in DAYS:
        made += [
            pl.col("one").rolling_sum_by("ts", f"{d}d", closed="left").over("card").alias(f"n_{d}d"),
            pl.col("amount").rolling_sum_by("ts", f"{d}d", closed="left").over("card").alias(f"spend_{d}d"),
            pl.col("amount").rolling_mean_by("ts", f"{d}d", closed="left").over("card").alias(f"mean_{d}d"),
        ]
    return log.with_columns(one=1.0).select(made)


def with_duckdb(log: pl.DataFrame) -> pl.DataFrame:
    """DuckDB range frames; times are distinct, so one microsecond before the row is just before it."""
    frames = ", ".join(
        f"w{d} AS (PARTITION BY card ORDER BY t RANGE BETWEEN {d * 86_400_000_000} PRECEDING AND 1 PRECEDING)"
        for d in DAYS
    )
    columns = ", ".join(
        f"count(*) OVER w{d} AS n_{d}d, sum(amount) OVER w{d} AS spend_{d}d, avg(amount) OVER w{d} AS mean_{d}d"
        for d in DAYS
    )
    log = log.with_columns(t=pl.col("ts").to_physical())
    return duckdb.sql(f"SELECT card, ts, {columns} FROM log WINDOW {frames}").pl()  # noqa: S608 - numbers of ours


def go_through(way: str, source: Path, target: Path) -> None:
    """Go from a file to a file, and say how long that took and the most memory that the process had."""
    began = time.perf_counter()
    if way.startswith("out of core"):
        bound = int(way.rsplit(" ", 2)[1]) << 20
        write_window_features([source], pl.scan_parquet(source), GROUP, target, memory=bound)
    else:
        {
            "kernel": with_kernel,
            "polars rolling": with_polars,
            "polars rolling_*_by": with_polars_by,
            "duckdb range frames": with_duckdb,
        }[way](pl.read_parquet(source)).write_parquet(target, compression="zstd", compression_level=1)
    taken = time.perf_counter() - began
    print(taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def compare_large(events: int, cards: int) -> None:
    """Print time and memory of every way over a large file, each in a process of its own."""
    ways = ["kernel", *(f"out of core, {bound} MB" for bound in BOUNDS)]
    ways += ["polars rolling_*_by", "polars rolling", "duckdb range frames"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "log.parquet"
        payments(events, cards).write_parquet(source)
        first = 0.0
        print(f"\n{events:,} events from file to file")
        for way in ways:
            target = Path(folder) / f"{ways.index(way)}.parquet"
            command = [sys.executable, __file__, "--way", way, "--files", str(source), str(target)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{way:24} ended with {done.returncode}")
                continue
            seconds, peak = map(float, done.stdout.split())
            first = first or seconds
            print(f"{way:24} {seconds:7.2f} s   {seconds / first:5.2f}x the kernel   {peak:7.0f} MB at most")
        same = [pl.read_parquet(Path(folder) / f"{at}.parquet").equals(pl.read_parquet(Path(folder) / "0.parquet"))
                for at in range(1, 1 + len(BOUNDS))]  # fmt: skip
        print(f"out of core gives the kernel's values to the bit: {all(same)}")


def median_time(run: Callable[[], object], repeats: int) -> float:
    """Return the median of several runs, in seconds."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def furthest(log: pl.DataFrame, made: pl.DataFrame) -> float:
    """Return the largest relative error of the 30-day sums of some rows against `math.fsum`."""
    rng, worst = np.random.default_rng(1), 0.0
    for row in rng.integers(0, len(log), 200):
        card, ts = log["card"][int(row)], log["ts"][int(row)]
        exact = math.fsum(
            log.filter((pl.col("card") == card) & (pl.col("ts") < ts) & (pl.col("ts") >= ts - timedelta(days=30)))[
                "amount"
            ]
        )
        worst = max(worst, abs((made["spend_30d"][int(row)] or 0.0) - exact) / max(exact, 1e-9))
    return worst


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--cards", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--large", type=int, default=0, help="events of the comparison from file to file")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        go_through(asked.way, *asked.files)
        return
    log = payments(asked.events, asked.cards)
    made = with_kernel(log)  # compiles, where the cache is cold
    times = {
        "kernel": median_time(lambda: with_kernel(log), asked.repeats),
        "polars rolling": median_time(lambda: with_polars(log), asked.repeats),
        "polars rolling_*_by": median_time(lambda: with_polars_by(log), asked.repeats),
        "duckdb range frames": median_time(lambda: with_duckdb(log), max(asked.repeats // 2, 1)),
    }
    peer = with_duckdb(log).sort("ts")
    assert (peer["n_30d"] == made["n_30d"]).all()
    for name, seconds in times.items():
        print(f"{name:20} {seconds:7.3f} s   {seconds / times['kernel']:5.1f}x the kernel")
    window_features(log.head(1000), log.head(1000), FOUR)
    four = median_time(lambda: window_features(log, log, FOUR, threads=1), asked.repeats)
    print(f"four windows of a count and a sum, one thread: {len(log) / four / 1e6:.1f}M events/s")
    print(f"largest relative error of 30-day sums: kernel {furthest(log, made):.1e}, duckdb {furthest(log, peer):.1e}")
    if asked.large:
        compare_large(asked.large, asked.cards)


if __name__ == "__main__":
    main()
