"""Checking sources: each check against a plain loop, and what each action does."""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.check import check_source, enforce, load_source
from mlsd_framework.runtime.data.schema import Checks, Column, SourceTable

START = datetime(2024, 1, 1, tzinfo=UTC)
COLUMNS = (
    Column(name="id", type="int64"),
    Column(name="amount", type="float64", minimum=0, maximum=100, unit="EUR"),
    Column(name="country", type="category", categories=("DE", "FR")),
    Column(name="ts", type="timestamp"),
)


def table(**checks: object) -> SourceTable:
    """Declare the table of these tests, with these checks."""
    return SourceTable(
        name="payments", paths=("a.csv",), columns=COLUMNS, key=("id",), event_time="ts", checks=Checks(**checks)  # type: ignore[arg-type]
    )  # fmt: skip


def frame(rows: list[tuple[int | None, float | None, str | None, int | None]]) -> pl.DataFrame:
    """Make a frame; times are seconds after the start."""
    dated = [(*row[:3], None if row[3] is None else START + timedelta(seconds=row[3])) for row in rows]
    return pl.DataFrame(
        dated,
        schema={"id": pl.Int64, "amount": pl.Float64, "country": pl.String, "ts": pl.Datetime("us", "UTC")},
        orient="row",
    )


def brute(rows: list[tuple[int | None, float | None, str | None, int | None]]) -> dict[tuple[str, str], list[int]]:
    """Find the rows at fault with plain loops."""
    found: dict[tuple[str, str], list[int]] = {}
    seen: set[int] = set()
    latest = -math.inf
    for number, (key, amount, country, time) in enumerate(rows, start=1):
        for name, value in (("id", key), ("amount", amount), ("country", country), ("ts", time)):
            if value is None or (isinstance(value, float) and math.isnan(value)):
                found.setdefault(("nulls", name), []).append(number)
        if amount is not None and not math.isnan(amount) and not 0 <= amount <= 100:
            found.setdefault(("ranges", "amount"), []).append(number)
        if country is not None and country not in ("DE", "FR"):
            found.setdefault(("categories", "country"), []).append(number)
        if key is not None and key in seen:
            found.setdefault(("duplicates", "id"), []).append(number)
        seen |= {key} if key is not None else set()
        if time is not None:
            if time < latest:
                found.setdefault(("order", "ts"), []).append(number)
            latest = max(latest, time)
    return found


ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 9),
        st.none() | st.floats(width=32) | st.sampled_from([0.0, 100.0, -1.0, 101.0, math.nan, math.inf]),
        st.none() | st.sampled_from(["DE", "FR", "XX"]),
        st.none() | st.integers(0, 9),
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(rows=ROWS)
def test_every_check_finds_what_a_loop_finds(
    rows: list[tuple[int | None, float | None, str | None, int | None]],
) -> None:
    """Counts and first rows are those of a plain loop over the rows."""
    report = check_source(frame(rows), table())
    found = {(fault.check, fault.column): fault for fault in report.faults}
    expected = brute(rows)
    assert {place: fault.count for place, fault in found.items()} == {
        place: len(numbers) for place, numbers in expected.items()
    }
    for place, numbers in expected.items():
        assert [example.row for example in found[place].examples] == numbers[:5]


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_dropping_leaves_no_row_at_fault(rows: list[tuple[int | None, float | None, str | None, int | None]]) -> None:
    """With every check on `drop`, exactly the rows that a loop finds are left out."""
    found = table(
        types="drop", nulls="drop", ranges="drop", categories="drop", duplicates="drop", order="drop", max_faults=1.0
    )  # fmt: skip
    whole = frame(rows).with_row_index("n", 1)
    kept = enforce(whole, found, check_source(whole, found))
    gone = {number for numbers in brute(rows).values() for number in numbers}
    assert kept["n"].to_list() == [number for number in range(1, len(rows) + 1) if number not in gone]


