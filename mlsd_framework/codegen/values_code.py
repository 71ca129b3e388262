"""The lines that put the features of stored groups beside rows, as of their moments, and functions of such lines."""

from collections.abc import Iterator, Sequence

from mlsd_framework.codegen.derived_code import frames
from mlsd_framework.codegen.events_code import events_call, read_sources
from mlsd_framework.codegen.layout import INDENT, WIDTH
from mlsd_framework.codegen.python import Call, Imports, Raw, assigned
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.ir.features import DerivedGroup, StoredGroup, WindowGroup
from mlsd_framework.ir.system import System

DATASET = "mlsd_framework.runtime.features.dataset"


def values_beside(
    group: StoredGroup, system: System, names: ScriptNames, imports: Imports, time: str | None
) -> Iterator[str]:
    """Yield the lines that put the features of a group beside `rows`, as of the moment that the column `time` holds."""
    at = (("time", time),)
    declared = names.group(group)
    imports.add(DATASET, "beside")
    imports.add("features", declared)
    yield ""
    yield pointer(group.span)
    if isinstance(group, WindowGroup):
        imports.add("mlsd_framework.runtime.features.out_of_core", "window_features_from")
        imports.add("features", names.events(group))
        yield from assigned("events", events_call(group, system, names), 1)
        values = Call("window_features_from", (Raw("events"), Raw("rows"), Raw(declared)), at)
    elif isinstance(group, DerivedGroup):
        imports.add("mlsd_framework.runtime.features.snapshots", "derived_features")
        values = Call("derived_features", (frames(group, names), Raw("rows"), Raw(declared)), at)
    else:
        imports.add("mlsd_framework.runtime.features.asof", "column_features")
        values = Call("column_features", (Raw(names.frame(group.source)), Raw("rows"), Raw(declared)), at)
    yield from assigned("rows", Call("beside", (Raw("rows"), group.name, values)), 1)


def sources_of(groups: Sequence[StoredGroup], system: System) -> list[str]:
    """Return the sources that groups are computed from."""
    named = [
        source
        for group in groups
        for source in (read_sources(group, system) if isinstance(group, WindowGroup) else group.sources)
    ]
    return list(dict.fromkeys(named))


def returning(lines: list[str]) -> list[str]:
    """Return the lines with the last statement, which makes `rows`, as what the function returns."""
    last = max(at for at, line in enumerate(lines) if line.startswith("rows = "))
    return [*lines[:last], lines[last].replace("rows = ", "return ", 1), *lines[last + 1 :]]


def signature(function: str, parameters: Sequence[str], result: str) -> str:
    """Return the `def` of a function, broken as a formatter breaks it."""
    line = ", ".join(parameters)
    if len(f"def {function}({line}) -> {result}:") > WIDTH:
        inner = line if len(INDENT) + len(line) <= WIDTH else f",\n{INDENT}".join(parameters) + ","
        line = f"\n{INDENT}{inner}\n"
    return f"def {function}({line}) -> {result}:"
