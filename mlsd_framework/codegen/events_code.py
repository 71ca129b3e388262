"""The function that gives a window group its events, with the values that its aggregates read.

One function serves the training set, materialisation and the stream: what an aggregate reads is written once.
"""

from mlsd_framework.codegen.expressions_polars import to_polars
from mlsd_framework.codegen.feature_code import FEATURES, computed_name, has_own_value
from mlsd_framework.codegen.python import Call, Imports, Raw, assigned, emit, identifier, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.ir.expressions import Expression, columns
from mlsd_framework.ir.features import Aggregate, TableGroup, WindowGroup, read_groups
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.system import System


def events_call(group: WindowGroup, system: System, names: ScriptNames) -> Call:
    """Return the call that gives a group's events, given the frames that it reads."""
    return Call(names.events(group), tuple(Raw(names.frame(source)) for source in read_sources(group, system)))


def read_sources(group: WindowGroup, system: System) -> tuple[str, ...]:
    """Return the sources that a group's events are made of: its own, the label's, those of groups that it reads."""
    found, label = [group.source], system.label
    if reads_label(group, system) and label is not None:
        found.append(label.source)
    for other in _read(group, system):
        found += read_sources(other, system) if isinstance(other, WindowGroup) else [other.source]
    return tuple(dict.fromkeys(found))


def _read(group: WindowGroup, system: System) -> list[WindowGroup | TableGroup]:
    return [one for one in system.relational if one.name in read_groups(group)]


def reads_label(group: WindowGroup, system: System) -> bool:
    """Say whether an aggregate of the group reads the label of its source's rows."""
    label = system.label
    if label is None or label.of != group.source:
        return False
    read = [expression for one in group.aggregates for expression in (one.value, one.where) if expression is not None]
    return label.name in {node.name for expression in read for node in columns(expression) if node.qualifier is None}


def used_sources(system: System) -> list[str]:
    """Return the sources that stored groups read, and the label's where one of them reads it."""
    names = [source for group in system.stored for source in group.sources]
    if system.label is not None and any(reads_label(group, system) for group in system.windows):
        names.append(system.label.source)
    return list(dict.fromkeys(names))


def events_function(group: WindowGroup, system: System, names: ScriptNames, imports: Imports) -> str:
    """Return the function that gives the events of a group with the values that its aggregates read."""
    label = system.label
    source = names.frame(group.source)
    parameters = [f"{names.frame(name)}: pl.LazyFrame" for name in read_sources(group, system)]
    lines: list[str] = []
    result = source
    if reads_label(group, system) and label is not None:
        if label.source != group.source:
            lines += assigned("labels", Raw(labels_of(label, names)), 1)
            result = f'{source}.join(labels, on={literal(label.join or "")}, how="left", maintain_order="left_right")'
        elif label.name != label.column:
            result = f"{source}.with_columns({_renamed(label.column, label.name)})"
    holder = system.source(group.source)
    for other in _read(group, system):
        if result != "events":
            lines += assigned("events", Raw(result), 1)
            result = "events"
        lines += assigned("events", _beside(other, group, system, names, imports), 1)
    named = tuple(
        (computed_name(one, holder), Raw(_value(one, imports))) for one in group.aggregates if has_own_value(one)
    )
    if named:
        if result not in (source, "events"):
            lines += assigned("events", Raw(result), 1)
            result = "events"
        lines.append(f"return {result}.with_columns(")
        lines += [f"    {name}={emit(value, 2, len(name) + 2)}," for name, value in named]
        lines.append(")")
    else:
        lines += [f"return {emit(Raw(result), 1, 7)}"]
    body = "\n".join(f"    {text}" for text in lines)  # what follows the first line of a text is indented already
    doc = f'    """Return the events of `{group.name}` with the values that its aggregates read."""'
    opening = f"def {names.events(group)}({', '.join(parameters)}) -> pl.LazyFrame:"
    return f"{pointer(group.span)}\n{opening}\n{doc}\n{body}"


def _beside(
    other: WindowGroup | TableGroup, group: WindowGroup, system: System, names: ScriptNames, imports: Imports
) -> Call:
    """Return the call that puts another group's features, as of each event, beside the events."""
    imports.add(f"{FEATURES}.dataset", "beside_log")
    time = (("time", system.source(group.source).event_time),)
    declared = Raw(names.group(other))
    if isinstance(other, WindowGroup):
        imports.add(f"{FEATURES}.out_of_core", "window_features_from")
        values = Call("window_features_from", (events_call(other, system, names), Raw("events"), declared), time)
    else:
        imports.add(f"{FEATURES}.asof", "column_features")
        values = Call("column_features", (Raw(names.frame(other.source)), Raw("events"), declared), time)
    return Call("beside_log", (Raw("events"), other.name, values))


def labels_of(label: Label, names: ScriptNames) -> str:
    """Return the source of the labels by the column that joins them to the examples."""
    column = (
        literal(label.column) if label.column == label.name else f"{identifier(label.name)}={literal(label.column)}"
    )
    return f"{names.frame(label.source)}.select({literal(label.join or '')}, {column})"


def _value(one: Aggregate, imports: Imports) -> str:
    """Return the column that an aggregate reads; where its condition is not true it is null, so it does not count."""
    value = "pl.lit(value=True)" if one.value is None else _polars(one.value, imports)
    if one.where is not None:
        value = f"pl.when({_polars(one.where, imports)}).then({value})"
    return value


def _polars(expression: Expression, imports: Imports) -> str:
    code = to_polars(expression, lambda column: column.path)
    imports.add_lines(code.imports)
    return code.text


def _renamed(column: str, name: str) -> str:
    return literal(column) if column == name else f"{name}={literal(column)}"
