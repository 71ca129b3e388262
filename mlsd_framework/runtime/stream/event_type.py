"""From a source's schema to the type that msgspec decodes one event as: JSON of any other shape is no event."""

import math
from typing import Annotated, Any, Literal

import msgspec

from mlsd_framework.runtime.data.schema import FLOATS, INTEGERS, TEXTS, Column, SourceTable

_BITS = {"int8": 7, "int16": 15, "int32": 31, "int64": 63}


def event_columns(table: SourceTable) -> tuple[Column, ...]:
    """Return the columns that an event has: all but a row number, which only files have."""
    return tuple(column for column in table.columns if column.name != table.row_number)


def event_type(table: SourceTable, unknown: tuple[str, ...] = ()) -> type[msgspec.Struct]:
    """Return a struct with the fields `c0`, `c1` … for the columns in order, encoded by the columns' names in files.

    Every column has to be there; one that is nullable may be null. A field that no column has is refused, except
    those of `unknown`: they may be there and are `u0`, `u1` ….
    """
    columns = event_columns(table)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (f"c{at}", json_type(column)) for at, column in enumerate(columns)
    ]
    fields += [(f"u{at}", Any, msgspec.UNSET) for at in range(len(unknown))]
    names = {f"c{at}": column.in_file for at, column in enumerate(columns)}
    names |= {f"u{at}": name for at, name in enumerate(unknown)}
    return msgspec.defstruct("Event", fields, rename=names, forbid_unknown_fields=True, gc=False)


def json_type(column: Column) -> Any:  # noqa: ANN401 - a type as `typing` writes it
    """Return the type of a column's values in JSON, with its bounds, categories and null."""
    kind = _present(column)
    return kind | None if column.nullable else kind


def plain_type(column: Column) -> Any:  # noqa: ANN401 - the same
    """Return the type of a column's values without bounds and categories, to tell a wrong type from a wrong value."""
    return _present(Column(name=column.name, type=column.type, time_format=column.time_format))


def _present(column: Column) -> Any:  # noqa: ANN401 - the same
    if column.type.startswith("list<"):
        return list[_present(Column(name=column.name, type=column.type[5:-1], time_format=column.time_format))]  # type: ignore[misc] # made at run time
    if column.type in INTEGERS:
        low, high = -(2 ** _BITS[column.type]), 2 ** _BITS[column.type] - 1
        low = low if column.minimum is None else max(low, math.ceil(column.minimum))
        high = high if column.maximum is None else min(high, math.floor(column.maximum))
        return Annotated[int, msgspec.Meta(ge=low, le=high)]
    if column.type in FLOATS:
        return Annotated[float, msgspec.Meta(ge=column.minimum, le=column.maximum)]
    if column.type in TEXTS:
        return Literal[column.categories] if column.categories else str
    if column.type == "bool":
        return bool
    is_text = column.type != "duration" and column.time_format in (None, "iso")
    return str if is_text else int | float
