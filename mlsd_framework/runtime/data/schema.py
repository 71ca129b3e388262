"""What a source's table looks like: its files, columns, key, times, and what a fault in it leads to.

Generated code declares these; reading and checking follow them. Nothing heavy is imported here.
"""

from dataclasses import dataclass, field
from typing import Literal

Action = Literal["error", "drop", "warn", "ignore"]
Format = Literal["csv", "parquet"]
TimeFormat = Literal["iso", "seconds", "milliseconds", "microseconds"]

INTEGERS = ("int8", "int16", "int32", "int64")
FLOATS = ("float32", "float64", "money")
NUMBERS = INTEGERS + FLOATS
TEXTS = ("string", "category")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What each kind of fault leads to.

    error    the run stops, and every fault is shown
    drop     the rows at fault are left out and counted
    warn     the rows stay, and are counted
    ignore   nobody looks

    `drop` and `warn` become an error when the rows at fault are more than the fraction `max_faults` of the table. Rows
    out of time order are sorted by `warn` and `ignore`, whatever their number. A value that cannot be read as its
    column's type is null when `types` is not `error`, and is then no null fault of its own.
    """

    types: Action = "error"
    nulls: Action = "error"
    ranges: Action = "error"
    categories: Action = "error"
    duplicates: Action = "error"
    order: Action = "warn"
    max_faults: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name and type in the schema, its name and notation in the file.

    `type` is `string`, `category`, `bool`, `int8` … `int64`, `float32`, `float64`, `money`, `timestamp`, `date`,
    `duration` or `list<…>` of one of these. `minimum` and `maximum` are inclusive, for numbers. `column` is the name
    in the file where
    it differs. `time_format` says how a time is written (default `iso` for text; numbers count from the epoch, or from
    `origin`, an ISO time); for a `duration` it is the unit of the number (default `seconds`). `unit` is told to people.
    """

    name: str
    type: str
    nullable: bool = False
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None
    column: str | None = None
    time_format: TimeFormat | None = None
    origin: str | None = None

    @property
    def in_file(self) -> str:
        """Name of the column in the file."""
        return self.column if self.column is not None else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A table on disk: one file, several, globs, or folders partitioned as `day=2024-01-01/`.

    `paths` are relative to the folder given to the reader and are read in the order given, a glob's files by name.
    `format` None goes by suffix (`.csv`, `.csv.gz`, `.tsv`, `.parquet`). `row_number` names an int64 column that the
    reader adds: 0, 1, 2 … over all files in reading order, a key for data that has none. `nulls` are texts that mean a
    missing value, beside the empty one.
    """

    name: str
    paths: tuple[str, ...]
    columns: tuple[Column, ...]
    format: Format | None = None
    key: tuple[str, ...] = ()
    event_time: str | None = None
    row_number: str | None = None
    delimiter: str = ","
    nulls: tuple[str, ...] = ()
    checks: Checks = field(default_factory=Checks)
