"""The label of the examples."""

from dataclasses import dataclass
from datetime import timedelta

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.types import DataType


@dataclass(frozen=True, slots=True)
class Label:
    """`column` of `source`, joined by `join` to the examples: the rows of `of`.

    `join` is none where both are one source. The label is known `matures_after` the example.
    """

    name: str
    source: str
    column: str
    of: str
    join: str | None
    type: DataType
    matures_after: timedelta
    span: Span | None = None
