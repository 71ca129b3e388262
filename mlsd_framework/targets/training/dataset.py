"""`training/dataset.py`: examples, their label, and their features as of their moments."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from mlsd_framework.codegen.events_code import labels_of, used_sources
from mlsd_framework.codegen.expressions_polars import to_polars
from mlsd_framework.codegen.python import Call, Imports, Item, Raw, assigned, emit, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.codegen.values_code import DATASET, returning, signature, values_beside
from mlsd_framework.ir.expressions import Column, Expression, columns
from mlsd_framework.ir.features import Computed, RequestGroup
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.system import System


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """The context of `training/dataset.py.j2`."""

    spec: str
    imports: str
    signature: str
    examples: list[str]
    computed: list[str]
    loads: list[str]
    written: list[str]


def dataset_file(system: System, spec: str) -> str:
    """Return the text of `training/dataset.py`."""
    examples, label = system.examples, system.label
    if examples is None or label is None:
        raise LookupError(system.name)
    script = _Dataset(system, ScriptNames(system), Imports())
    script.imports.add(DATASET, "with_known_labels", "write_dataset")
    script.ours("load", "WORKSPACE")
    script.imports.add("polars as pl")
    sources = example_sources(system)
    body, computed = [*script.label(label, examples), *script.stored(examples)], script.returned()
    passed = [script.names.frame(name) for name in sources]
    context = DatasetFile(
        spec=spec,
        imports="",
        signature=signature("examples", [f"{frame}: pl.LazyFrame" for frame in passed], "pl.DataFrame"),
        examples=[*body, "return with_computed(rows)"] if computed else returning(body),
        computed=computed,
        loads=[script.load(name) for name in sources],
        written=called(Call("write_dataset", (Call("examples", tuple(map(Raw, passed))), Raw("WORKSPACE")))),
    )
    return render("training/dataset.py.j2", replace(context, imports="\n".join(script.imports.lines())))


def example_sources(system: System) -> list[str]:
    """Return the sources that the training set is made of: of the examples, of the label, of the stored features."""
    named = [system.label.of, system.label.source] if system.label is not None else []
    return list(dict.fromkeys([*named, *used_sources(system)]))


def called(call: Call) -> list[str]:
    """Return a call as the lines of a function's body."""
    return emit(call, 1).replace("\n    ", "\n").split("\n")


@dataclass
class _Dataset:
    """The script as it grows: its names and its imports."""

    system: System
    names: ScriptNames
    imports: Imports

    def ours(self, *names: str) -> None:
        """Import names from `features.py`, which stands beside the script."""
        self.imports.add("features", *names)

    def load(self, source: str) -> str:
        table = self.names.table(self.system.source(source))
        self.ours(table)
        return f"{self.names.frame(source)} = load({table})"

    def label(self, label: Label, examples: Source) -> list[str]:
        rows = self.names.frame(examples.name)
        lines = [pointer(label.span)]
        if label.source != examples.name:
            lines += assigned("labels", Raw(labels_of(label, self.names)), 1)
            rows = f'{rows}.join(labels, on={literal(label.join or "")}, how="left", maintain_order="left_right")'
        elif label.column != label.name:
            rows = f"{rows}.rename({{{literal(label.column)}: {literal(label.name)}}})"
        return [*lines, *assigned("rows", Call("with_known_labels", (Raw(rows), label.name)), 1)]

    def stored(self, examples: Source) -> Iterator[str]:
        for group in self.system.features:
            if not isinstance(group, RequestGroup):
                yield from values_beside(group, self.system, self.names, self.imports, examples.event_time)

    def returned(self) -> list[str]:
        """Return the lines of the function that computes features; its last statement is what it returns."""
        lines = list(self.computed())[1:]
        if lines:
            return returning(lines)
        return lines

    def computed(self) -> Iterator[str]:
        above: RequestGroup | None = None
        for group in self.system.computed:
            if group.columns:
                self.imports.add("polars as pl")
                yield ""
                yield pointer(group.span)
                yield from assigned("taken", list(group.columns), 1)
                yield f"rows = rows.with_columns(pl.col(taken).name.prefix({literal(group.name + '.')}))"
                above = group
        for group, features in groupby(in_order(self.system.computed), key=lambda pair: pair[0]):
            self.imports.add(DATASET, "computed")
            named: tuple[tuple[str, Item], ...] = tuple(
                (one.name, Raw(self.polars(one.expression, group))) for _, one in features
            )
            if group != above:
                yield ""
                yield pointer(group.span)
            above = None
            yield from (
                ["rows = computed(", "    rows,", f"    {literal(group.name)},"]
                + [
                    line
                    for name, value in named
                    for line in f"    {name}={emit(value, 2, len(name) + 2)},".replace("\n    ", "\n").split("\n")
                ]
                + [")"]
            )

    def polars(self, expression: Expression, group: RequestGroup) -> str:
        own = {one.name for one in group.computed}

        def name(column: Column) -> str:
            return f"{group.name}.{column.name}" if column.qualifier is None and column.name in own else column.path

        code = to_polars(expression, name)
        self.imports.add_lines(code.imports)
        return code.text


def in_order(groups: tuple[RequestGroup, ...]) -> list[tuple[RequestGroup, Computed]]:
    """Order features so that each comes after those that it uses, of any group; circles were refused before."""
    known = {(group.name, one.name): (group, one) for group in groups for one in group.computed}
    ordered: dict[tuple[str, str], tuple[RequestGroup, Computed]] = {}

    def place(at: tuple[str, str]) -> None:
        group, one = known[at]
        for column in columns(one.expression):
            used = (column.qualifier or group.name, column.name)
            if used in known and used not in ordered and used != at:
                place(used)
        ordered[at] = (group, one)

    for at in known:
        if at not in ordered:
            place(at)
    return list(ordered.values())
