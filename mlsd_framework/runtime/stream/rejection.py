"""Why an event is no event of its source: the reason under which it is counted, and what is wrong, for people."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from mlsd_framework.runtime.data.schema import Column
from mlsd_framework.runtime.stream.event_type import json_type, plain_type

Reason = Literal["json", "missing", "null", "type", "range", "category", "size", "key_size", "future"]
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Rejected:
    """A payload, or one event of it, that goes to the dead letters."""

    partition: str
    position: str
    reason: Reason
    detail: str
    payload: bytes


def fault_of(event: object, columns: tuple[Column, ...]) -> tuple[Reason, str] | None:
    """Return the first thing that is wrong with a decoded event, in the order of the columns; None where nothing is.

    Fields that no column has are no fault.
    """
    if not isinstance(event, Mapping):
        return "type", f"the event is {_shown(event)}; an object is expected"
    for column in columns:
        found = _fault(column, event)
        if found:
            return found
    return None


def _fault(column: Column, event: Mapping[str, object]) -> tuple[Reason, str] | None:
    name = column.in_file
    if name not in event:
        return "missing", f"`{name}` is missing"
    value = event[name]
    if value is None:
        return None if column.nullable else ("null", f"`{name}` is null")
    try:
        msgspec.convert(value, json_type(column))
    except (msgspec.ValidationError, OverflowError) as fault:
        what = f"`{name}` is {_shown(value)}: {_told(str(fault))}"
        return _kind(column, value), what
    return None


def _kind(column: Column, value: object) -> Reason:
    try:
        msgspec.convert(value, plain_type(column))
    except (msgspec.ValidationError, OverflowError):
        whole = column.type.startswith("int") and isinstance(value, int) and not isinstance(value, bool)
        return "range" if whole else "type"
    return "category" if column.categories else "range"


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode(errors="replace")
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _told(message: str) -> str:
    named = {"float": "number", "int": "whole number", "str": "string", "bool": "true or false", "array": "list"}
    message = message.partition(" - at ")[0].replace("`", "")
    return re.sub(r"\b(float|int|str|bool|array)\b", lambda word: named[word[0]], message)
