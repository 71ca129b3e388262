"""Typed expressions into Python source for one request: plain operators, and `sql.…` where null can occur."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.integer_bounds import may_overflow
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
from mlsd_framework.ir.functions import FUNCTIONS

IMPORT_SQL = "from mlsd_framework.runtime.features import sql"

CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(9)
"""How tightly Python binds, loosest first."""

_PLAIN = {"+": ("+", SUM), "-": ("-", SUM), "*": ("*", PRODUCT), "||": ("+", SUM)}
_GUARDED = {"+": "add", "-": "sub", "*": "mul", "/": "div", "%": "mod", "||": "join_text"}
_COMPARISONS = {
    "=": ("==", "eq"),
    "<>": ("!=", "ne"),
    "<": ("<", "lt"),
    "<=": ("<=", "le"),
    ">": (">", "gt"),
    ">=": (">=", "ge"),
}
_SMALLEST_GROUPED = 10_000
_TEXTS = re.compile(r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'")


@dataclass(frozen=True, slots=True)
class PythonCode:
    """One Python expression and the import lines that it needs."""

    text: str
    imports: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Code:
    text: str
    binds: int = ATOM

    def within(self, tightness: int) -> str:
        """Return the text as an operand of something that binds so tightly."""
        return self.text if self.binds >= tightness else f"({self.text})"


def to_python(expression: Expression, names: Callable[[Column], str]) -> PythonCode:
    """Return Python source that computes the expression for one row; `names` gives each column's own source.

    `amount / nullif(card.mean, 0)` → `sql.div(amount, sql.nullif(card.mean, 0.0))`.
    """
    text = _Python(names).code(expression).text
    return PythonCode(text, frozenset({IMPORT_SQL} if uses("sql", text) else ()))


def uses(module: str, source: str) -> bool:
    """Return whether Python source of ours calls something of `module`; the same letters in a text do not count."""
    return re.search(rf"(?<![\w.]){module}\.", _TEXTS.sub("", source)) is not None


def literal_text(value: object) -> str:
    """Return a constant as Python source, as a formatter would: double quotes, long integers in groups."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _SMALLEST_GROUPED:
        return f"{value:_}"
    text = repr(value)
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


def _call(function: str, *arguments: str) -> _Code:
    return _Code(f"sql.{function}({', '.join(arguments)})")


@dataclass(frozen=True, slots=True)
class _Python:
    names: Callable[[Column], str]

    def code(self, node: Expression) -> _Code:
        """Return the source of one node."""
        return _WRITERS[type(node)](self, node)

    def text(self, node: Expression) -> str:
        """Return the source of one node as an argument of a call."""
        return self.code(node).text


def _literal(_: _Python, node: Literal) -> _Code:
    text = literal_text(node.value)
    return _Code(text, SIGN if text.startswith("-") else ATOM)


def _column(py: _Python, node: Column) -> _Code:
    return _Code(py.names(node))


def _unary(py: _Python, node: Unary) -> _Code:
    if node.operator == "not":
        if node.type.nullable:
            return _call("not_", py.text(node.operand))
        return _Code(f"not {py.code(node.operand).within(NOT)}", NOT)
    if node.type.nullable or may_overflow(node):
        return _call("neg", py.text(node.operand))
    return _Code(f"-{py.code(node.operand).within(ATOM)}", SIGN)


def _binary(py: _Python, node: Binary) -> _Code:
    nullable = node.type.nullable or node.operator in ("/", "%") or may_overflow(node)
    if node.operator == "/" and not node.type.nullable and node.left.type.name == "float64":
        left, right = py.code(node.left).within(PRODUCT), py.code(node.right).within(SIGN)
        return _Code(f"{left} / {right}", PRODUCT)
    if nullable:
        return _call(_GUARDED[node.operator], py.text(node.left), py.text(node.right))
    sign, tightness = _PLAIN[node.operator]
    left, right = py.code(node.left).within(tightness), py.code(node.right).within(tightness + 1)
    return _Code(f"{left} {sign} {right}", tightness)


