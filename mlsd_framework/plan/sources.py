"""A source of a spec as the runtime's table, for commands that read data without generated code."""

from mlsd_framework.codegen.places import data_paths
from mlsd_framework.ir.sources import Files, Source
from mlsd_framework.ir.system import System
from mlsd_framework.runtime.data import schema


def table_of(source: Source, system: System) -> schema.SourceTable:
    """Return the table that generated code declares for a source."""
    files = source.origin if isinstance(source.origin, Files) else None
    checks, row_number = source.checks, files.row_number if files else None
    columns = tuple(
        schema.Column(
            name=column.name,
            type=str(column.type.not_null()).split(" ")[0],
            nullable=column.type.nullable,
            unit=column.type.unit,
            minimum=column.minimum,
            maximum=column.maximum,
            categories=column.values,
            column=column.file_column,
            time_format=column.time_format,  # type: ignore[arg-type]  # the spec allows the runtime's words only
            origin=column.origin,
        )
        for column in source.columns
        if column.name != row_number
    )
    actions = {
        name: getattr(checks, name) for name in ("types", "nulls", "ranges", "categories", "duplicates", "order")
    }
    return schema.SourceTable(
        name=source.name,
        paths=data_paths(source, system),
        columns=columns,
        format=files.format if files else None,  # type: ignore[arg-type]  # the same
        key=source.key,
        event_time=source.event_time,
        row_number=row_number,
        checks=schema.Checks(**actions, max_faults=checks.tolerate),
    )
