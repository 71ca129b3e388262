"""Sources: where data comes from, and what each column holds."""

from dataclasses import dataclass
from datetime import timedelta

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.types import DataType

Setting = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a source, under the name that the spec gives it."""

    name: str
    type: DataType
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] | None = None
    file_column: str | None = None
    time_format: str | None = None
    origin: str | None = None
    describe: str | None = None
    known_after: timedelta = timedelta(0)
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Checks:
    """What happens to rows that break the schema: `error`, `drop`, `warn` or `ignore`."""

    types: str = "error"
    nulls: str = "error"
    ranges: str = "error"
    categories: str = "error"
    duplicates: str = "error"
    order: str = "ignore"
    tolerate: float = 0.01


@dataclass(frozen=True, slots=True)
class Files:
    """Data that lies in files: a local path or glob, or a URI that `data fetch` understands."""

    uri: str
    sha256: str | None = None
    licence: str | None = None
    format: str | None = None
    row_number: str | None = None
    span: Span | None = None

    @property
    def remote(self) -> bool:
        """Whether the files have to be fetched before they can be read."""
        return self.uri.split(":", 1)[0] in ("https", "pypi", "deb")


@dataclass(frozen=True, slots=True)
class Process:
    """Data that a process makes: `function` is the `module:name` that writes `table` with `settings`."""

    name: str
    function: str
    table: str
    settings: tuple[tuple[str, Setting], ...]


Origin = Files | Process


@dataclass(frozen=True, slots=True)
class Stream:
    """The stream on which new events of a source come."""

    name: str
    partitions: int = 1
    retention: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A table of rows with a key, and with an event time where the rows are events.

    Of a table's rows the event time says from when one holds, `valid_to` until when.
    """

    name: str
    kind: str
    origin: Origin
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    event_time: str | None = None
    ingest_time: str | None = None
    valid_to: str | None = None
    stream: Stream | None = None
    allowed_lateness: timedelta | None = None
    allowed_ahead: timedelta = timedelta(hours=1)
    checks: Checks = Checks()
    describe: str | None = None
    span: Span | None = None

    @property
    def row_number(self) -> str | None:
        """The column that numbers the rows of its files, or none."""
        return self.origin.row_number if isinstance(self.origin, Files) else None

    def column(self, name: str) -> Column | None:
        """Return the column `name`, or none."""
        return next((column for column in self.columns if column.name == name), None)
