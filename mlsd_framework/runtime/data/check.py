"""Checking a source's frame against its schema, and doing what the schema says about each kind of fault."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import polars as pl

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.read import Unreadable, read_leniently
from mlsd_framework.runtime.data.report import Check, Example, Fault, SourceReport
from mlsd_framework.runtime.data.schema import FLOATS, NUMBERS, Action, Column, SourceTable

BY_ROW: tuple[Check, ...] = ("types", "nulls", "ranges", "categories")
"""The checks of what one row shows by itself."""

EXAMPLES = 5
_CODES: dict[Check, str] = {
    "types": "E6120", "nulls": "E6121", "ranges": "E6122",
    "categories": "E6123", "duplicates": "E6124", "order": "E6125",
}  # fmt: skip
_MEANING: dict[Check, str] = {
    "types": "of a wrong type",
    "nulls": "without a value",
    "ranges": "out of range",
    "categories": "with an unknown category",
    "duplicates": "that repeat a key",
    "order": "earlier than a row before",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A source ready for use, and what was found in it."""

    frame: pl.DataFrame
    report: SourceReport


@dataclass(frozen=True, slots=True)
class _Rule:
    """One check of one column: `broken` is true (never null) in the rows at fault, `shown` is the value to show."""

    check: Check
    column: str
    action: Action
    expected: str
    broken: pl.Expr
    shown: pl.Expr


def load_source(table: SourceTable, root: Path) -> Loaded:
    """Read, check and enforce in one call; raises RunError as these do."""
    reading = read_leniently(table, root)
    report = check_source(reading.frame, table, reading.unreadable)
    return Loaded(enforce(reading.frame, table, report, reading.unreadable), report)


def check_source(frame: pl.DataFrame, table: SourceTable, unreadable: tuple[Unreadable, ...] = ()) -> SourceReport:
    """Count the rows at fault of each check in one pass, with the first five of each.

    NaN counts as null. An infinite value is out of every range, stated or not. A row repeats a key when an earlier row
    has it; a row
    is out of order when a row before it has a later event time; null keys and null times are null faults only.
    """
    rules = tuple(_rules(table, _null_where_unreadable(frame, unreadable)))
    rules = tuple(rule for rule in rules if rule.action != "ignore")
    faults = [type_fault(fault, table) for fault in unreadable if table.checks.types != "ignore"]
    if rules and frame.height:
        marked = _marked(frame, unreadable)
        counts = (
            marked.lazy().select(rule.broken.sum().alias(str(at)) for at, rule in enumerate(rules)).collect().row(0)
        )
        faults += [_fault(marked, rule, int(count)) for rule, count in zip(rules, counts, strict=True) if count]
    return SourceReport(table.name, frame.height, table.checks.max_faults, tuple(faults))


def enforce(
    frame: pl.DataFrame, table: SourceTable, report: SourceReport, unreadable: tuple[Unreadable, ...] = ()
) -> pl.DataFrame:
    """Return the frame without the rows that are to be dropped, in order of event time (ties as in the files).

    Rows without a time come last. Raises RunError as `refuse` does.
    """
    refuse(table, report, unreadable)
    dropped = to_drop(frame, table, report, unreadable)
    if dropped is not None:
        frame = frame.filter(~dropped)
    if table.event_time is not None and not frame.get_column(table.event_time).is_sorted(nulls_last=True):
        frame = frame.sort(table.event_time, maintain_order=True, nulls_last=True)
    return frame


def refuse(table: SourceTable, report: SourceReport, unreadable: tuple[Unreadable, ...] = ()) -> None:
    """Raise RunError where a source is not fit for use.

    It has one diagnostic for each fault that is an error (E6120-E6125), or whose rows are more than `max_faults` of
    the table (E6126).
    """
    # The reader knows the file of a value of a wrong type, the report does not.
    fatal = [fault.diagnostic(table.name) for fault in unreadable if table.checks.types == "error"]
    told = "types" if unreadable else None
    fatal += [_diagnostic(report, fault) for fault in report.faults if fault.action == "error" and fault.check != told]
    tolerated = [
        fault
        for fault in report.faults
        if fault.action == "drop" or (fault.action == "warn" and fault.check != "order")
    ]
    fatal += [_too_many(report, fault) for fault in tolerated if fault.count > report.max_faults * report.rows]
    if fatal:
        raise RunError(fatal)


def to_drop(
    frame: pl.DataFrame, table: SourceTable, report: SourceReport, unreadable: tuple[Unreadable, ...] = ()
) -> pl.Series | None:
    """Return which rows a checked frame is to lose, none where it keeps all."""
    dropped = {fault.check for fault in report.faults if fault.action == "drop"}
    if not dropped:
        return None
    broken = [rule.broken for rule in _rules(table, {fault.column for fault in unreadable}) if rule.check in dropped]
    broken += [pl.col(_mark(fault.column)) for fault in unreadable if "types" in dropped]
    return _marked(frame, unreadable).select(pl.any_horizontal(broken)).to_series()


def only(table: SourceTable, *checks: Check) -> SourceTable:
    """Return the table with these checks alone, whatever share of the rows is at fault."""
    others: dict[str, Action] = {check: "ignore" for check in get_args(Check) if check not in checks}
    return replace(table, checks=replace(table.checks, max_faults=1.0, **others))


