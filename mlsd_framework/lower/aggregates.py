"""Lower one aggregate, such as `sum(amount) where country = 'FI'`, to a function, a value and a condition."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.features import Aggregate
from mlsd_framework.ir.types import DataType
from mlsd_framework.lower.context import Context
from mlsd_framework.lower.kinds import AggregateLowering
from mlsd_framework.lower.scope import NameScope
from mlsd_framework.spec.loading import Loc

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
    function, argument, condition = split
    kind = kinds.get(function)
    if kind is None:
        start = text.index(function)
        place = context.text_place(at).locate(text, start, start + len(function))
        context.unknown("E2040", f"`{function}` is not an aggregate", at, function, kinds, place=place)
        return None
    before = len(context.faults)
    value = _expression(argument, text, scope, at, context)
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
    return TypedAggregate(Aggregate(name, function, value, where, context.span(at, key=True)), result)


def _split(text: str) -> tuple[str, _Part | None, _Part | None] | None:
    """Take `f(x) where c` apart at its own brackets and outside quotes."""
    call = _CALL.match(text)
    if call is None:
        return None
    depth, quoted, end = 1, False, None
    for index in range(call.end(), len(text)):
        char = text[index]
        if char == "'":
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                end = index
                break
    if end is None:
        return None
    argument = text[call.end() : end]
    rest = text[end + 1 :]
    where = re.match(r"\s+where\s+", rest, re.IGNORECASE)
    if rest.strip() and where is None:
        return None
    condition = _Part(rest[where.end() :], end + 1 + where.end()) if where else None
    return call[1], _Part(argument, call.end()) if argument.strip() else None, condition


def _expression(part: _Part | None, whole: str, scope: NameScope, at: Loc, context: Context) -> Expression | None:
    if part is None:
        return None
    return context.typed(part.text, scope, context.text_place(at).part(whole, part.start))