def test_all_errors_are_raised_at_once() -> None:
    """Each kind of fault is one diagnostic with its first rows."""
    rows = [(1, -5.0, "DE", 1), (1, 2.0, "XX", 0), (None, None, "FR", 2)]
    found = table(order="error")
    with pytest.raises(RunError) as raised:
        enforce(frame(rows), found, check_source(frame(rows), found))
    codes = [diagnostic.code for diagnostic in raised.value.diagnostics]
    assert codes == ["E6121", "E6121", "E6122", "E6123", "E6124", "E6125"]
    assert raised.value.diagnostics[2].expected == "0 to 100 EUR"
    assert "first row 1: `-5.0`" in raised.value.diagnostics[2].what


def test_too_many_faults_are_fatal() -> None:
    """`warn` lets the stated fraction pass and no more."""
    rows = [(number, 1.0 if number else 500.0, "DE", number) for number in range(10)]
    for fraction, fatal in ((0.1, False), (0.05, True)):
        found = table(ranges="warn", max_faults=fraction)
        report = check_source(frame(rows), found)
        if fatal:
            with pytest.raises(RunError, match="E6126"):
                enforce(frame(rows), found, report)
        else:
            assert enforce(frame(rows), found, report).height == 10


def test_rows_out_of_order_are_sorted_and_ties_stay() -> None:
    """The default warns and sorts by event time; rows of one moment stay as in the file."""
    rows = [(1, 1.0, "DE", 5), (2, 1.0, "DE", 3), (3, 1.0, "DE", 3)]
    assert enforce(frame(rows), table(), check_source(frame(rows), table()))["id"].to_list() == [2, 3, 1]


def test_ignored_checks_report_nothing() -> None:
    """`ignore` does not look."""
    rows = [(1, -5.0, "XX", 1), (1, None, None, 0)]
    found = table(nulls="ignore", ranges="ignore", categories="ignore", duplicates="ignore", order="ignore")
    assert check_source(frame(rows), found).faults == ()


def test_a_composite_key_repeats_only_as_a_whole() -> None:
    """Parts of a key may repeat."""
    found = SourceTable(
        name="x", paths=(), columns=(Column(name="a", type="int64"), Column(name="b", type="string")), key=("a", "b")
    )
    report = check_source(pl.DataFrame({"a": [1, 1, 2, 1], "b": ["x", "y", "x", "x"]}), found)
    assert [(fault.count, fault.examples[0].row, fault.examples[0].value) for fault in report.faults] == [
        (1, 4, "1, x")
    ]


def test_unreadable_values_are_dropped_with_their_rows(tmp_path: Path) -> None:
    """A value of a wrong type is no null fault too; `drop` leaves its row out, `warn` leaves it null."""
    (tmp_path / "a.csv").write_text("id,amount,country,ts\n1,1,DE,2024-01-01\n2,lots,FR,2024-01-02\n3,3,FR,yesterday\n")
    loaded = load_source(table(types="drop", max_faults=0.5), tmp_path)
    assert loaded.frame["id"].to_list() == [1]
    assert [(fault.check, fault.column, fault.count) for fault in loaded.report.faults] == [
        ("types", "amount", 1),
        ("types", "ts", 1),
    ]
    assert load_source(table(types="warn", max_faults=0.5), tmp_path).frame["amount"].to_list() == [1.0, None, 3.0]
    with pytest.raises(RunError, match=r"E6120: `.*a.csv`, row 2, column `amount`"):
        load_source(table(), tmp_path)


def test_an_empty_table_has_no_faults() -> None:
    """A header without rows is a table of no rows."""
    empty = frame([])
    assert enforce(empty, table(), check_source(empty, table())).height == 0


def test_the_report_is_a_table_and_json() -> None:
    """Both tell the check, the column, the count and the first rows."""
    report = check_source(frame([(1, -5.0, "DE", 1), (2, 2.0, "DE", 2)]), table())
    assert report.text().splitlines() == [
        "payments: 2 rows",
        "  check   column  rows  share   leads to  expected      first rows",
        "  ranges  amount  1     50.00%  error     0 to 100 EUR  1: -5.0",
    ]
    assert json.loads(json.dumps(report.data()))["faults"][0]["examples"] == [{"row": 1, "value": "-5.0"}]