def _rules(table: SourceTable, marked: set[str]) -> Iterator[_Rule]:
    """Yield every check of the table, in the order of the checks and of the columns."""
    checks = table.checks
    columns = [column for column in table.columns if column.name != table.row_number]
    for column in columns:
        if not column.nullable:
            missing = _missing(column)
            broken = missing & ~pl.col(_mark(column.name)) if column.name in marked else missing
            yield _Rule("nulls", column.name, checks.nulls, "a value in every row", broken, pl.col(column.name))
    for column in columns:
        if column.type in NUMBERS and (
            column.minimum is not None or column.maximum is not None or column.type in FLOATS
        ):
            yield _range(column, checks.ranges)
    for column in columns:
        if column.categories is not None:
            value = pl.col(column.name)
            unknown = ~value.is_in(list(column.categories)).fill_null(value=True)
            listed = ", ".join(column.categories[:8]) + (", …" if len(column.categories) > 8 else "")  # noqa: PLR2004 - a line's worth
            yield _Rule("categories", column.name, checks.categories, f"one of {listed}", unknown, value)
    if table.key and table.key != (table.row_number,):
        # All columns of the key together; the first row with a key is the one that counts.
        key = pl.struct(table.key)
        present = ~pl.any_horizontal(pl.col(name).is_null() for name in table.key)
        single = pl.col(table.key[0])
        repeats = ~(single if len(table.key) == 1 else key).is_first_distinct() & present
        shown = (
            single
            if len(table.key) == 1
            else pl.concat_str([pl.col(name).cast(pl.String) for name in table.key], separator=", ", ignore_nulls=True)
        )
        yield _Rule("duplicates", ", ".join(table.key), checks.duplicates, "each key once", repeats, shown)
    if table.event_time is not None:
        time = pl.col(table.event_time)
        late = (time < time.cum_max().shift(1).forward_fill()).fill_null(value=False)
        yield _Rule("order", table.event_time, checks.order, "times that never go back", late, time)


def _range(column: Column, action: Action) -> _Rule:
    value = pl.col(column.name)
    broken = value.is_infinite() if column.type in FLOATS else pl.lit(value=False)
    if column.minimum is not None:
        broken = broken | (value < column.minimum)
    if column.maximum is not None:
        # NaN is greater than every number to polars, and is a null fault here.
        broken = broken | ((value > column.maximum) & ~_missing(column))
    low, high = column.minimum, column.maximum
    unit = f" {column.unit}" if column.unit else ""
    if low is not None and high is not None:
        expected = f"{low:g} to {high:g}{unit}"
    elif low is not None:
        expected = f"at least {low:g}{unit}"
    else:
        expected = f"at most {high:g}{unit}" if high is not None else "a finite number"
    return _Rule("ranges", column.name, action, expected, broken.fill_null(value=False), value)


def _missing(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    return value.is_null() | value.is_nan().fill_null(value=False) if column.type in FLOATS else value.is_null()


def _mark(column: str) -> str:
    return f"\x00unreadable {column}"


def _null_where_unreadable(frame: pl.DataFrame, unreadable: tuple[Unreadable, ...]) -> set[str]:
    return {fault.column for fault in unreadable if fault.column in frame.columns}


def _marked(frame: pl.DataFrame, unreadable: tuple[Unreadable, ...]) -> pl.DataFrame:
    """Add a column for each column with unreadable values: true in their rows."""
    marks: dict[str, pl.Series] = {}
    for fault in unreadable:
        rows = pl.int_range(frame.height, eager=True).is_in(fault.rows.implode())
        marks[fault.column] = marks[fault.column] | rows if fault.column in marks else rows
    return frame.with_columns(rows.alias(_mark(column)) for column, rows in marks.items())


def type_fault(fault: Unreadable, table: SourceTable) -> Fault:
    """Return values of a wrong type as a fault of the source, its rows numbered as those of other faults are."""
    first = int(fault.rows[0]) + 1 - fault.examples[0][0]
    examples = tuple(Example(first + row, value) for row, value in fault.examples)
    return Fault("types", fault.column, len(fault.rows), table.checks.types, fault.type, examples)


def _fault(frame: pl.DataFrame, rule: _Rule, count: int) -> Fault:
    rows = frame.lazy().with_row_index("\x00row").filter(rule.broken)
    # A check that looks at neighbours is right only before the filter, and it is: the mask is made on the whole frame.
    found = (
        rows.select(pl.col("\x00row").cast(pl.Int64), rule.shown.cast(pl.String).alias("\x00shown"))
        .head(EXAMPLES)
        .collect()
    )
    examples = tuple(Example(row + 1, "null" if value is None else value[:200]) for row, value in found.iter_rows())
    return Fault(rule.check, rule.column, count, rule.action, rule.expected, examples)


def _diagnostic(report: SourceReport, fault: Fault) -> Diagnostic:
    first = fault.examples[0]
    return Diagnostic(
        code=_CODES[fault.check],
        what=(f"{_counted(report, fault)}, first row {first.row}: `{first.value}`"),
        expected=fault.expected,
        help=f"mend the data or the schema, or set `{fault.check}` of the source's checks to `drop` or `warn`",
        notes=tuple(f"row {example.row}: `{example.value}`" for example in fault.examples[1:]),
    )


def _too_many(report: SourceReport, fault: Fault) -> Diagnostic:
    return Diagnostic(
        code="E6126",
        what=(
            f"{_counted(report, fault)} "
            f"({fault.count / report.rows:.1%}), more than the {report.max_faults:.1%} that "
            f"`max_faults` lets `{fault.action}` pass"
        ),
        expected=fault.expected,
        help="mend the data or the schema, or raise `max_faults`",
        notes=tuple(f"row {example.row}: `{example.value}`" for example in fault.examples),
    )


def _counted(report: SourceReport, fault: Fault) -> str:
    rows = f"{fault.count:,} of {report.rows:,} rows"
    return f"source `{report.source}`, column `{fault.column}`: {rows} {_MEANING[fault.check]}"
