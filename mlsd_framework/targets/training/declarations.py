"""Sources and stored feature groups as declarations of the runtime."""

from collections.abc import Iterator

from mlsd_framework.codegen.derived_code import derived_group
from mlsd_framework.codegen.feature_code import table_group, window_group
from mlsd_framework.codegen.python import Imports, emit
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
            taken = table_group(group, system.source(group.source), imports)
            yield f"{pointer(group.span)}\n{name} = {emit(taken, 0, len(name) + 3)}"
        elif isinstance(group, DerivedGroup):
            name = names.group(group)
            declared = derived_group(group, system, names, imports)
            yield f"{pointer(group.span)}\n{name} = {emit(declared, 0, len(name) + 3)}"
