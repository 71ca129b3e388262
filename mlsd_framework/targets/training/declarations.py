"""Sources and stored feature groups as declarations of the runtime."""

from collections.abc import Iterator

from mlsd_framework.codegen.derived_code import derived_group
from mlsd_framework.codegen.feature_code import FEATURES, window_group
from mlsd_framework.codegen.python import Call, Imports, emit, given
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.source_code import DATA, source_table
from mlsd_framework.ir.features import DerivedGroup, TableGroup, WindowGroup
from mlsd_framework.ir.system import System


def declarations(system: System, names: ScriptNames, imports: Imports) -> Iterator[str]:
    """Yield one block a source and a stored group, each under a pointer to the spec."""
    imports.add(f"{DATA}.schema", "Column", "SourceTable")
    for source in system.sources:
        name = names.table(source)
        yield f"{pointer(source.span)}\n{name} = {emit(source_table(source, system, imports), 0, len(name) + 3)}"
    for group in system.features:
        if isinstance(group, WindowGroup):
            name = names.group(group)
            declared = window_group(group, system.source(group.source), imports)
            yield f"{pointer(group.span)}\n{name} = {emit(declared, 0, len(name) + 3)}"
        elif isinstance(group, TableGroup):
            name = names.group(group)
            yield f"{pointer(group.span)}\n{name} = {emit(_table_group(group, system, imports), 0, len(name) + 3)}"
        elif isinstance(group, DerivedGroup):
            name = names.group(group)
            declared = derived_group(group, system, names, imports)
            yield f"{pointer(group.span)}\n{name} = {emit(declared, 0, len(name) + 3)}"


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
        valid_to=source.valid_to,
        ingest_time=source.ingest_time if source.event_time is not None else None,
        key=key,
    )
    return Call("ColumnGroup", (), named)
