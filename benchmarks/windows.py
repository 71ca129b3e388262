"""Three aggregates over three windows of 1M events: the window kernel beside polars rolling and DuckDB range frames, in one run.

Every event asks for the values just before itself, `[t - w, t)`. Prints medians and ratios, and how far each is from the exact answer.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import duckdb
import numpy as np
import polars as pl
from mlsd_framework.runtime.features.offline import window_features
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup

DAYS = (1, 7, 30)
GROUP = WindowGroup(
    "card", ("card",), "payments", "ts", tuple(timedelta(days=d) for d in DAYS), (Aggregate("n", "count"), Aggregate("spend", "sum", "amount"), Aggregate("mean", "mean", "amount"))
)


def payments(events: int, cards: int) -> pl.DataFrame:
    """Make a log in order of time, with distinct times."""
    rng = np.random.default_rng(7)
    ts = np.sort(rng.choice(90 * 86_400_000, events, replace=False)) * 1000
    return pl.DataFrame({"card": rng.integers(0, cards, events), "ts": ts, "amount": np.round(rng.lognormal(3, 1, events), 2)}).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))


def with_kernel(log: pl.DataFrame) -> pl.DataFrame:
    """The window kernel."""
    return window_features(log, log, GROUP)


def with_polars(log: pl.DataFrame) -> pl.DataFrame:
    """Polars as its documentation writes it: one `rolling` a window, grouped by key; its rows come sorted by key."""
    made = [
        log.rolling("ts", period=f"{d}d", closed="left", group_by="card").agg(
            pl.len().cast(pl.Int64).alias(f"n_{d}d"), pl.col("amount").sum().alias(f"spend_{d}d"), pl.col("amount").mean().alias(f"mean_{d}d")
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
    frames = ", ".join(f"w{d} AS (PARTITION BY card ORDER BY t RANGE BETWEEN {d * 86_400_000_000} PRECEDING AND 1 PRECEDING)" for d in DAYS)
    columns = ", ".join(f"count(*) OVER w{d} AS n_{d}d, sum(amount) OVER w{d} AS spend_{d}d, avg(amount) OVER w{d} AS mean_{d}d" for d in DAYS)
    log = log.with_columns(t=pl.col("ts").to_physical())  # noqa: F841 - DuckDB finds it by name
    return duckdb.sql(f"SELECT card, ts, {columns} FROM log WINDOW {frames}").pl()  # noqa: S608 - numbers of ours


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
        exact = math.fsum(log.filter((pl.col("card") == card) & (pl.col("ts") < ts) & (pl.col("ts") >= ts - timedelta(days=30)))["amount"])
        worst = max(worst, abs((made["spend_30d"][int(row)] or 0.0) - exact) / max(exact, 1e-9))
    return worst


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--cards", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
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
    print(f"largest relative error of 30-day sums: kernel {furthest(log, made):.1e}, duckdb {furthest(log, peer):.1e}")


if __name__ == "__main__":
    main()
