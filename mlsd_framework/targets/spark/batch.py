"""`spark/batch.py`: training columns and stored groups as a Spark job, of the declarations of the training scripts."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mlsd_framework.codegen.events_code import reads_label, used_sources
from mlsd_framework.codegen.feature_code import has_own_value
from mlsd_framework.codegen.layout import INDENT, WIDTH
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, given, literal
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.features import DerivedGroup, RequestGroup, TableGroup, WindowGroup
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.system import System

JOB = "mlsd_framework.runtime.spark.job"
SPARK = "mlsd_framework.runtime.spark"


@dataclass(frozen=True, slots=True)
class BatchFile:
    """The context of `spark/batch.py.j2`."""

    spec: str
    imports: str
    scripts: str
    prepared: list[str]
    training_of: str
    training: list[str]
    groups_of: str
    groups: list[str]
    begun: list[str]
    trained: list[str]
    written: list[str]


def batch_file(system: System, spec: str) -> str:
    """Return the text of `spark/batch.py`."""
    script = _Batch(system)
    script.imports.add("sys")
    script.imports.add("pathlib", "Path")
    script.imports.add("datetime", "datetime")
    script.imports.add("pyspark.sql", "DataFrame")
    stored, examples = used_sources(system), _example_sources(system)
    sources = list(dict.fromkeys([*examples, *stored]))
    prepared = [script.prepared(group) for group in system.windows if script.label_of(group)]
    training, groups = list(script.training()) if examples else [], list(script.groups())
    begun, written = list(script.begun(sources, trains=bool(examples))), list(script.written(stored))
    context = BatchFile(
        spec=spec,
        imports="\n".join(script.imports.lines()),
        scripts="\n".join(script.scripts.lines()),
        prepared=prepared,
        training_of=script.signature("training", sources, (), "DataFrame"),
        training=training,
        groups_of=script.signature("groups", stored, ("as_of: datetime",), "dict[str, tuple[Group, DataFrame]]"),
        groups=groups,
        begun=begun,
        trained=script.trained(sources) if examples else [],
        written=written,
    )
    return render("spark/batch.py.j2", context)


def _example_sources(system: System) -> list[str]:
    if system.label is None or system.examples is None or not system.models:
        return []
    return [system.examples.name, system.label.source]


@dataclass
class _Batch:
    """The script as it grows: its names and its imports, those of the training scripts apart."""

    system: System
    imports: Imports = field(default_factory=Imports)
    scripts: Imports = field(default_factory=Imports)

    def __post_init__(self) -> None:
        self.names = ScriptNames(self.system)

    def signature(self, function: str, sources: list[str], others: tuple[str, ...], result: str) -> str:
        """Return the `def` of a function of the sources' frames, broken as a formatter breaks it."""
        parameters = [*(f"{self.names.frame(name)}: DataFrame" for name in sources), *others]
        line = ", ".join(parameters)
        if len(f"def {function}({line}) -> {result}:") > WIDTH:
            inner = line if len(INDENT) + len(line) <= WIDTH else f",\n{INDENT}".join(parameters) + ","
            line = f"\n{INDENT}{inner}\n"
        return f"def {function}({line}) -> {result}:"

    def label_of(self, group: WindowGroup) -> Label | None:
        """Return the label that a group reads where it is in another source than the group's events."""
        label = self.system.label
        return label if label and reads_label(group, self.system) and label.source != group.source else None

    def prepared(self, group: WindowGroup) -> str:
        label = self.label_of(group)
        if label is None:
            raise LookupError(group.name)
        self.imports.add("polars as pl")
        on, name = literal(label.join or ""), literal(label.name)
        chosen = name if label.column == label.name else f"{label.column}={name}"
        return "\n".join(
            [
                pointer(group.span),
                f"def {self.names.prepared(group)}(rows: pl.LazyFrame) -> pl.LazyFrame:",
                f'    """Return the events of `{group.name}`, of rows that have their label beside them."""',
                f"    labels = rows.select({on}, {chosen}).unique({on})",
                f"    return {self.names.events(group)}(rows.drop({name}), labels)",
            ]
        )

    def training(self) -> Iterator[str]:
        system, label, examples = self.system, self.system.label, self.system.examples
        if label is None or examples is None:
            raise LookupError(system.name)
        self.imports.add(JOB, "known", "write_training")
        rows: Item = Raw(self.names.frame(examples.name))
        if label.source != examples.name:
            rows = self.labelled(examples.name, label)
        elif label.column != label.name:
            rows = Raw(
                f"{self.names.frame(examples.name)}.withColumnRenamed({literal(label.column)}, {literal(label.name)})"
            )
        yield pointer(label.span)
        yield from assigned("rows", Call("known", (rows, label.name)), 1)
        for group in system.features:
            if not isinstance(group, RequestGroup | DerivedGroup):
                yield ""
                yield pointer(group.span)
                yield from assigned("rows", self.beside(group, str(examples.event_time)), 1)
        if system.computed:
            self.imports.add(f"{SPARK}.arrow", "mapped")
            self.scripts.add("dataset", "with_computed")
            yield ""
            yield "return mapped(rows, with_computed)"
        else:
            yield "return rows"

    def labelled(self, source: str, label: Label) -> Call:
        self.imports.add(JOB, "labelled")
        frames = (Raw(self.names.frame(source)), Raw(self.names.frame(label.source)))
        renamed = (label.column,) if label.column != label.name else ()
        return Call("labelled", (*frames, label.join or "", label.name, *renamed))

    def beside(self, group: WindowGroup | TableGroup, time: str) -> Call:
        declared = Raw(self.names.group(group))
        self.scripts.add("features", declared.text)
        named = given(time=time, prefix=f"{group.name}.")
        if isinstance(group, TableGroup):
            self.imports.add(f"{SPARK}.tables", "column_features_spark")
            return Call("column_features_spark", (Raw(self.names.frame(group.source)), Raw("rows"), declared), named)
        self.imports.add(f"{SPARK}.windows", "window_features_spark")
        events, prepare = self.events(group)
        return Call("window_features_spark", (events, Raw("rows"), declared), (*named, *prepare))

    def events(self, group: WindowGroup) -> tuple[Item, tuple[tuple[str, Item], ...]]:
        """Return the frame of a group's events, and what prepares them, where there is anything to prepare."""
        label = self.label_of(group)
        frame = self.labelled(group.source, label) if label else Raw(self.names.frame(group.source))
        if label is None and not reads_label(group, self.system) and not any(map(has_own_value, group.aggregates)):
            return frame, ()
        self.scripts.add("features", self.names.events(group))
        return frame, (("prepare", Raw(self.names.prepared(group) if label else self.names.events(group))),)

    def groups(self) -> Iterator[str]:
        entries: list[tuple[Item, Item]] = []
        for group in self.system.relational:
            declared = Raw(self.names.group(group))
            self.scripts.add("features", declared.text)
            if isinstance(group, WindowGroup):
                self.imports.add(f"{SPARK}.windows", "materialise_spark")
                events, prepare = self.events(group)
                rows = Call("materialise_spark", (events, declared, Raw("as_of")), prepare)
            else:
                self.imports.add(f"{SPARK}.tables", "current_rows_spark")
                rows = Call("current_rows_spark", (Raw(self.names.frame(group.source)), declared, Raw("as_of")))
            entries.append((group.name, (declared, rows)))
        self.imports.add(JOB, "Group")
        yield from f"return {emit(Mapping(tuple(entries)), 1, len('return '))}".split("\n    ")

    def begun(self, sources: list[str], *, trains: bool) -> Iterator[str]:
        """Yield how the job begins: its arguments, its session, its sources."""
        names, system = self.names, self.system
        self.imports.add(JOB, "parse", "session")
        self.imports.add(f"{SPARK}.sources", "load_spark")
        self.scripts.add("features", "PROJECT", "WORKSPACE", *(names.table(system.source(name)) for name in sources))
        choices: Item = ["training", "groups"] if trains else ["groups"]
        yield from assigned("arguments", Call("parse", (Raw("__doc__"), choices)), 1)
        yield from assigned("spark", Call("session", (system.name, sorted(self.scripts.names))), 1)
        for name in sources:
            yield f"{names.frame(name)} = load_spark(spark, {names.table(system.source(name))}, PROJECT)"

    def written(self, sources: list[str]) -> Iterator[str]:
        """Yield how the groups of `sources` are written."""
        self.imports.add(JOB, "end_of", "write_groups")
        logs = {group.source: self.system.source(group.source).event_time for group in self.system.relational}
        ends: tuple[Item, ...] = tuple((Raw(self.names.frame(name)), time) for name, time in logs.items() if time)
        yield from assigned("as_of", Call("end_of", ends), 1, sign="= arguments.as_of or")
        made = Call("groups", (*(Raw(self.names.frame(name)) for name in sources), Raw("as_of")))
        yield from _called("write_groups", made, Raw("as_of"))

    def trained(self, sources: list[str]) -> list[str]:
        """Return how the training columns are written."""
        return _called("write_training", Call("training", tuple(Raw(self.names.frame(name)) for name in sources)))


def _called(function: str, *items: Item) -> list[str]:
    return emit(Call(function, (*items, Raw("arguments.out"), Raw("WORKSPACE"))), 1).split("\n    ")
