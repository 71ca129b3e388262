"""Simulating card payments: time for more than a million, beside drawing the same number of random columns in numpy.

    python benchmarks/simulate.py [--runs 3] [--quick]

The peer draws as many times, amounts and terminals as numpy can at once and sorts them: what any simulation of these
columns takes at least, and no process at all.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from mlsd_framework.runtime.data.simulate import CardSimulation, simulate_cards, write_simulation

BAR = 20.0


def floor(rows: int) -> float:
    """Return the seconds that numpy needs to draw and sort as many rows."""
    start = time.perf_counter()
    rng = np.random.default_rng(0)
    order = np.argsort(rng.integers(0, 183 * 86_400_000_000, rows), kind="stable")
    for column in (rng.normal(50, 25, rows), rng.integers(0, 10_000, rows), rng.integers(0, 5_000, rows)):
        _ = column[order]
    return time.perf_counter() - start


def main() -> None:
    """Measure both profiles, from nothing to Parquet files."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--quick", action="store_true", help="a small world, once")
    told = arguments.parse_args()
    runs = 1 if told.quick else told.runs
    for profile in ("handbook", "extended"):
        simulated, written, least = [], [], []
        rows = 0
        for seed in range(runs):
            days = 10 if told.quick else 183
            start = time.perf_counter()
            found = simulate_cards(CardSimulation(profile=profile, seed=seed, days=days))  # type: ignore[arg-type]
            simulated.append(time.perf_counter() - start)
            with tempfile.TemporaryDirectory() as folder:
                write_simulation(found, Path(folder))
                written.append(time.perf_counter() - start)
            rows = found.payments.height
            least.append(floor(rows))
        median, whole = statistics.median(simulated), statistics.median(written)
        print(
            f"{profile:10} {rows:>10,} payments: simulated in {median:.2f} s, in files after {whole:.2f} s"
            f" (bar {BAR:.0f} s), {rows / whole / 1e6:.2f} M payments/s,"
            f" {whole / statistics.median(least):.1f} x numpy's draw and sort"
        )


if __name__ == "__main__":
    main()