def _compare(py: _Python, node: Compare) -> _Code:
    sign, function = _COMPARISONS[node.operator]
    if node.type.nullable:
        return _call(function, py.text(node.left), py.text(node.right))
    left, right = py.code(node.left).within(SUM), py.code(node.right).within(SUM)
    return _Code(f"{left} {sign} {right}", COMPARISON)


def _logic(py: _Python, node: Logic) -> _Code:
    if node.type.nullable:
        return _call(f"{node.operator}_", py.text(node.left), py.text(node.right))
    tightness = AND if node.operator == "and" else OR
    left, right = py.code(node.left).within(tightness), py.code(node.right).within(tightness + 1)
    return _Code(f"{left} {node.operator} {right}", tightness)


def _case(py: _Python, node: Case) -> _Code:
    parts = [f"{py.code(b.value).within(OR)} if {py.code(b.condition).within(OR)}" for b in node.branches]
    return _Code(" else ".join([*parts, py.code(node.otherwise).within(OR)]), CHOICE)


def _in(py: _Python, node: In) -> _Code:
    items = ", ".join(literal_text(item.value) for item in node.items)
    listed = f"({items},)" if len(node.items) == 1 else f"({items})"
    if node.type.nullable:
        return _negated(_call("in_", py.text(node.operand), listed), node)
    word = "not in" if node.negated else "in"
    return _Code(f"{py.code(node.operand).within(SUM)} {word} {listed}", COMPARISON)


def _in_list(py: _Python, node: InList) -> _Code:
    if node.type.nullable:
        return _negated(_call("in_list", py.text(node.operand), py.text(node.values)), node)
    word = "not in" if node.negated else "in"
    return _Code(f"{py.code(node.operand).within(SUM)} {word} {py.code(node.values).within(SUM)}", COMPARISON)


def _between(py: _Python, node: Between) -> _Code:
    if node.type.nullable:
        found = _call("between", py.text(node.operand), py.text(node.low), py.text(node.high))
        return _negated(found, node)
    low, operand, high = (py.code(one).within(SUM) for one in (node.low, node.operand, node.high))
    text = f"{low} <= {operand} <= {high}"
    return _Code(f"not {text}", NOT) if node.negated else _Code(text, COMPARISON)


def _like(py: _Python, node: Like) -> _Code:
    escape = () if node.escape is None else (literal_text(node.escape),)
    function = "ilike" if node.ignore_case else "like"
    return _negated(_call(function, py.text(node.operand), literal_text(node.pattern), *escape), node)


def _negated(found: _Code, node: In | InList | Between | Like) -> _Code:
    if not node.negated:
        return found
    return _call("not_", found.text) if node.type.nullable else _Code(f"not {found.text}", NOT)


def _is_null(py: _Python, node: IsNull) -> _Code:
    word = "is not" if node.negated else "is"
    return _Code(f"{py.code(node.operand).within(SUM)} {word} None", COMPARISON)


def _function(py: _Python, node: Call) -> _Code:
    return _call(FUNCTIONS[node.function].python_name, *(py.text(argument) for argument in node.arguments))


def _cast(py: _Python, node: Cast) -> _Code:
    if node.operand.type.name == node.type.name:
        return py.code(node.operand)
    if node.type.name == "float64" and not node.type.nullable and node.operand.type.name == "int64":
        return _Code(f"float({py.text(node.operand)})")
    return _call(f"to_{node.type.name}", py.text(node.operand))


_WRITERS: dict[type, Callable[[_Python, Any], _Code]] = {
    Literal: _literal,
    Column: _column,
    Unary: _unary,
    Binary: _binary,
    Compare: _compare,
    Logic: _logic,
    Case: _case,
    In: _in,
    InList: _in_list,
    Between: _between,
    Like: _like,
    IsNull: _is_null,
    Call: _function,
    Cast: _cast,
}
