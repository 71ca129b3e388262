"""Sources as declarations of the runtime, for every script that reads them."""

from mlsd_framework.codegen.places import data_paths
from mlsd_framework.codegen.python import Call, Imports, Item, given
from mlsd_framework.ir.sources import Checks, Column, Files, Source
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import DataType

DATA = "mlsd_framework.runtime.data"
_CHECKS = Checks()
_TOLERATED = 0.05  # the runtime's own default


def source_table(source: Source, system: System, imports: Imports) -> Call:
    """Return the declaration of a source for the runtime; its imports are added."""
    imports.add(f"{DATA}.schema", "Column", "SourceTable")
    origin = source.origin
    files = origin if isinstance(origin, Files) else None
    row_number = files.row_number if files else None
    columns = tuple(_column(column) for column in source.columns if column.name != row_number)
    named = given(
        name=source.name,
        paths=data_paths(source, system),
        columns=columns,
        format=files.format if files else None,
        key=source.key,
        event_time=source.event_time,
        row_number=row_number,
    )
    checks = _checks(source.checks)
    if checks.named:
        imports.add(f"{DATA}.schema", "Checks")
        named += (("checks", checks),)
    return Call("SourceTable", (), named)


def _column(column: Column) -> Call:
    type_ = column.type
    named = given(
        name=column.name,
        type=_in_file(type_),
        nullable=True if type_.nullable else None,
        unit=type_.unit,
        minimum=column.minimum,
        maximum=column.maximum,
        categories=column.values,
        column=column.file_column,
        time_format=column.time_format,
        origin=column.origin,
    )
    return Call("Column", (), named)


def _checks(checks: Checks) -> Call:
    names = ("types", "nulls", "ranges", "categories", "duplicates")
    changed: list[tuple[str, Item]] = [
        (name, getattr(checks, name)) for name in names if getattr(checks, name) != getattr(_CHECKS, name)
    ]
    if checks.order != "ignore":
        changed.append(("order", checks.order))
    if checks.tolerate != _TOLERATED:
        changed.append(("max_faults", checks.tolerate))
    return Call("Checks", (), tuple(changed))


def _in_file(type_: DataType) -> str:
    """Return a type as files hold it: a vector is a list of numbers."""
    if type_.name == "vector" and type_.item is not None:
        return f"list<{type_.item}>"
    return str(type_.not_null()).split(" ")[0]
