"""Reading a source's files into one polars frame of the schema's types; the first step of every training run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.damage import csv_fault, csv_header
from mlsd_framework.runtime.data.files import SourceFile, source_files
from mlsd_framework.runtime.data.schema import TEXTS, Column, SourceTable
from mlsd_framework.runtime.data.types import converted, direct

EXAMPLES = 5
LONGEST_TEXT = 1 << 20
# The last three are the files of RecBole.
_TABBED = (".tsv", ".tsv.gz", ".inter", ".item", ".user")
# polars reports some damaged files by a Rust panic, which is no Exception.
_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Values of one column in one file that are not of its type; `rows` are row numbers of the whole frame, from 0."""

    column: str
    type: str
    file: Path
    rows: pl.Series
    examples: tuple[tuple[int, str], ...]

    def diagnostic(self, source: str) -> Diagnostic:
        """Describe the fault, with its first rows counted from 1 after the header of the file."""
        row, value = self.examples[0]
        more = tuple(f"row {row}: `{value}`" for row, value in self.examples[1:])
        return Diagnostic(
            code="E6120",
            what=f"`{self.file}`, row {row}, column `{self.column}` of source `{source}`: `{value}` is no {self.type}",
            expected=f"{self.type}; {len(self.rows)} value(s) of this column are not",
            help="mend the file or the type, or set `types` of the source's checks to `drop` or `warn`",
            notes=more,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """A frame as read, and the values that could not be read (null in the frame)."""

    frame: pl.DataFrame
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one file in reading order, `start` of the file's rows after its beginning.

    The rows of its values that could not be read are numbered from the beginning of the batch.
    """

    frame: pl.DataFrame
    unreadable: tuple[Unreadable, ...]
    start: int


def read_source(table: SourceTable, root: Path) -> pl.DataFrame:
    """Read all files of `table` under `root` into its columns, in the schema's order and types.

    Times are Datetime("us", "UTC"), categories text, money float64; NaN is a missing value and becomes null. A value of
    a wrong type is an error (E6120) when the table's `types` check says so, else null: `read_leniently` tells which.
    Raises RunError, naming file, row, column and value: E6110-E6112 files, E6114 damaged, E6115 text, E6116 header,
    E6117 column.
    """
    reading = read_leniently(table, root)
    if reading.unreadable and table.checks.types == "error":
        raise RunError(fault.diagnostic(table.name) for fault in reading.unreadable)
    return reading.frame


def read_leniently(table: SourceTable, root: Path) -> Reading:
    """Read as `read_source` does, and return the values of a wrong type instead of raising for them."""
    frames: list[pl.DataFrame] = []
    unreadable: list[Unreadable] = []
    height = 0
    for file in source_files(table, root):
        frame, faults = _read_file(table, file, height)
        frames.append(frame)
        unreadable += faults
        height += frame.height
    whole = pl.concat(frames, rechunk=False) if len(frames) > 1 else frames[0]
    if table.row_number is not None:
        whole = whole.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(table.row_number))
    return Reading(whole, tuple(unreadable))


def read_batches(table: SourceTable, root: Path, rows: int) -> Iterator[Batch]:
    """Read Parquet files as `read_leniently` does, about `rows` rows at a time."""
    number = 0
    for file in source_files(table, root):
        start = 0
        for raw in _parquet_batches(table, file, rows):
            frame, faults = _typed(table, file, raw, 0, start)
            if table.row_number is not None:
                frame = frame.with_columns(pl.int_range(number, number + pl.len()).alias(table.row_number))
            yield Batch(frame, tuple(faults), start)
            start += frame.height
            number += frame.height


def _read_file(table: SourceTable, file: SourceFile, offset: int) -> tuple[pl.DataFrame, list[Unreadable]]:
    _refuse_empty(table, file)
    if file.format == "csv":
        raw = _read_csv(table, file.path, _stored(table, file))
    else:
        with _damage(table, file.path):
            raw = _scan_parquet(table, file).collect(engine="streaming")
    return _typed(table, file, raw, offset)


def _refuse_empty(table: SourceTable, file: SourceFile) -> None:
    if file.path.stat().st_size == 0:
        raise RunError.of("E6114", f"`{file.path}` of source `{table.name}` is empty", expected=f"a {file.format} file")


def _stored(table: SourceTable, file: SourceFile) -> list[Column]:
    """Return the columns that are in the file itself: its folders may name others."""
    given = dict(file.partition)
    return [column for column in table.columns if column.name != table.row_number and column.in_file not in given]


def _typed(
    table: SourceTable, file: SourceFile, raw: pl.DataFrame, offset: int, start: int = 0
) -> tuple[pl.DataFrame, list[Unreadable]]:
    """Turn the rows of a file from `start` on into the schema's columns."""
    given = dict(file.partition)
    columns = [column for column in table.columns if column.name != table.row_number]
    raw = raw.with_columns(
        pl.lit(given[column.in_file], pl.String).alias(column.name) for column in columns if column.in_file in given
    )
    try:
        frame, faults = convert(raw, columns, file.path, offset)
    except _FAILURES as error:
        kinds = ", ".join(f"`{column.name}` is {raw.schema[column.name]}" for column in columns)
        raise RunError.of(
            "E6117",
            f"`{file.path}` of source `{table.name}` has a column that cannot become its type: {_first_line(error)}",
            expected=", ".join(f"`{column.name}`: {column.type}" for column in columns),
            notes=(f"in the file: {kinds}",),
        ) from error
    _refuse_long_texts(table, file.path, frame, start)
    return frame, faults


def _read_csv(table: SourceTable, path: Path, columns: list[Column]) -> pl.DataFrame:
    """Read the columns' text, numbers parsed where the whole file allows it."""
    delimiter = "\t" if path.name.endswith(_TABBED) else table.delimiter
    _require_columns(table, path, csv_header(table, path, delimiter), columns)
    try:
        return _scan_csv(table, path, delimiter, columns, parse=True)
    except _FAILURES:
        pass
    # Some value is not of its column's type, or the file is damaged: read text, so that each fault can be named.
    try:
        return _scan_csv(table, path, delimiter, columns, parse=False)
    except _FAILURES as error:
        raise csv_fault(table, path, delimiter, error) from error


def _scan_csv(table: SourceTable, path: Path, delimiter: str, columns: list[Column], *, parse: bool) -> pl.DataFrame:
    kinds = {column.in_file: (direct(column) if parse else None) or pl.String() for column in columns}
    scan = pl.scan_csv(
        path, separator=delimiter, schema_overrides=kinds, infer_schema=False, glob=False,
        null_values=list(table.nulls) or None,
    )  # fmt: skip
    frame = scan.select(pl.col(column.in_file).alias(column.name) for column in columns).collect(engine="streaming")
    if len(columns) > 1 and frame.height and frame.get_column(columns[0].name).null_count():
        # A blank line is no row.
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame


def _parquet_batches(table: SourceTable, file: SourceFile, rows: int) -> Iterator[pl.DataFrame]:
    _refuse_empty(table, file)
    with _damage(table, file.path):
        batches = _scan_parquet(table, file).collect_batches(chunk_size=rows, maintain_order=True)
    while True:
        with _damage(table, file.path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _scan_parquet(table: SourceTable, file: SourceFile) -> pl.LazyFrame:
    columns = _stored(table, file)
    scan = pl.scan_parquet(file.path, glob=False, hive_partitioning=False)
    _require_columns(table, file.path, scan.collect_schema().names(), columns)
    return scan.select(pl.col(column.in_file).alias(column.name) for column in columns)


@contextmanager
def _damage(table: SourceTable, path: Path) -> Iterator[None]:
    """Name the file that polars fails to read."""
    try:
        yield
    except _FAILURES as error:
        raise RunError.of(
            "E6114",
            f"`{path}` of source `{table.name}` is damaged or no Parquet file: {_first_line(error)}",
            expected="a whole Parquet file",
            help="fetch or write the file again",
        ) from error


def _require_columns(table: SourceTable, path: Path, header: list[str], columns: list[Column]) -> None:
    """Raise for columns that the file lacks or has twice, each with the nearest name there is."""
    faults: list[Diagnostic] = []
    for name in (column.in_file for column in columns):
        if header.count(name) == 1:
            continue
        near = get_close_matches(name, header, n=1, cutoff=0.5) or [
            other for other in header if other.strip().lower() == name.strip().lower()
        ]
        shown = ", ".join(header[:40]) + (", …" if len(header) > 40 else "")  # noqa: PLR2004 - a line's worth
        count = "more than one" if name in header else "no"
        faults.append(
            Diagnostic(
                code="E6116",
                what=f"`{path}` of source `{table.name}` has {count} column `{name}`",
                expected=f"one of the file's columns: {shown}",
                help=f"did you mean `{near[0]}`?" if near and name not in header else None,
            )
        )
    if faults:
        raise RunError(faults)


def convert(raw: pl.DataFrame, columns: list[Column], path: Path, offset: int) -> tuple[pl.DataFrame, list[Unreadable]]:
    """Turn every column into its type; values that cannot be turned become null and are returned."""
    frame = raw.select(converted(column, raw.schema[column.name]) for column in columns)
    faults: list[Unreadable] = []
    for column in columns:
        before, after = raw.get_column(column.name), frame.get_column(column.name)
        if after.null_count() == before.null_count():
            continue
        lost = before.is_not_null() & after.is_null() & ~_is_nan(before)
        if lost.any():
            rows = lost.arg_true()
            first = rows.head(EXAMPLES)
            examples = tuple(
                (int(row) + 1, str(value)[:200]) for row, value in zip(first, before.gather(first), strict=True)
            )
            faults.append(Unreadable(column.name, column.type, path, rows.cast(pl.Int64) + offset, examples))
    return frame, faults


def _is_nan(values: pl.Series) -> pl.Series:
    if values.dtype.is_float():
        return values.is_nan().fill_null(value=False)
    if values.dtype == pl.String:
        return values.str.strip_chars().str.to_lowercase().is_in(["nan", "+nan", "-nan"]).fill_null(value=False)
    return pl.Series([False]).new_from_index(0, len(values))


def _refuse_long_texts(table: SourceTable, path: Path, frame: pl.DataFrame, start: int) -> None:
    for column in table.columns:
        if column.type not in TEXTS or column.name not in frame.columns:
            continue
        lengths = frame.get_column(column.name).str.len_bytes()
        longest = lengths.max()
        if isinstance(longest, int) and longest > LONGEST_TEXT:
            row = start + (lengths.arg_max() or 0) + 1
            raise RunError.of(
                "E6115",
                f"`{path}`, row {row}, column `{column.name}` holds a text of {longest:,} bytes",
                expected=f"at most {LONGEST_TEXT:,} bytes",
                help="look for a quote that is not closed or a line end that is missing",
            )


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
