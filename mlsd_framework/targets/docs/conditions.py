"""An expression as text: what it means, written as a spec would write it."""

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
    IsNull,
    Like,
    Literal,
    Logic,
    Unary,
)

_COMPOUND = (Binary, Compare, Logic, In, Between, Like, IsNull)


def text(expression: Expression) -> str:  # noqa: PLR0911 - one return a kind of node
    """Return the expression in the language's words; every operand that is compound stands in parentheses.

    The result is a spec's text: it reaches a page only through `codegen.files.markdown`.
    """
    match expression:
        case Literal(value=value):
            return _constant(value)
        case Column():
            return expression.path
        case Unary(operator=operator, operand=operand):
            return f"not {_operand(operand)}" if operator == "not" else f"-{_operand(operand)}"
        case Binary() | Compare() | Logic():
            return f"{_operand(expression.left)} {expression.operator} {_operand(expression.right)}"
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(text(one) for one in arguments)})"
        case Cast(operand=operand, type=type_):
            return f"cast({text(operand)} as {type_.not_null()})"
        case Case():
            return _case(expression)
        case _:
            return _test(expression)


def _test(expression: In | Between | Like | IsNull) -> str:
    operand, word = _operand(expression.operand), "not " if expression.negated else ""
    match expression:
        case In(items=items):
            return f"{operand} {word}in ({', '.join(_constant(item.value) for item in items)})"
        case Between(low=low, high=high):
            return f"{operand} {word}between {_operand(low)} and {_operand(high)}"
        case Like(pattern=pattern, ignore_case=ignore_case):
            return f"{operand} {word}{'ilike' if ignore_case else 'like'} {_constant(pattern)}"
        case IsNull():
            return f"{operand} is {word}null"


def _case(expression: Case) -> str:
    branches = " ".join(f"when {text(one.condition)} then {text(one.value)}" for one in expression.branches)
    return f"case {branches} else {text(expression.otherwise)} end"


def _operand(expression: Expression) -> str:
    return f"({text(expression)})" if isinstance(expression, _COMPOUND) else text(expression)


def _constant(value: float | str | None) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float):
        return f"{value:.15g}"
    return "null" if value is None else str(value).lower()
