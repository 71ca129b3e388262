"""The request of an endpoint as a typed struct, with an example that fits it."""

from dataclasses import replace

from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, emit, given, identifier
from mlsd_framework.codegen.service_code import SERVING, pointer
from mlsd_framework.ir.serving import NOW, Default, Endpoint
from mlsd_framework.ir.sources import Column, Source
from mlsd_framework.ir.system import System

_TYPES = {
    "string": "str",
    "category": "str",
    "bool": "bool",
    "timestamp": "Moment",
    "date": "Day",
    "float32": "float",
    "float64": "float",
    "duration": "int",
}
LONGEST = 1000
"""The most values of a list in a request, and the most characters of a text."""
_EXAMPLES: dict[str, Item] = {
    "timestamp": "2026-01-31T12:00:00Z",
    "bool": False,
    "date": "2026-01-31",
    "string": "a",
    "category": "a",
}
_BITS = {"int8": 7, "int16": 15, "int32": 31, "int64": 63}


def event_struct(name: str, source: Source, imports: Imports) -> str:
    """Return the class `name` of a source's events: every column under its name in files; some may be null."""
    imports.add("msgspec", "Struct")
    fields = "\n".join(
        f"    {identifier(one.name)}: {_annotation(one, imports)}{_renamed(one, imports)}" for one in _event(source)
    )
    doc = f'    """An event of `{source.name}`, as its stream has it."""'
    return f"{pointer(source.span)}\nclass {name}(Struct, forbid_unknown_fields=True, kw_only=True):\n{doc}\n\n{fields}"


def _renamed(column: Column, imports: Imports) -> str:
    if column.file_column is None:
        return ""
    imports.add("msgspec", "field")
    return f" = {emit(Call('field', (), (('name', column.file_column),)))}"


def request_struct(name: str, endpoint: Endpoint, system: System, imports: Imports) -> str:
    """Return the class `name`; a column that can be null, or has a default, may be left out."""
    imports.add("msgspec", "Struct")
    left_out: dict[str, Default] = {column.name: None for column in endpoint.columns if column.type.nullable} | dict(
        endpoint.defaults
    )
    ordered = sorted(endpoint.columns, key=lambda column: column.name in left_out)
    fields = "\n".join(
        f"    {identifier(one.name)}: {_annotation(one, imports)}{_left_out(one, left_out)}" for one in ordered
    )
    span = system.source(endpoint.source).span if endpoint.source is not None else endpoint.span
    asked = f"A row of `{endpoint.source}`" if endpoint.source is not None else f"What `{endpoint.path}` is asked"
    doc = f'    """{asked}{" to answer" if endpoint.source is not None else ""}."""'
    return f"{pointer(span)}\nclass {name}(Struct, forbid_unknown_fields=True, kw_only=True):\n{doc}\n\n{fields}"


def _left_out(column: Column, values: dict[str, Default]) -> str:
    """Return what stands behind a field that may be left out; the moment `now` is known when the request has come."""
    if column.name not in values:
        return ""
    value = values[column.name]
    return " | None = None" if value == NOW and column.type.name == "timestamp" else f" = {emit(value)}"


def _annotation(column: Column, imports: Imports) -> str:
    item = column.type.item
    if item is not None:
        imports.add("typing", "Annotated")
        imports.add("msgspec", "Meta")
        each = _annotation(replace(column, type=item), imports)
        listed = f"Annotated[tuple[{each}, ...], {emit(Call('Meta', (), (('max_length', LONGEST),)))}]"
        return f"{listed} | None" if column.type.nullable else listed
    if column.values is not None:
        imports.add("typing", "Literal")
        base = f"Literal[{', '.join(emit(value) for value in column.values)}]"
    else:
        base = _plain(column, imports)
    return f"{base} | None" if column.type.nullable else base


def _plain(column: Column, imports: Imports) -> str:
    name = str(column.type.name)
    base = "int" if name in _BITS else _TYPES.get(name, "float")
    if base in ("Moment", "Day"):
        imports.add(f"{SERVING}.moments", base)
        return base
    low, high = column.minimum, column.maximum
    if base == "int" and name in _BITS and low is None and high is None and column.type.unit is None:
        imports.add(f"{SERVING}.whole", name.title())
        return name.title()
    named: tuple[tuple[str, Item], ...]
    if base == "int":
        bound = 2 ** _BITS.get(name, 63)
        named = (("ge", int(low) if low is not None else -bound), ("le", int(high) if high is not None else bound - 1))
    else:
        named = given(ge=low, le=high)
    named += given(description=column.type.unit)
    if base == "str":
        named = (("max_length", LONGEST),)
    if not named:
        return base
    imports.add("typing", "Annotated")
    imports.add("msgspec", "Meta")
    return f"Annotated[{base}, {emit(Call('Meta', (), named))}]"


def event_example(source: Source) -> Mapping:
    """Return an event that fits the types."""
    return Mapping(tuple((one.file_column or one.name, _example(one)) for one in _event(source)))


def _event(source: Source) -> list[Column]:
    """Return the columns that an event has: all but a row number, which only files have."""
    numbered = source.row_number
    return [one for one in source.columns if one.name != numbered]


def example(endpoint: Endpoint) -> str:
    """Return a request that fits the types; the version's real rows take its place when the service starts."""
    defaults = dict(endpoint.defaults)
    entries: list[tuple[Item, Item]] = [
        (
            column.name,
            _example(column) if defaults.get(column.name) == NOW else defaults.get(column.name, _example(column)),
        )
        for column in endpoint.columns
        if not column.type.nullable
    ]
    return emit(Mapping(tuple(entries)), 1, 8)


def _example(column: Column) -> Item:
    name = column.type.name
    if column.type.item is not None:
        return [_example(replace(column, type=column.type.item))]
    if column.values:
        return column.values[0]
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    low = column.minimum if column.minimum is not None else 1
    number = min(max(low, 1), column.maximum) if column.maximum is not None else max(low, 1)
    return float(number) if name in ("float32", "float64") else int(number)
