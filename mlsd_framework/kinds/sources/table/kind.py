"""Tables: what the compiler needs to know."""

from typing import Any, Literal

from pydantic import Field

from mlsd_framework.ir.sources import Files
from mlsd_framework.kinds.sources.events.kind import FilesSpec
from mlsd_framework.spec.base import Name


class TableSpec(FilesSpec):
    """A table: one row a key, or one a key and a moment from which it holds (`event_time`)."""

    kind: Literal["table"]
    valid_to: Name | None = Field(
        None, description="The column that says until when a row holds, that moment left out; null is for ever."
    )


class Table:
    """Tables in files."""

    name = "table"
    spec = TableSpec

    def origin(self, spec: Any) -> Files:
        """Return the files."""
        return Files(spec.path, spec.sha256, spec.licence, spec.format, spec.row_number)
