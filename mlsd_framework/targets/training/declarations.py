"""Sources and stored feature groups as declarations of the runtime."""

from collections.abc import Iterator

from mlsd_framework.codegen.places import data_paths
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, emit, given
from mlsd_framework.codegen.service_code import pointer
from mlsd_framework.codegen.store_types import store_dtype
from mlsd_framework.ir.expressions import Column as ColumnNode
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.features import Aggregate, DerivedGroup, Reading, TableGroup, WindowGroup
from mlsd_framework.ir.sources import Checks, Column, Files, Source
from mlsd_framework.ir.system import System
from mlsd_framework.targets.training.names import ScriptNames

DATA = "mlsd_framework.runtime.data"
FEATURES = "mlsd_framework.runtime.features"
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
            yield f"{pointer(group.span)}\n{name} = {emit(_window_group(group, system, imports), 0, len(name) + 3)}"
        elif isinstance(group, TableGroup):
            name = names.group(group)
            yield f"{pointer(group.span)}\n{name} = {emit(_table_group(group, system, imports), 0, len(name) + 3)}"
        elif isinstance(group, DerivedGroup):
            name = names.group(group)
            call = _derived_group(group, system, names, imports)
            yield f"{pointer(group.span)}\n{name} = {emit(call, 0, len(name) + 3)}"


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


def _window_group(group: WindowGroup, system: System, imports: Imports) -> Call:
    imports.add(f"{FEATURES}.windows", "Aggregate", "WindowGroup")
    imports.add("datetime", "timedelta")
    source = system.source(group.source)
    named = given(
        name=group.name,
        entity=group.key,
        source=group.source,
        event_time=source.event_time,
        windows=group.windows,
        aggregates=tuple(_aggregate(one, source) for one in group.aggregates),
        refresh=group.refresh,
        delay=group.delay or None,
        key=source.key,
    )
    return Call("WindowGroup", (), named)


def _aggregate(one: Aggregate, source: Source) -> Call:
    column = value_column(one, source)
    return Call("Aggregate", (one.name, one.function, *([column] if column is not None else [])))


def computed_name(one: Aggregate, source: Source) -> str:
    """Return what the column is called that holds an aggregate's own value; a column of the source keeps its name."""
    name = f"{one.name}_value"
    while source.column(name) is not None:
        name += "_"
    return name


def value_column(one: Aggregate, source: Source) -> str | None:
    """Return the column of the events that an aggregate reads: a column of the source, or one computed beforehand."""
    if plain(one.value) is not None and one.where is None:
        return plain(one.value)
    return None if one.value is None and one.where is None else computed_name(one, source)


def plain(expression: Expression | None) -> str | None:
    """Return the name of the column that an expression is, or none where it is more."""
    return expression.name if isinstance(expression, ColumnNode) and expression.qualifier is None else None


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


def _derived_group(group: DerivedGroup, system: System, names: ScriptNames, imports: Imports) -> Call:
    imports.add(f"{FEATURES}.derived", "DerivedGroup", "Reading")
    imports.add(f"{FEATURES}.windows", "FeatureColumn")
    imports.add("datetime", "timedelta")
    module, _, function = group.function.partition(":")
    imports.add(module, f"{function} as {names.function(group)}")
    columns: tuple[Item, ...] = tuple(
        Call("FeatureColumn", (one.name, store_dtype(one.type), *([default] if default is not None else [])))
        for one, default in zip(group.features, group.defaults, strict=True)
    )
    settings: tuple[tuple[Item, Item], ...] = tuple((name, value) for name, value in group.settings)
    named = given(
        name=group.name,
        entity=group.key,
        readings=tuple(_reading(one, system) for one in group.readings),
        function=Raw(names.function(group)),
        columns=columns,
        refresh=group.refresh,
        window=group.window,
        delay=group.delay or None,
        settings=Mapping(settings) if settings else None,
    )
    return Call("DerivedGroup", (), named)


def _reading(one: Reading, system: System) -> Call:
    source = system.source(one.source)
    named = given(
        source=source.name,
        columns=one.columns,
        distinct=one.distinct or None,
        event_time=source.event_time,
        ingest_time=source.ingest_time,
        key=source.key,
    )
    return Call("Reading", (), named)


def frames(group: DerivedGroup, names: ScriptNames) -> Mapping:
    """Return the frames that a derived group is computed from, by the names of their sources."""
    return Mapping(tuple((source, Raw(names.frame(source))) for source in group.sources))
