"""Values, columns and operators: sqlglot's nodes into typed nodes of ours."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import (
    Between,
    Binary,
    Column,
    Compare,
    Expression,
    In,
    InList,
    IsNull,
    Like,
    Literal,
    Logic,
    Unary,
)
from mlsd_framework.ir.functions import FUNCTIONS
from mlsd_framework.ir.types import BOOL, FLOAT64, INT64, NULL, STRING, TIMESTAMP, DataType
from mlsd_framework.lower import literals
from mlsd_framework.lower.expression_lowering import Handler, Lowering, joined
from mlsd_framework.lower.expression_scope import unknown_column
from mlsd_framework.lower.expression_types import arithmetic, coerce, unify

_ARITHMETIC: dict[type[exp.Expr], Any] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_COMPARISONS: dict[type[exp.Expr], Any] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_LOGIC: dict[type[exp.Expr], Any] = {exp.And: "and", exp.Or: "or"}
_INT64_MAX = 2**63 - 1
UNORDERED = ("bool", "list", "vector", "struct", "image", "point", "edge")


def _literal(at: Lowering, node: exp.Expr) -> Expression | None:
    span = at.span_of(node)
    if node.is_string:
        return Literal(type=STRING, span=span, value=str(node.this))
    value = literals.number(str(node.this))
    if value is None or (isinstance(value, int) and value > _INT64_MAX):
        return at.fault("E2060", f"`{node.this}` does not fit 64 bits", span)
    return Literal(type=INT64 if isinstance(value, int) else FLOAT64, span=span, value=value)


def _boolean(at: Lowering, node: exp.Expr) -> Expression:
    return Literal(type=BOOL, span=at.span_of(node), value=bool(node.this))


def _null(at: Lowering, node: exp.Expr) -> Expression:
    return Literal(type=NULL, span=at.span_of(node), value=None)


def _column(at: Lowering, node: exp.Expr) -> Expression | None:
    parts = [part.name for part in node.parts]  # type: ignore[attr-defined]  # a Column has parts
    name, qualifier = parts[-1], ".".join(parts[:-1]) or None
    span = at.span_of(node)
    found = at.scope.lookup(qualifier, name)
    if found is not None:
        return Column(type=found.widened(), span=span, qualifier=qualifier, name=name, stored=found)
    path = ".".join(parts)
    expected, help_ = unknown_column(path, at.scope)
    if qualifier is None and help_ is None and name.lower() in FUNCTIONS:
        help_ = f"`{name}` is a function: write `{FUNCTIONS[name.lower()].signature}`"
    if qualifier and any(known.startswith(f"{qualifier}.") for known in at.scope.names()):
        span = at.span_of(node.this)
    return at.fault("E2051", f"`{path}` is not a column or a feature in sight", span, expected=expected, help=help_)


def _paren(at: Lowering, node: exp.Expr) -> Expression | None:
    return at.lower(node.this)


def _negate(at: Lowering, node: exp.Expr) -> Expression | None:
    inner = node.this
    if isinstance(inner, exp.Literal) and not inner.is_string:
        value = literals.number(str(inner.this))
        if value is not None:
            return Literal(type=INT64 if isinstance(value, int) else FLOAT64, span=at.span_of(node), value=-value)
    operand = at.lower(inner)
    if operand is None:
        return None
    if operand.type.name == "null":
        return operand
    if not operand.type.numeric and operand.type.name != "duration":
        return at.fault("E2053", f"`-` does not take `{operand.type.not_null()}`", operand.span)
    return Unary(type=operand.type, span=operand.span, operator="-", operand=operand)


def _not(at: Lowering, node: exp.Expr) -> Expression | None:
    operand = at.lower(node.this)
    if operand is None or (operand := at_condition(at, operand, "not")) is None:
        return None
    return negated(operand)


def negated(operand: Expression) -> Expression:
    """Return `not operand`, folded into the predicate where it has a negative form."""
    if isinstance(operand, Literal) and operand.value is not None:
        return replace(operand, value=not operand.value)
    if isinstance(operand, In | InList | Between | Like | IsNull):
        return replace(operand, negated=not operand.negated)
    return Unary(type=operand.type, span=operand.span, operator="not", operand=operand)


def at_condition(at: Lowering, operand: Expression, what: str) -> Expression | None:
    """Return a value that is true, false or null, or report that this one is not."""
    if operand.type.name not in ("bool", "null"):
        advice = "compare it with something, as in `x <> 0`" if operand.type.numeric else None
        return at.fault(
            "E2053",
            f"`{what}` takes a condition, not `{operand.type.not_null()}`",
            operand.span,
            expected="bool",
            help=advice,
        )
    return coerce(operand, BOOL)


def _arithmetic(at: Lowering, node: exp.Expr) -> Expression | None:
    operands = at.all((node.this, node.expression))
    return None if operands is None else binary(at, _ARITHMETIC[type(node)], operands[0], operands[1])


def binary(at: Lowering, operator: Any, left: Expression, right: Expression) -> Expression | None:
    """Return a checked arithmetic node."""
    span = joined(left.span, right.span)
    found = at.checked(arithmetic(operator, left, right), span)
    if found is None:
        return None
    plain = found.not_null()
    if found.name == "duration" and left.type.name == "date":
        plain = TIMESTAMP
    left, right = (coerce(v, plain) if v.type.name in ("null", "date") else v for v in (left, right))
    return Binary(type=found, span=span, operator=operator, left=left, right=right)


def _join_text(at: Lowering, node: exp.Expr) -> Expression | None:
    operands = at.all((node.this, node.expression))
    if operands is None:
        return None
    left, right = operands
    for operand in operands:
        if not operand.type.text and operand.type.name != "null":
            advice = "convert it with `cast(x as string)`"
            return at.fault("E2053", f"`||` joins text, not `{operand.type.not_null()}`", operand.span, help=advice)
    nullable = left.type.nullable or right.type.nullable
    return Binary(
        type=replace(STRING, nullable=nullable),
        span=joined(left.span, right.span),
        operator="||",
        left=coerce(left, STRING),
        right=coerce(right, STRING),
    )


def _compare(at: Lowering, node: exp.Expr) -> Expression | None:
    operands = at.all((node.this, node.expression))
    return None if operands is None else compared(at, _COMPARISONS[type(node)], operands[0], operands[1])


def compared(at: Lowering, operator: Any, left: Expression, right: Expression) -> Expression | None:
    """Return a checked comparison."""
    span = joined(left.span, right.span)
    values = comparable(at, (left, right), f"`{operator}` compares", span)
    if values is None:
        return None
    if operator not in ("=", "<>") and values[0].type.name in UNORDERED:
        return at.fault("E2053", f"`{operator}` has no meaning for `{values[0].type.not_null()}`", span)
    return Compare(type=bool_of(*values), span=span, operator=operator, left=values[0], right=values[1])


def comparable(at: Lowering, values: Sequence[Expression], what: str, span: Span | None) -> list[Expression] | None:
    """Return values as one type that can be compared; report what has no order or no common type."""
    found = at.checked(unify(values, what), span)
    if found is None:
        return None
    if found.name in UNORDERED and found.name != "bool":
        return at.fault("E2053", f"{what} `{found.not_null()}`", span, expected="a number, text, a bool or a moment")
    found = INT64 if found.name == "null" else found
    return [coerce(v, found) if v.type.name in ("null", "date") else v for v in values]


def bool_of(*values: Expression) -> DataType:
    """Return the type of a condition on `values`: nullable where one of them is."""
    return replace(BOOL, nullable=any(value.type.nullable for value in values))


def _logic(at: Lowering, node: exp.Expr) -> Expression | None:
    operands = at.all((node.this, node.expression))
    if operands is None:
        return None
    operator = _LOGIC[type(node)]
    left, right = (at_condition(at, operand, operator) for operand in operands)
    if left is None or right is None:
        return None
    return Logic(
        type=bool_of(left, right), span=joined(left.span, right.span), operator=operator, left=left, right=right
    )


OPERATORS: dict[type[exp.Expr], Handler] = {
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: _null,
    exp.Column: _column,
    exp.Paren: _paren,
    exp.Neg: _negate,
    exp.Not: _not,
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    **dict.fromkeys(_COMPARISONS, _compare),
    **dict.fromkeys(_LOGIC, _logic),
    exp.DPipe: _join_text,
}
