"""`training/dataset.py`: examples, their label, and their features as of their moments."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlsd_framework.codegen.expressions_polars import to_polars
from mlsd_framework.codegen.python import WIDTH, Imports, constant, identifier, literal
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.expressions import Column, Expression, columns
from mlsd_framework.ir.features import RequestGroup, TableGroup, WindowGroup
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.system import System
from mlsd_framework.targets.training.features import events_call, reads_label

DATASET = "mlsd_framework.runtime.features.dataset"


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """The context of `training/dataset.py.j2`."""

    spec: str
    imports: str
    loads: list[str]
    label: list[str]
    stored: list[str]
    computed: list[str]


def dataset_file(system: System, spec: str) -> str:
    """Return the text of `training/dataset.py`."""
    examples, label = system.examples, system.label
    if examples is None or label is None:
        raise LookupError(system.name)
    imports = Imports()
    imports.add(DATASET, "with_known_labels", "write_dataset")
    ours = {"load", "WORKSPACE"}
    frames = dict.fromkeys([examples.name, label.source, *_needed(system)])
    ours |= {constant(name) for name in frames}
    stored = list(_stored(system, examples, imports, ours))
    computed = list(_computed(system, imports))
    imports.add("features", *ours)
    context = DatasetFile(
        spec=spec,
        imports="\n".join(imports.lines()),
        loads=[f"{identifier(name)} = load({constant(name)})" for name in frames],
        label=_label(label, examples),
        stored=stored,
        computed=computed,
    )
    return render("training/dataset.py.j2", context)


def _needed(system: System) -> list[str]:
    names = [group.source for group in (*system.windows, *system.tables)]
    if system.label is not None and any(reads_label(group, system) for group in system.windows):
        names.append(system.label.source)
    return names


def _label(label: Label, examples: Source) -> list[str]:
    rows = identifier(examples.name)
    lines = [pointer(label.span)]
    if label.source != examples.name:
        column = literal(label.column) if label.column == label.name else f"{identifier(label.name)}={literal(label.column)}"
        labels = f"{identifier(label.source)}.select({literal(label.join or '')}, {column})"
        lines.append(f"labels = {labels}")
        rows = f'{rows}.join(labels, on={literal(label.join or "")}, how="left", maintain_order="left")'
    elif label.column != label.name:
        rows = f"{rows}.rename({{{literal(label.column)}: {literal(label.name)}}})"
    return [*lines, f"rows = with_known_labels({rows}, {literal(label.name)})"]


def _stored(system: System, examples: Source, imports: Imports, ours: set[str]) -> Iterator[str]:
    for group in system.features:
        if isinstance(group, RequestGroup):
            continue
        imports.add(DATASET, "beside")
        name = f"{constant(group.name)}_GROUP"
        ours.add(name)
        time = literal(examples.event_time or "")
        yield ""
        yield pointer(group.span)
        if isinstance(group, WindowGroup):
            imports.add("mlsd_framework.runtime.features.offline", "window_features")
            ours.add(f"{identifier(group.name)}_events")
            yield f"events = {events_call(group, system)}"
            yield f"rows = beside(rows, {literal(group.name)}, window_features(events, rows, {name}, time={time}))"
        elif isinstance(group, TableGroup):
            imports.add("mlsd_framework.runtime.features.asof", "column_features")
            features = f"column_features({identifier(group.source)}, rows, {name}, time={time})"
            yield f"rows = beside(rows, {literal(group.name)}, {features})"


def _computed(system: System, imports: Imports) -> Iterator[str]:
    imports.add("polars as pl")
    for group in _in_order(system.computed):
        own = {one.name for one in group.computed}
        yield ""
        yield pointer(group.span)
        if group.columns:
            yield f"taken = {_names(group.columns)}"
            yield f"rows = rows.with_columns(pl.col(taken).name.prefix({literal(group.name + '.')}))"
        for one in group.computed:
            source = _polars(one.expression, group.name, own, imports)
            named = f"{source}.alias({literal(f'{group.name}.{one.name}')})"
            line = f"rows = rows.with_columns({named})"
            yield from [line] if len(line) <= WIDTH - 4 else ["rows = rows.with_columns(", f"    {named}", ")"]


def _names(names: tuple[str, ...]) -> str:
    from mlsd_framework.codegen.python import emit  # noqa: PLC0415 - laid out one level deep

    return emit(list(names), 1, 8)


def _polars(expression: Expression, group: str, own: set[str], imports: Imports) -> str:
    def name(column: Column) -> str:
        return f"{group}.{column.name}" if column.qualifier is None and column.name in own else column.path

    code = to_polars(expression, name)
    for line in code.imports:
        if line.startswith("from "):
            module, _, what = line.removeprefix("from ").partition(" import ")
            imports.add(module, what)
    return code.text if code.text.endswith(")") and not _open(code.text) else f"({code.text})"


def _open(text: str) -> bool:
    """Say whether an operator stands outside all brackets, so that `.alias` would bind to its last operand only."""
    depth = 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if depth == 0 and char == " ":
            return True
    return False


def _in_order(groups: tuple[RequestGroup, ...]) -> list[RequestGroup]:
    """Order groups so that each comes after those whose features it uses; circles were refused before."""
    ordered: list[RequestGroup] = []
    waiting = list(groups)
    while waiting:
        done = {group.name for group in ordered}
        pending = {group.name for group in waiting}
        ready = [group for group in waiting if not (_uses(group) & pending) - {group.name} - done]
        if not ready:  # features of two groups interleave: the file's order is as good as any
            return [*ordered, *waiting]
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered


def _uses(group: RequestGroup) -> set[str]:
    return {column.qualifier for one in group.computed for column in columns(one.expression) if column.qualifier is not None}
