"""Reading and checking the ULB data (284,807 rows, 31 columns, CSV): ours beside pandas, in turns.

    python benchmarks/data.py [--runs 5] [--quick]

Ours reads, takes every column to its declared type, and checks types, nulls, ranges and duplicate keys, as
`training/dataset.py` does. pandas reads; then it reads and makes the same checks by hand.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from measured.project import build

from mlsd_framework.runtime.data.check import load_source
from mlsd_framework.runtime.data.schema import Column, SourceTable

if TYPE_CHECKING:
    from collections.abc import Callable


def table(paths: tuple[str, ...]) -> SourceTable:
    """Declare the file as the spec does."""
    time_column = Column(
        name="time", type="timestamp", column="Time", time_format="seconds", origin="2013-09-01T00:00:00+00:00"
    )
    components = tuple(Column(name=f"V{number}", type="float64") for number in range(1, 29))
    amount = Column(name="amount", type="float64", unit="EUR", minimum=0.0, column="Amount")
    columns = (time_column, *components, amount, Column(name="is_fraud", type="bool", column="Class"))
    return SourceTable(
        name="payments", paths=paths, columns=columns, key=("payment_id",), event_time="time", row_number="payment_id"
    )


def checked_by_hand(path: Path) -> None:
    """Read with pandas and look for what our checks look for."""
    frame = pd.read_csv(path)
    frame["payment_id"] = range(len(frame))
    frame["time"] = pd.Timestamp("2013-09-01", tz="UTC") + pd.to_timedelta(frame["Time"], unit="s")
    assert not frame.isna().to_numpy().any()
    assert (frame["Amount"] >= 0).all()
    assert frame["Class"].isin([0, 1]).all()
    assert not frame["payment_id"].duplicated().any()


def main() -> None:
    """Print medians and ratios."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--quick", action="store_true", help="one run over the first 5,000 rows")
    told = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = next(iter((build("benchmarks/fraud_ulb.yaml", Path(folder)).workspace.data / "payments").glob("*.csv")))
        if told.quick:
            with path.open() as whole:
                lines = [next(whole) for _ in range(5_001)]
            path = Path(folder) / "first.csv"
            path.write_text("".join(lines))
        source = table((str(path),))
        ways: dict[str, Callable[[], object]] = {
            "ours, read and checked": lambda: load_source(source, Path(folder)),
            "pandas, read": lambda: pd.read_csv(path),
            "pandas, read and checked by hand": lambda: checked_by_hand(path),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(1 if told.quick else told.runs):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - start)
    ours = statistics.median(times["ours, read and checked"])
    for name, found in times.items():
        median = statistics.median(found)
        print(f"{name:34} least {min(found):.3f} s  median {median:.3f} s  {median / ours:.2f} x ours")


if __name__ == "__main__":
    main()
