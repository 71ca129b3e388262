"""Sources and stored feature groups as declarations of the runtime."""

from collections.abc import Iterator

from mlsd_framework.codegen.feature_code import FEATURES, window_group
from mlsd_framework.codegen.places import data_paths
from mlsd_framework.codegen.python import Call, Imports, Item, emit, given
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.ir.features import TableGroup, WindowGroup
from mlsd_framework.ir.sources import Checks, Column, Files, Source
from mlsd_framework.ir.system import System
from mlsd_framework.targets.training.names import ScriptNames

DATA = "mlsd_framework.runtime.data"
_CHECKS = Checks()
_TOLERATED = 0.05  # the runtime's own default


def declarations(system: System, names: ScriptNames, imports: Imports) -> Iterator[str]:
    """Yield one block a source and a stored group, each under a pointer to the spec."""
    imports.add(f"{DATA}.schema", "Column", "SourceTable")
    for source in system.sources:
        name = names.table(source)
        yield f"{pointer(source.span)}\n{name} = {emit(_source(source, system, imports), 0, len(name) + 3)}"
    for group in system.features:
        if isinstance(group, WindowGroup):
            name = names.group(group)
            declared = window_group(group, system.source(group.source), imports)
            yield f"{pointer(group.span)}\n{name} = {emit(declared, 0, len(name) + 3)}"
        elif isinstance(group, TableGroup):
            name = names.group(group)
            yield f"{pointer(group.span)}\n{name} = {emit(_table_group(group, system, imports), 0, len(name) + 3)}"


def _source(source: Source, system: System, imports: Imports) -> Call:
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
        type=str(type_.not_null()).split(" ")[0],
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


def _table_group(group: TableGroup, system: System, imports: Imports) -> Call:
    imports.add(f"{FEATURES}.columns", "ColumnGroup")
    source = system.source(group.source)
    key = source.key if source.event_time is not None else ()
    named = given(
        name=group.name,
        entity=group.key,
        source=group.source,
        columns=group.columns,
        valid_from=source.event_time,
        key=key,
    )
    return Call("ColumnGroup", (), named)
