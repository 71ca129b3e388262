"""Window groups as declarations of the runtime, for the scripts and the service alike."""

from mlsd_framework.codegen.python import Call, Imports, Mapping, given
from mlsd_framework.codegen.store_types import store_dtype
from mlsd_framework.ir.expressions import Column, Expression
from mlsd_framework.ir.features import Aggregate, TableGroup, WindowGroup
from mlsd_framework.ir.sources import Source

FEATURES = "mlsd_framework.runtime.features"


def window_group(group: WindowGroup, source: Source, imports: Imports) -> Call:
    """Return the declaration of a group for the runtime; its imports are added."""
    imports.add(f"{FEATURES}.windows", "Aggregate", "WindowGroup")
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
        resolution=group.resolution,
        ingest_time=source.ingest_time,
        allowed_lateness=source.allowed_lateness,
    )
    lengths = [*group.windows, group.refresh, group.delay or None, group.resolution, source.allowed_lateness]
    if any(lengths) or any(one.half_life for one in group.aggregates):
        imports.add("datetime", "timedelta")
    return Call("WindowGroup", (), named)


def table_group(group: TableGroup, source: Source, imports: Imports) -> Call:
    """Return the declaration of a group of a table's columns for the runtime; its imports are added."""
    imports.add(f"{FEATURES}.columns", "ColumnGroup")
    named = given(
        name=group.name,
        entity=group.key,
        source=group.source,
        columns=group.columns,
        valid_from=source.event_time,
        valid_to=source.valid_to,
        ingest_time=source.ingest_time if source.event_time is not None else None,
        key=source.key if source.event_time is not None else (),
    )
    return Call("ColumnGroup", (), named)


def _aggregate(one: Aggregate, source: Source) -> Call:
    column = value_column(one, source)
    named = given(n=one.n, half_life=one.half_life, exact=one.exact)
    return Call("Aggregate", (one.name, one.function, *([column] if column is not None else [])), named)


def state_dtypes(group: WindowGroup, source: Source) -> Mapping:
    """Return the types of the columns that the states of a live group are made of: the source's key, and values."""
    types = {column.name: store_dtype(column.type) for column in source.columns if column.name in source.key}
    for one in group.aggregates:
        column = value_column(one, source)
        if column is not None:
            types[column] = "bool" if one.value is None else store_dtype(one.value.type)
    return Mapping(tuple(types.items()))


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
    return expression.name if isinstance(expression, Column) and expression.qualifier is None else None


def has_own_value(one: Aggregate) -> bool:
    """Say whether an aggregate reads a column that has to be computed first."""
    return one.where is not None or (one.value is not None and plain(one.value) is None)
