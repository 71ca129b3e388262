"""Sources larger than memory: the rows, their order, the report and the refusals are those of a source in memory."""

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data import scan
from mlsd_framework.runtime.data.check import Loaded, load_source
from mlsd_framework.runtime.data.scan import scan_source
from mlsd_framework.runtime.data.schema import Checks, Column, SourceTable
from mlsd_framework.runtime.features import spill

TABLE = SourceTable(
    name="payments",
    paths=("log-*.parquet",),
    columns=(
        Column(name="id", type="int64"),
        Column(name="part", type="string"),
        Column(name="amount", type="float64", minimum=0, maximum=100, unit="EUR"),
        Column(name="country", type="category", categories=("DE", "FR")),
        Column(name="tags", type="list<int64>", nullable=True),
        Column(name="ts", type="timestamp", nullable=True, time_format="seconds"),
    ),
    key=("id", "part"),
    event_time="ts",
)
ROW = st.tuples(
    st.none() | st.integers(0, 6),
    st.none() | st.sampled_from("ab"),
    st.sampled_from(["1.5", "0", "101", "lots", "nan"]) | st.none(),
    st.none() | st.sampled_from(["DE", "FR", "XX"]),
    st.none() | st.lists(st.integers(0, 3), max_size=2),
    st.none() | st.sampled_from(["1", "2", "3", "4", "soon"]),
)
FILES = st.lists(st.lists(ROW, max_size=14), min_size=1, max_size=3)
ACTION = st.sampled_from(["drop", "warn", "drop", "warn", "error", "ignore"])
CHECKS = st.builds(
    Checks,
    types=ACTION, nulls=ACTION, ranges=ACTION, categories=ACTION, duplicates=ACTION, order=ACTION,
    max_faults=st.sampled_from([0.1, 0.5, 1.0, 1.0, 1.0]),
)  # fmt: skip
SCHEMA = {
    "id": pl.Int64, "part": pl.String, "amount": pl.String, "country": pl.String, "tags": pl.List(pl.Int64),
    "ts": pl.String,
}  # fmt: skip


@pytest.fixture(autouse=True)
def few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read and write in many batches."""
    monkeypatch.setattr(spill, "BATCH", 4)
    monkeypatch.setattr(scan, "_EVERY", 2)


def write(folder: Path, files: list[list[tuple[Any, ...]]]) -> None:
    """Write the files of the log."""
    for at, rows in enumerate(files):
        pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(folder / f"log-{at}.parquet")


def outcome(load: Any) -> object:
    """Return the rows and the report, or what was refused."""
    try:
        found = load()
    except RunError as error:
        return [str(one) for one in error.diagnostics]
    rows = found.frame if isinstance(found, Loaded) else found.rows.collect()
    return rows.to_dict(as_series=False), rows.schema, found.report


@settings(max_examples=100, deadline=None)
@given(
    files=FILES,
    checks=CHECKS,
    memory=st.sampled_from([1, 1000, 1000, 1000]),
    row_number=st.sampled_from([None, "line"]),
    key=st.sampled_from([("id", "part"), ("id",), ()]),
)
def test_all_is_as_in_memory(
    files: list[list[tuple[Any, ...]]], checks: Checks, memory: int, row_number: str | None, key: tuple[str, ...]
) -> None:
    """Whatever the faults and the actions: the same rows in the same order, the same report, the same refusal."""
    table = dataclasses.replace(TABLE, checks=checks, row_number=row_number, key=key)
    with TemporaryDirectory() as name:
        root = Path(name)
        write(root, files)
        small = outcome(lambda: scan_source(table, root, root / "checked", memory=memory))
        assert small == outcome(lambda: load_source(table, root))
        left = [path.name for path in (root / "checked").glob("*")]
        assert left in ([], ["payments.parquet"])


def test_an_ordinary_log_is_written_once_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without faults the rows are written as they are read; what `MLSD_MEMORY` allows is not written at all."""
    monkeypatch.setattr(scan, "_without", None)
    write(tmp_path, [[(n, "a", "1.5", "DE", [n], str(n)) for n in range(30)]])
    expected = load_source(TABLE, tmp_path)
    monkeypatch.setenv("MLSD_MEMORY", "2000")
    found = scan_source(TABLE, tmp_path, tmp_path / "checked")
    assert found.report == expected.report
    assert found.rows.collect().equals(expected.frame)
    assert [path.name for path in (tmp_path / "checked").iterdir()] == ["payments.parquet"]
    monkeypatch.setenv("MLSD_MEMORY", "2000000")
    assert scan_source(TABLE, tmp_path, tmp_path / "none").rows.collect().equals(expected.frame)
    assert not (tmp_path / "none").exists()


def test_csv_is_read_into_memory(tmp_path: Path) -> None:
    """However little memory is allowed, a source with a CSV file is read as it always was."""
    table = SourceTable(name="t", paths=("a.csv",), columns=(Column(name="id", type="int64"),))
    (tmp_path / "a.csv").write_text("id\n1\n2\n")
    found = scan_source(table, tmp_path, tmp_path / "none", memory=1)
    assert found.rows.collect()["id"].to_list() == [1, 2]
    assert not (tmp_path / "none").exists()


def test_partitions_of_folders_and_damage(tmp_path: Path) -> None:
    """Columns that folders name are there; a damaged file is named as it is in memory."""
    columns = (Column(name="id", type="int64"), Column(name="day", type="date"))
    table = SourceTable(name="t", paths=("log",), columns=columns, key=("id",))
    for day in (1, 2):
        folder = tmp_path / "log" / f"day=2026-01-0{day}"
        folder.mkdir(parents=True)
        pl.DataFrame({"id": range(10 * day, 10 * day + 10)}).write_parquet(folder / "a.parquet")
    found = scan_source(table, tmp_path, tmp_path / "checked", memory=1)
    assert found.rows.collect().equals(load_source(table, tmp_path).frame)
    (tmp_path / "log" / "day=2026-01-02" / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(RunError, match="E6114"):
        scan_source(table, tmp_path, tmp_path / "checked", memory=1)


@pytest.mark.parametrize("said", ["4GB", "0", "-1", ""])
def test_a_setting_that_is_no_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """E6208 says what `MLSD_MEMORY` is."""
    monkeypatch.setenv("MLSD_MEMORY", said)
    with pytest.raises(RunError, match=f"E6208: `MLSD_MEMORY` is `{said}`"):
        scan_source(TABLE, tmp_path, tmp_path)
