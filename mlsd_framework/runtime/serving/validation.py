"""What is wrong with a request, all of it at once. The fast path is msgspec's; this runs only after it has said no."""

import difflib
import math
import re
from collections.abc import Iterator
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_T = TypeVar("_T")
_SHOWN = 60


class Fault(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One thing that is wrong: where, what has to be there, what is there."""

    path: str
    expected: str
    got: str
    help: str = ""


class MalformedError(ValueError):
    """The body is not JSON."""


class UnfitError(ValueError):
    """The body is JSON of another type than the endpoint's."""

    def __init__(self, faults: list[Fault]) -> None:
        """Carry every fault, in the order of the type's fields."""
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


def explain(body: bytes, kind: type[_T], depth: int) -> _T:
    """Raise what is wrong with `body` as a `kind`: `MalformedError`, or `UnfitError` with all faults.

    Returns the value when nothing is wrong, which the caller's fast path would have found.
    """
    if _deeper(body, depth):
        message = f"the body is nested deeper than {depth} levels"
        raise MalformedError(message)
    try:
        value: Json = msgspec.json.Decoder(float_hook=float).decode(body)
    except UnicodeDecodeError as fault:
        message = f"byte {fault.start} is not UTF-8"
        raise MalformedError(message) from fault
    except (msgspec.DecodeError, RecursionError) as fault:
        raise MalformedError(_position(body, str(fault))) from fault
    faults = list(_faults(value, kind, ""))
    if faults:
        raise UnfitError(faults)
    return msgspec.json.decode(body, type=kind)


def _faults(value: Json, kind: Any, path: str) -> Iterator[Fault]:  # noqa: ANN401 - a type as `typing` writes it
    struct = _struct(kind)
    if struct is None or not isinstance(value, dict):
        yield from _fault(value, kind, path)
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name, field in fields.items():
        where = f"{path}.{name}" if path else name
        if name in value:
            yield from _faults(value[name], field.type, where)
        elif field.required and not difflib.get_close_matches(name, value.keys() - fields.keys(), n=1):
            yield Fault(path=where, expected=_expected(field.type), got="nothing")
    if struct.__struct_config__.forbid_unknown_fields:
        yield from (_unknown(name, value[name], list(fields), path) for name in value if name not in fields)


def _fault(value: Json, kind: Any, path: str) -> Iterator[Fault]:  # noqa: ANN401 - the same
    if isinstance(value, float) and not math.isfinite(value):
        yield Fault(path=path or "$", expected="a number of at most 1.8e308", got=_got(value))
        return
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as fault:
        message, _, place = str(fault).partition(" - at ")
        inner = re.match(r"`\$(\S*)`", place)
        where = path + (inner.group(1) if inner else "")
        if inner and re.fullmatch(r"(\[\d+\])+", inner.group(1)):
            for number in re.findall(r"\d+", inner.group(1)):
                value, kind = value[int(number)], _element(kind)  # type: ignore[index]  # msgspec was there
        yield Fault(path=where.lstrip(".") or "$", expected=_wanted(message, kind), got=_got(value))


def _element(kind: Any) -> Any:  # noqa: ANN401 - the same
    """Return the type of the elements of a list."""
    if get_origin(kind) in (list, tuple):
        return get_args(kind)[0]
    return next((found for one in get_args(kind) if (found := _element(one)) is not None), None)


def _unknown(name: str, value: Json, fields: list[str], path: str) -> Fault:
    near = difflib.get_close_matches(name, fields, n=1)
    return Fault(
        path=f"{path}.{name}" if path else name,
        expected="no field of this name",
        got=_got(value),
        help=f"did you mean `{near[0]}`?" if near else "",
    )


def _struct(kind: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401 - the same
    for candidate in (kind, *get_args(kind)):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return candidate
    return None


def _wanted(message: str, kind: Any) -> str:  # noqa: ANN401 - the same
    found = re.match(r"Expected (.*?)(, got .*)?$", message)
    wanted = found.group(1).replace("`", "") if found else _expected(kind)
    named = {"float": "number", "int": "whole number", "str": "string", "bool": "true or false"}
    wanted = re.sub(r"\b(float|int|str|bool)\b", lambda word: named[word.group()], wanted)
    if "RFC3339" in message or "timezone" in message or "datetime" in wanted:
        wanted = "ISO 8601 date and time with zone, such as 2026-01-31T12:00:00Z"
    return wanted.replace(" | null", " or null")


def _expected(kind: Any) -> str:  # noqa: ANN401 - the same
    """Return what msgspec would say it expects where something impossible came; of a choice every value."""
    if get_origin(kind) is Literal:
        return f"one of: {', '.join(map(str, get_args(kind)))}"
    try:
        msgspec.convert(_Nothing(), kind)
    except msgspec.ValidationError as fault:
        return _wanted(str(fault), kind)
    return "a value"


class _Nothing:
    """Of no type that a request can have."""


def _got(value: Json) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "a number out of range"
    shown = msgspec.json.encode(value).decode()
    names = {str: "string", int: "number", float: "number", dict: "object", list: "array"}
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
    name = names.get(type(value))
    return f"{name} {shown}" if name else shown


def _position(body: bytes, message: str) -> str:
    found = re.search(r"\(byte (\d+)\)", message)
    if not found:
        return message.removesuffix(".")
    at = int(found.group(1))
    line = body.count(b"\n", 0, at) + 1
    column = at - (body.rfind(b"\n", 0, at) + 1) + 1
    what = message[: found.start()].removeprefix("JSON is malformed: ").strip()
    hint = _constant(body, at)
    return f"{what} at line {line}, column {column}{hint}"


def _constant(body: bytes, at: int) -> str:
    around = re.search(rb"NaN|-?Infinity", body[max(0, at - 2) : at + 12])
    return f": `{around.group().decode()}` is not JSON" if around else ""


def _deeper(body: bytes, depth: int) -> bool:
    level = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', body):
        first = body[token.start()]
        if first in b"[{":
            level += 1
            if level > depth:
                return True
        elif first in b"]}":
            level -= 1
    return False
