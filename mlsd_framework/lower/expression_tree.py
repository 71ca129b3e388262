"""Choices, tests, conversions and calls of an expression, and the whole table from sqlglot's nodes to ours.

What is not in the table is not in the language.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.expressions import (
    Between,
    Branch,
    Case,
    Cast,
    Expression,
    In,
    InList,
    IsNull,
    Like,
    Literal,
    Logic,
    columns,
)
from mlsd_framework.ir.types import BOOL, DATE, DURATION, FLOAT64, INTEGERS, NULL, STRING, TIMESTAMP, DataType
from mlsd_framework.lower import literals
from mlsd_framework.lower.expression_calls import lower_call
from mlsd_framework.lower.expression_lowering import Handler, Lowering, joined
from mlsd_framework.lower.expression_operators import (
    OPERATORS,
    UNORDERED,
    at_condition,
    bool_of,
    comparable,
    compared,
    negated,
)
from mlsd_framework.lower.expression_types import CAST_TARGETS, cast_type, coerce, unify


def _case(at: Lowering, node: exp.Expr) -> Expression | None:
    ifs = node.args["ifs"]
    operand = at.lower(node.this) if node.this is not None else None
    conditions = [at.lower(branch.this) for branch in ifs]
    values = at.all([branch.args["true"] for branch in ifs])
    default = node.args.get("default")
    otherwise = Literal(type=NULL, value=None) if default is None else at.lower(default)
    if values is None or otherwise is None or None in conditions or (node.this is not None and operand is None):
        return None
    tests = [_test(at, operand, condition) for condition in conditions if condition is not None]
    results = [*values, otherwise]
    span = joined(*(one.span for one in (*tests, *results) if one is not None))
    found = at.checked(unify(results, "`case` gives"), span)
    if found is None or None in tests:
        return None
    branches = tuple(
        Branch(condition=test, value=coerce(value, found))
        for test, value in zip(tests, values, strict=True)
        if test is not None
    )
    return Case(type=found, span=span, branches=branches, otherwise=coerce(otherwise, found))


def _test(at: Lowering, operand: Expression | None, condition: Expression) -> Expression | None:
    return at_condition(at, condition, "when") if operand is None else compared(at, "=", operand, condition)


def _in(at: Lowering, node: exp.Expr) -> Expression | None:
    items = node.expressions
    if not items:
        return _in_list(at, node)
    lowered = at.all((node.this, *items))
    if lowered is None:
        return None
    span = joined(*(one.span for one in lowered))
    values = comparable(at, lowered, "`in` compares", span)
    if values is None:
        return None
    if any(value.type.name == "float64" for value in values):
        values = [coerce(value, FLOAT64) for value in values]
    found = _membership(at, values[0], values[1:], span)
    return negated(found) if found is not None and node.args.get("negate") else found


def _in_list(at: Lowering, node: exp.Expr) -> Expression | None:
    """Lower `x in y`, where `y` is a value that is a list of text or of whole numbers."""
    if node.args.get("field") is None:
        return at.fault("E2056", "`in` is followed by a list of values in brackets", at.span_of(node))
    lowered = at.all((node.this, node.args["field"]))
    if lowered is None:
        return None
    operand, values = lowered
    item = values.type.item
    if values.type.name != "list" or item is None or not (item.text or item.name in INTEGERS):
        expected = "a list of text or of whole numbers, or values in brackets: `in ('a', 'b')`"
        return at.fault("E2053", f"`in` looks in `{values.type.not_null()}`", values.span, expected=expected)
    span = joined(operand.span, values.span)
    one = replace(values, type=item.widened())
    found = at.checked(unify([operand, one], "`in` compares"), span)
    if found is None:
        return None
    if found.name not in (one.type.name, "null"):
        return at.fault("E2053", f"`in` looks for `{operand.type.not_null()}` in `{values.type.not_null()}`", span)
    nullable = operand.type.nullable or values.type.nullable or item.nullable
    type_ = replace(BOOL, nullable=nullable)
    return InList(type=type_, span=span, operand=coerce(operand, one.type), values=values)


def _membership(at: Lowering, operand: Expression, items: Sequence[Expression], span: Span | None) -> Expression | None:
    """Return membership among the constants, or-ed with equality to each of the rest."""
    listed = operand.type.numeric or operand.type.name in ("string", "category", "bool")
    sorted_out: tuple[list[Literal], list[Expression]] = ([], [])
    for item in items:
        if listed and isinstance(item, Literal) and item.value is not None:
            sorted_out[0].append(item)
        else:
            sorted_out[1].append(item)
    constants, rest = sorted_out
    parts: list[Expression | None] = []
    if constants:
        parts.append(In(type=bool_of(operand), span=span, operand=operand, items=tuple(constants)))
    parts += [compared(at, "=", operand, item) for item in rest]
    found = parts[0]
    for part in parts[1:]:
        if found is None or part is None:
            return None
        found = Logic(type=bool_of(found, part), span=span, operator="or", left=found, right=part)
    return found


def _between(at: Lowering, node: exp.Expr) -> Expression | None:
    lowered = at.all((node.this, node.args["low"], node.args["high"]))
    if lowered is None:
        return None
    span = joined(*(one.span for one in lowered))
    values = comparable(at, lowered, "`between` compares", span)
    if values is None:
        return None
    if values[0].type.name in UNORDERED:
        return at.fault("E2053", f"`between` has no meaning for `{values[0].type.not_null()}`", span)
    found = Between(type=bool_of(*values), span=span, operand=values[0], low=values[1], high=values[2])
    return negated(found) if node.args.get("negate") else found


def _like(at: Lowering, node: exp.Expr) -> Expression | None:
    escape = None
    if isinstance(node, exp.Escape):
        escape, node = node.expression.name, node.this
        if len(escape) != 1:
            return at.fault("E2053", "`escape` takes one character", at.span_of(node))
    operand = at.lower(node.this)
    pattern = node.expression
    if operand is None:
        return None
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        return at.fault("E2053", "`like` takes a constant pattern in single quotes", at.span_of(pattern))
    if not operand.type.text and operand.type.name != "null":
        return at.fault("E2053", f"`like` matches text, not `{operand.type.not_null()}`", operand.span)
    return Like(
        type=bool_of(operand),
        span=joined(operand.span, at.span_of(pattern)),
        operand=coerce(operand, STRING),
        pattern=pattern.name,
        escape=escape,
        ignore_case=isinstance(node, exp.ILike),
        negated=bool(node.args.get("negate")),
    )


def _is(at: Lowering, node: exp.Expr) -> Expression | None:
    operand = at.lower(node.this)
    if operand is None:
        return None
    if not isinstance(node.expression, exp.Null):
        return at.fault("E2050", "`is` is followed by `null` or `not null`", at.span_of(node))
    negate = bool(node.args.get("negate"))
    known = operand.type.name == "null" or not (operand.type.nullable or any(True for _ in columns(operand)))
    if known:
        return Literal(type=BOOL, span=operand.span, value=(operand.type.name == "null") != negate)
    return IsNull(type=BOOL, span=operand.span, operand=operand, negated=negate)


def _cast(at: Lowering, node: exp.Expr) -> Expression | None:
    operand = at.lower(node.this)
    target = node.args["to"]
    name = str(target.args.get("kind") or target.this.name).lower()
    found = CAST_TARGETS.get(name)
    if found is None:
        span = _type_span(at, name)
        near = nearest(name, CAST_TARGETS)
        advice = f"did you mean `{near}`?" if near else None
        expected = f"one of: {', '.join(CAST_TARGETS)}"
        return at.fault("E2058", f"nothing can be cast to `{name}`", span, expected=expected, help=advice)
    if operand is None:
        return None
    if isinstance(operand, Literal) and isinstance(operand.value, str) and found.name in ("timestamp", "date"):
        return _moment(at, operand.value, found, operand.span)
    result = at.checked(cast_type(operand.type, found), operand.span)
    if result is None:
        return None
    if operand.type.name == "null":
        return coerce(operand, result)
    return Cast(type=result, span=operand.span, operand=operand)


def _moment(at: Lowering, text: str, target: DataType, span: Span | None) -> Expression | None:
    value = literals.timestamp(text) if target.name == "timestamp" else literals.day(text)
    if value is None:
        kind, example = ("moment", "2024-05-01 12:00:00") if target.name == "timestamp" else ("date", "2024-05-01")
        return at.fault("E2060", f"`{text}` is not a {kind}", span, expected=f"ISO 8601, such as '{example}'")
    return Literal(type=TIMESTAMP if target.name == "timestamp" else DATE, span=span, value=value)


def _type_span(at: Lowering, name: str) -> Span | None:
    for before, token in zip(at.tokens, at.tokens[1:], strict=False):
        if token.text.lower() == name and before.text.lower() in ("as", "::"):
            return at.place.locate(at.text, token.start, token.end + 1)
    return at.everything()


def _interval(at: Lowering, node: exp.Expr) -> Expression | None:
    amount, unit = node.this, node.args.get("unit")
    span = at.span_of(amount) if amount is not None else at.everything()
    value = None
    if isinstance(amount, exp.Literal) and unit is not None:
        value = literals.interval(amount.name, unit.name)
    if value is None:
        expected = "such as `interval '7' day`, in weeks, days, hours, minutes, seconds, milliseconds or microseconds"
        return at.fault("E2060", "the interval cannot be read", span, expected=expected)
    return Literal(type=DURATION, span=span, value=value)


TABLE: dict[type[exp.Expr], Handler] = {
    **OPERATORS,
    exp.Case: _case,
    exp.In: _in,
    exp.Between: _between,
    exp.Like: _like,
    exp.ILike: _like,
    exp.Escape: _like,
    exp.Is: _is,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Interval: _interval,
    exp.Anonymous: lower_call,
}
