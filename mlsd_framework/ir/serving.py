"""Serving: endpoints, and stages with what each reads and writes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.sources import Column, Setting
from mlsd_framework.ir.types import DataType

NOW = "now"
"""The default of a request's moment."""

Default = Setting | tuple[str | int, ...]
"""What a request has that leaves a value out."""

OnError = Literal["fail", "default", "skip", "fallback"]


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the flow of a request: `group.name` or `name`, and where it is asked for.

    `rows` names the row set of which each row has one; a value of the request itself has none.
    """

    group: str | None
    name: str
    type: DataType
    span: Span | None = None
    rows: str | None = None

    @property
    def dotted(self) -> str:
        """Return the name as expressions write it."""
        return f"{self.group}.{self.name}" if self.group else self.name


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its contract (`reads`, `writes`) and the kind's own settings, a frozen dataclass."""

    kind: str
    name: str
    reads: tuple[Value, ...]
    writes: tuple[Value, ...]
    settings: object
    budget: timedelta | None = None
    on_error: OnError = "fail"
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint takes from strangers: bytes, seconds, requests at once, requests a second."""

    body: int
    timeout: timedelta
    concurrency: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class Cache:
    """How long a list may be answered again, and the bytes that the lists of one worker may take."""

    ttl: timedelta
    memory: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path, the columns of its request, and its pipeline.

    A request is a row of `source`, or what the endpoint itself declares: then there is no source, and a column that is
    among the `defaults` may be left out.
    """

    path: str
    source: str | None
    columns: tuple[Column, ...]
    pipeline: tuple[Stage, ...]
    limits: Limits
    defaults: tuple[tuple[str, Default], ...] = ()
    cache: Cache | None = None
    describe: str | None = None
    span: Span | None = None

    @property
    def request(self) -> tuple[Value, ...]:
        """Return the values that the pipeline begins with."""
        return tuple(Value(None, column.name, column.type, column.span) for column in self.columns)

    @property
    def name(self) -> str:
        """Return the path as an identifier: `/decide` is `decide`."""
        return self.path.strip("/").replace("/", "_").replace("-", "_")


def decides(endpoint: Endpoint) -> bool:
    """Say whether a pipeline ends with a decision; one that does not ends with candidates."""
    return any(value.name == "action" and value.group is None for stage in endpoint.pipeline for value in stage.writes)


def retrieves(endpoint: Endpoint) -> bool:
    """Say whether a pipeline has candidates."""
    return any(value.rows is not None for stage in endpoint.pipeline for value in stage.writes)
