"""`training/features.py`: the declarations, the events that windows read, and materialisation."""

from dataclasses import dataclass

from mlsd_framework.codegen.expressions_polars import to_polars
from mlsd_framework.codegen.places import workspace
from mlsd_framework.codegen.python import Imports, constant, identifier, literal
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.expressions import Column
from mlsd_framework.ir.features import Aggregate, WindowGroup
from mlsd_framework.ir.fingerprint import features_fingerprint
from mlsd_framework.ir.system import System
from mlsd_framework.targets.training.declarations import DATA, FEATURES, declarations, plain


@dataclass(frozen=True, slots=True)
class FeaturesFile:
    """The context of `training/features.py.j2`."""

    system: str
    spec: str
    imports: str
    workspace: str
    fingerprint: str
    declarations: list[str]
    functions: list[str]
    materialised: list[str]
    has_groups: bool
    loads: list[str]


def features_file(system: System) -> str:
    """Return the text of `training/features.py`."""
    imports = Imports()
    imports.add("polars as pl")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    blocks = list(declarations(system, imports))
    imports.add(f"{DATA}.check", "load_source")
    functions = [_events(group, system, imports) for group in system.windows]
    stored = (*system.windows, *system.tables)
    if stored:
        imports.add("argparse")
        imports.add(f"{FEATURES}.materialisation", "materialise_all", "write_groups")
    context = FeaturesFile(
        system=literal(system.name),
        spec=pointer(None) if not system.path else _comment(system.path),
        imports="\n".join(imports.lines()),
        workspace=literal(workspace(system)),
        fingerprint=literal(features_fingerprint(system)),
        declarations=blocks,
        functions=functions,
        materialised=[_materialised(group, system) for group in stored],
        has_groups=bool(stored),
        loads=[f"{identifier(name)} = load({constant(name)})" for name in _used(system)],
    )
    return render("training/features.py.j2", context)


def events_call(group: WindowGroup, system: System) -> str:
    """Return the source of a group's events, given the frames of its source and of the label by name."""
    frames = [identifier(group.source)]
    label = system.label
    if reads_label(group, system) and label is not None and label.source != group.source:
        frames.append(identifier(label.source))
    return f"{identifier(group.name)}_events({', '.join(frames)})"


def reads_label(group: WindowGroup, system: System) -> bool:
    """Say whether an aggregate of the group reads the label of its source's rows."""
    label = system.label
    if label is None or label.of != group.source:
        return False
    used = {node.name for one in group.aggregates for expression in (one.value, one.where) if expression is not None for node in _columns(expression)}
    return label.name in used


def _columns(expression: object) -> list[Column]:
    from mlsd_framework.ir.expressions import columns  # noqa: PLC0415 - a generator of the ir

    return list(columns(expression))  # type: ignore[arg-type]


def _events(group: WindowGroup, system: System, imports: Imports) -> str:
    """Return the function that gives the events of a group with the values that its aggregates read."""
    label = system.label
    source = identifier(group.source)
    parameters = [f"{source}: pl.DataFrame"]
    lines: list[str] = []
    result = source
    if reads_label(group, system) and label is not None:
        if label.source != group.source:
            parameters.append(f"{identifier(label.source)}: pl.DataFrame")
            known = f"{identifier(label.source)}.select({literal(label.join or '')}, {_renamed(label.column, label.name)})"
            lines.append(f"labels = {known}")
            result = f'{source}.join(labels, on={literal(label.join or "")}, how="left", maintain_order="left")'
        elif label.name != label.column:
            result = f"{source}.with_columns({_renamed(label.column, label.name)})"
    computed = [_value(one, imports) for one in group.aggregates if plain(one.value) is None or one.where is not None]
    values = [text for text in computed if text]
    if values:
        lines.append(f"events = {result}")
        lines += ["return events.with_columns(", *(f"    {text}," for text in values), ")"]
    else:
        lines.append(f"return {result}")
    body = "\n".join(f"    {line}" for line in lines)
    doc = f'    """Return the events of `{group.name}` with the values that its aggregates read."""'
    return f"{pointer(group.span)}\ndef {identifier(group.name)}_events({', '.join(parameters)}) -> pl.DataFrame:\n{doc}\n{body}"


def _value(one: Aggregate, imports: Imports) -> str:
    """Return the column that an aggregate reads; where its condition is not true it is null, so it does not count."""
    if one.value is None and one.where is None:
        return ""
    value = "pl.lit(value=True)" if one.value is None else _polars(one.value, imports)
    if one.where is not None:
        value = f"pl.when({_polars(one.where, imports)}).then({value})"
    return f"{one.name}_value={value}"


def _polars(expression: object, imports: Imports) -> str:
    code = to_polars(expression, lambda column: column.path)  # type: ignore[arg-type]
    for line in code.imports:
        if line.startswith("from "):
            module, _, name = line.removeprefix("from ").partition(" import ")
            imports.add(module, name)
    return code.text


def _renamed(column: str, name: str) -> str:
    return literal(column) if column == name else f"{name}={literal(column)}"


def _materialised(group: object, system: System) -> str:
    if isinstance(group, WindowGroup):
        return f"({constant(group.name)}_GROUP, {events_call(group, system)}),"
    return f"({constant(group.name)}_GROUP, {identifier(group.source)}),"  # type: ignore[attr-defined]


def _used(system: System) -> list[str]:
    names = [group.source for group in (*system.windows, *system.tables)]
    if system.label is not None and any(reads_label(group, system) for group in system.windows):
        names.append(system.label.source)
    return list(dict.fromkeys(names))


def _comment(path: str) -> str:
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in path)


