"""Lower one aggregate, such as `sum(amount) where country = 'FI'`, to a function, a value and a condition."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Final, TypedDict

from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.features import Aggregate
from mlsd_framework.ir.types import DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.kinds import AggregateLowering
from mlsd_framework.lower.scope import NameScope
from mlsd_framework.spec.loading import Loc
from mlsd_framework.spec.quantities import parse_duration

LARGEST_LIST: Final = 1000
_CALL: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*\(")


@dataclass(frozen=True, slots=True)
class TypedAggregate:
    """An aggregate with the type of its result."""

    aggregate: Aggregate
    type: DataType


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of the aggregate's text that is an expression."""

    text: str
    start: int


def lower_aggregate(
    group: str, name: str, text: str, scope: NameScope, kinds: Mapping[str, AggregateLowering], context: Context
) -> TypedAggregate | None:
    """Return the aggregate, or none after reporting its faults."""
    at: Loc = ("features", group, "aggregate", name)
    split = _split(text)
    if split is None:
        context.report(
            "E2041",
            f"`features.{group}.aggregate.{name}` is not an aggregate",
            at,
            expected="such as `count()`, `sum(amount)` or `count() where amount > 10`",
        )
        return None
    function, arguments, condition = split
    kind = kinds.get(function)
    if kind is None:
        start = text.index(function)
        place = context.text_place(at).locate(text, start, start + len(function))
        context.unknown("E2040", f"`{function}` is not an aggregate", at, function, kinds, place=place)
        return None
    before = len(context.faults)
    value = _expression(arguments[0] if arguments else None, text, scope, at, context)
    parameter = _parameter(name, kind, arguments[1:], at, context)
    where = _expression(condition, text, scope, at, context)
    if len(context.faults) > before:
        return None
    result = kind.result(value.type if value is not None else None)
    if result is None:
        what = f"`{function}` does not take `{value.type}`" if value is not None else f"`{function}` lacks a value"
        context.report("E2041", what, at, expected=kind.takes)
        return None
    if where is not None and where.type.name != "bool":
        context.report("E2041", f"the condition of `{name}` is of type `{where.type}`", at, expected="`bool`")
        return None
    aggregate = Aggregate(name, function, value, where, **parameter, span=context.span(at, key=True))
    return TypedAggregate(aggregate, result)


class _Parameters(TypedDict, total=False):
    n: int
    half_life: timedelta
    exact: int


def _parameter(name: str, kind: AggregateLowering, parts: Sequence[_Part], at: Loc, context: Context) -> _Parameters:
    """Read what stands beside the value: a number by its place, or `half_life: 3d` by its name."""
    wanted = kind.parameter
    if (parts and wanted is None) or len(parts) > 1 or (wanted is not None and wanted.required and not parts):
        how = "lacks something beside its value" if not parts else "has too much beside its value"
        context.report("E2041", f"`{name}` {how}", at, expected=kind.takes)
        return {}
    if not parts or wanted is None:
        return {}
    label, colon, value = parts[0].text.rpartition(":")
    named = label.strip() == wanted.name if colon else wanted.name == "n"
    try:
        if wanted.name == "half_life":
            return {"half_life": _positive(parse_duration(value.strip() if named else ""))}
        number = int(value if named else "")
    except ValueError:  # a pydantic error is one
        context.report("E2041", f"`{name}` has `{parts[0].text.strip()}` beside its value", at, expected=kind.takes)
        return {}
    if not 1 <= number <= LARGEST_LIST:
        expected = f"1 to {LARGEST_LIST}"
        context.report("E2041", f"`{name}` has {number} beside its value", at, expected=expected)
    return {"n": number} if wanted.name == "n" else {"exact": number}


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise ValueError(length)
    return length


def _split(text: str) -> tuple[str, list[_Part], _Part | None] | None:
    """Take `f(x, y) where c` apart at its own brackets and commas, outside quotes."""
    call = _CALL.match(text)
    if call is None:
        return None
    depth, quoted, end, edges = 1, False, None, [call.end()]
    for index in range(call.end(), len(text)):
        char = text[index]
        if char == "'":
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                end = index
                break
        elif not quoted and char == "," and depth == 1:
            edges.append(index + 1)
    if end is None:
        return None
    arguments = [_Part(text[a : b - 1], a) for a, b in pairwise([*edges, end + 1])]
    rest = text[end + 1 :]
    where = re.match(r"\s+where\s+", rest, re.IGNORECASE)
    if rest.strip() and where is None:
        return None
    condition = _Part(rest[where.end() :], end + 1 + where.end()) if where else None
    return call[1], [] if len(arguments) == 1 and not arguments[0].text.strip() else arguments, condition


def _expression(part: _Part | None, whole: str, scope: NameScope, at: Loc, context: Context) -> Expression | None:
    if part is None:
        return None
    return context.typed(part.text, scope, context.text_place(at).part(whole, part.start))
