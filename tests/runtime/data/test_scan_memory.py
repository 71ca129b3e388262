"""What reading a large source takes: its peak in a process of its own, over the disk and in memory."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[3]
ROWS = 2_000_000
SCRIPT = """
import sys
from pathlib import Path

from mlsd_framework.runtime.data.scan import scan_source
from mlsd_framework.runtime.data.schema import Checks, Column, SourceTable

names = [f"x{at}" for at in range(8)]
table = SourceTable(
    name="log",
    paths=("log.parquet",),
    columns=(
        Column(name="id", type="int64"),
        Column(name="ts", type="timestamp"),
        *(Column(name=name, type="float64") for name in names),
    ),
    key=("id",),
    event_time="ts",
    checks=Checks(duplicates="drop"),
)


def most():
    # Not `ru_maxrss`: that begins with what the process that started this one had.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


before = most()
found = scan_source(table, Path(sys.argv[1]), Path(sys.argv[1]) / "checked")
print(most() - before)
assert [fault.count for fault in found.report.faults if fault.check == "duplicates"] == [199]
"""


def peak(folder: Path, memory: int) -> int:
    """Return how many kilobytes reading the log takes where this much memory is allowed."""
    variables = {"MLSD_MEMORY": str(memory), "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "2"}
    words = [sys.executable, "-c", SCRIPT, str(folder)]
    found = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    assert found.returncode == 0, found.stderr
    return int(found.stdout)


def test_the_peak_is_not_that_of_the_log(tmp_path: Path) -> None:
    """A log out of order, with repeated keys, takes less than half of what it takes in memory."""
    number = pl.int_range(ROWS)
    ids = pl.when(number % 10_000 == 7).then(7).otherwise(number)
    ts = (number * 7_919 % ROWS * 1_000_000).cast(pl.Datetime("us", "UTC"))
    values = {f"x{at}": ((number * (at + 3)) % 9_973) / 7 for at in range(8)}
    pl.select(id=ids, ts=ts, **values).write_parquet(tmp_path / "log.parquet", row_group_size=100_000)
    assert peak(tmp_path, 30_000_000) < peak(tmp_path, 30_000_000_000) / 2
