"""An expression as text: what it means, written as a spec would write it."""

from datetime import datetime, timedelta
from typing import Final

from mlsd_framework.ir.expressions import (
    Between,
    Binary,
    Call,
    Case,
    Cast,
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

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, and printed without a zone
_EXACT: Final = 2.0**53
_COMPOUND: Final = (Binary, Compare, Logic, In, InList, Between, Like, IsNull)


def text(expression: Expression) -> str:  # noqa: PLR0911 - one return a kind of node
    """Return the expression in the language's words; every operand that is compound stands in parentheses.

    The result is a spec's text: it reaches a page only through `codegen.files.markdown`.
    """
    match expression:
        case Literal():
            return _constant(expression)
        case Column():
            return expression.path
        case Unary(operator=operator, operand=operand):
            return f"not {_operand(operand)}" if operator == "not" else f"-{_operand(operand)}"
        case Binary() | Compare() | Logic():
            return f"{_operand(expression.left)} {expression.operator} {_operand(expression.right)}"
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(text(one) for one in arguments)})"
        case Cast(operand=operand, type=type_):
            return f"cast({text(operand)} as {type_.name})"
        case Case():
            return _case(expression)
        case _:
            return _test(expression)


def _test(expression: In | InList | Between | Like | IsNull) -> str:
    operand, word = _operand(expression.operand), "not " if expression.negated else ""
    match expression:
        case In(items=items):
            return f"{operand} {word}in ({', '.join(_constant(item) for item in items)})"
        case InList(values=values):
            return f"{operand} {word}in {_operand(values)}"
        case Between(low=low, high=high):
            return f"{operand} {word}between {_operand(low)} and {_operand(high)}"
        case Like(pattern=pattern, escape=escape, ignore_case=ignore_case):
            last = f" escape {_quoted(escape)}" if escape is not None else ""
            return f"{operand} {word}{'ilike' if ignore_case else 'like'} {_quoted(pattern)}{last}"
        case IsNull():
            return f"{operand} is {word}null"


def _case(expression: Case) -> str:
    branches = " ".join(f"when {text(one.condition)} then {text(one.value)}" for one in expression.branches)
    return f"case {branches} else {text(expression.otherwise)} end"


def _operand(expression: Expression) -> str:
    return f"({text(expression)})" if isinstance(expression, _COMPOUND) else text(expression)


def _constant(literal: Literal) -> str:
    value, type_ = literal.value, literal.type.name
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int) and type_ == "timestamp":
        return f"timestamp {_quoted(str(_EPOCH + timedelta(microseconds=value)))}"
    if isinstance(value, int) and type_ == "date":
        return f"date {_quoted(str((_EPOCH + timedelta(days=value)).date()))}"
    if isinstance(value, int) and type_ == "duration":
        return f"interval '{value / 10**6:.15g}' second"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return "null" if value is None else repr(value).lower()


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
