"""Typed expressions into polars source for whole columns: polars' own operators where they mean what SQL means."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mlsd_framework.codegen.expressions_python import literal_text, uses
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
    columns,
)
from mlsd_framework.ir.functions import FUNCTIONS
from mlsd_framework.ir.types import DataType

IMPORT_POLARS = "import polars as pl"
IMPORT_SQL = "from mlsd_framework.runtime.features import sql_polars as sql"

COMPARISON, OR, AND, SUM, PRODUCT, SIGN, ATOM = range(7)
"""How tightly Python binds the operators that polars overloads, loosest first."""

_PLAIN = {"+": ("+", SUM), "-": ("-", SUM), "*": ("*", PRODUCT), "||": ("+", SUM)}
_GUARDED = {"+": "add", "-": "sub", "*": "mul"}
_COMPARISONS = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MIRRORED: dict[str, Any] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_DTYPES = {
    "string": "pl.String",
    "category": "pl.String",
    "bool": "pl.Boolean",
    "int64": "pl.Int64",
    "float64": "pl.Float64",
    "timestamp": 'pl.Datetime("us", "UTC")',
    "date": "pl.Date",
    "duration": 'pl.Duration("us")',
}
_DURATION_UNITS = (
    ("weeks", 604_800_000_000),
    ("days", 86_400_000_000),
    ("hours", 3_600_000_000),
    ("minutes", 60_000_000),
    ("seconds", 1_000_000),
    ("milliseconds", 1_000),
    ("microseconds", 1),
)


def dtype_of(type_: DataType) -> str:
    """Return the source of the polars type in which expressions compute with values of a type."""
    if type_.name == "list" and type_.item is not None:
        return f"pl.List({dtype_of(type_.item)})"
    return str(_DTYPES[type_.widened().name])


@dataclass(frozen=True, slots=True)
class PolarsCode:
    """One polars expression and the import lines that it needs."""

    text: str
    imports: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Code:
    """Source that gives a polars expression, or a plain constant where `constant` names its dtype."""

    text: str
    binds: int = ATOM
    constant: str | None = None

    def within(self, tightness: int) -> str:
        """Return the text as an operand of something that binds so tightly."""
        return self.text if self.binds >= tightness else f"({self.text})"

    def column(self) -> "_Code":
        """Return source that gives a polars expression in any case."""
        return self if self.constant is None else _Code(f"pl.lit({self.text}, dtype={self.constant})")


def to_polars(expression: Expression, names: Callable[[Column], str]) -> PolarsCode:
    """Return polars source that computes the expression for a frame; `names` gives each column's name in it.

    `amount > 500 and country in ('FI', 'SE')` →
    `(pl.col("amount") > 500) & pl.col("country").is_in(["FI", "SE"])`.
    """
    text = _Polars(names).code(expression).column().text
    imports = {IMPORT_POLARS} if uses("pl", text) else set()
    return PolarsCode(text, frozenset(imports | ({IMPORT_SQL} if uses("sql", text) else set())))


def _call(function: str, *arguments: str) -> _Code:
    return _Code(f"sql.{function}({', '.join(arguments)})")


@dataclass(frozen=True, slots=True)
class _Polars:
    names: Callable[[Column], str]
    in_constant: bool = False

    def code(self, node: Expression) -> _Code:
        """Return the source of one node.

        What is computed from constants alone is computed once, as polars loses count of the rows of some such columns.
        """
        if self.in_constant or isinstance(node, Literal) or any(True for _ in columns(node)):
            return _WRITERS[type(node)](self, node)
        inner = _Polars(self.names, in_constant=True)
        return _call("constant", _WRITERS[type(node)](inner, node).column().text)

    def text(self, node: Expression) -> str:
        """Return the source of one node as an argument of `sql`'s, which take constants too."""
        return self.code(node).text

    def column(self, node: Expression) -> _Code:
        """Return the source of one node as a polars expression."""
        return self.code(node).column()

    def pair(self, left: Expression, right: Expression) -> tuple[_Code, _Code]:
        """Return two operands of which at least one is a polars expression."""
        first, second = self.code(left), self.code(right)
        return (first.column() if second.constant else first), second


def _literal(_: _Polars, node: Literal) -> _Code:
    dtype = _DTYPES[node.type.name]
    if node.value is None:
        return _Code(f"pl.lit(None, dtype={dtype})")
    if node.type.name == "duration" and isinstance(node.value, int):
        unit, size = next((u, s) for u, s in _DURATION_UNITS if node.value % s == 0)
        return _Code(f"pl.duration({unit}={literal_text(node.value // size)})")
    if node.type.name in ("timestamp", "date"):
        return _call(str(node.type.name), literal_text(node.value))
    text = literal_text(node.value)
    return _Code(text, SIGN if text.startswith("-") else ATOM, dtype)


def _column(pl: _Polars, node: Column) -> _Code:
    text = f"pl.col({literal_text(pl.names(node))})"
    stored = node.stored.item or node.stored
    if stored.name not in _DTYPES or stored.name == "category":
        text += f".cast({dtype_of(node.stored)})"
    return _Code(text)


def _unary(pl: _Polars, node: Unary) -> _Code:
    if node.operator == "not":
        return _inverted(pl.column(node.operand))
    if may_overflow(node):
        return _call("neg", pl.text(node.operand))
    return _Code(f"-{pl.column(node.operand).within(ATOM)}", SIGN)


def _inverted(found: _Code) -> _Code:
    return _Code(f"~{found.within(ATOM)}", SIGN)


def _binary(pl: _Polars, node: Binary) -> _Code:
    if node.operator == "/":
        return _divided(pl, node)
    if node.operator == "%":
        function = "mod" if node.type.name == "int64" else "fmod"
        return _call(function, pl.text(node.left), pl.text(node.right))
    if may_overflow(node):
        return _call(_GUARDED[node.operator], pl.text(node.left), pl.text(node.right))
    return _infix(pl, node, *_PLAIN[node.operator])


def _divided(pl: _Polars, node: Binary) -> _Code:
    if node.left.type.name == "duration":
        return _call("duration_ratio", pl.text(node.left), pl.text(node.right))
    if node.left.type.name == "float64" and isinstance(node.right, Literal) and node.right.value:
        return _infix(pl, node, "/", PRODUCT)
    return _call("div", pl.text(node.left), pl.text(node.right))


def _infix(pl: _Polars, node: Binary | Compare | Logic, sign: str, tightness: int) -> _Code:
    left, right = pl.pair(node.left, node.right)
    first = tightness + 1 if tightness == COMPARISON else tightness
    return _Code(f"{left.within(first)} {sign} {right.within(tightness + 1)}", tightness)


def _compare(pl: _Polars, node: Compare) -> _Code:
    # polars shrinks `constant = column` to one row where the column's values come out as one constant.
    if not isinstance(node.left, Literal) and not any(columns(node.left)) and any(columns(node.right)):
        node = replace(node, operator=_MIRRORED[node.operator], left=node.right, right=node.left)
    return _infix(pl, node, _COMPARISONS[node.operator], COMPARISON)


def _logic(pl: _Polars, node: Logic) -> _Code:
    return _infix(pl, node, "&", AND) if node.operator == "and" else _infix(pl, node, "|", OR)


def _case(pl: _Polars, node: Case) -> _Code:
    parts = [f"when({pl.column(branch.condition).text}).then({_branch(pl, branch.value)})" for branch in node.branches]
    otherwise = node.otherwise
    ending = (
        "" if isinstance(otherwise, Literal) and otherwise.value is None else f".otherwise({_branch(pl, otherwise)})"
    )
    return _Code(f"pl.{'.'.join(parts)}{ending}")


def _branch(pl: _Polars, node: Expression) -> str:
    return pl.column(node).text


def _in(pl: _Polars, node: In) -> _Code:
    items = ", ".join(literal_text(item.value) for item in node.items)
    found = _Code(f"{pl.column(node.operand).within(ATOM)}.is_in([{items}])")
    return _inverted(found) if node.negated else found


def _in_list(pl: _Polars, node: InList) -> _Code:
    values, item = pl.column(node.values), node.values.type.item
    if item is not None and not item.nullable and any(columns(node.operand)):
        found = _Code(f"{pl.column(node.operand).within(ATOM)}.is_in({values.text})")
    else:
        found = _call("in_list", pl.text(node.operand), values.text)
    return _inverted(found) if node.negated else found


def _between(pl: _Polars, node: Between) -> _Code:
    found = _call("between", pl.text(node.operand), pl.text(node.low), pl.text(node.high))
    return _inverted(found) if node.negated else found


def _like(pl: _Polars, node: Like) -> _Code:
    escape = () if node.escape is None else (literal_text(node.escape),)
    function = "ilike" if node.ignore_case else "like"
    found = _call(function, pl.text(node.operand), literal_text(node.pattern), *escape)
    return _inverted(found) if node.negated else found


def _is_null(pl: _Polars, node: IsNull) -> _Code:
    return _Code(f"{pl.column(node.operand).within(ATOM)}.is_{'not_' if node.negated else ''}null()")


def _function(pl: _Polars, node: Call) -> _Code:
    return _call(FUNCTIONS[node.function].python_name, *(pl.text(argument) for argument in node.arguments))


def _cast(pl: _Polars, node: Cast) -> _Code:
    source, target = node.operand.type, node.type
    if source.name == target.name:
        return pl.code(node.operand)
    if source.text:
        return _call(f"text_to_{target.name}", pl.text(node.operand))
    strict = ", strict=False" if _may_fail(source, target) else ""
    return _Code(f"{pl.column(node.operand).within(ATOM)}.cast({_DTYPES[target.name]}{strict})")


def _may_fail(source: DataType, target: DataType) -> bool:
    return source.name == "float64" and target.name == "int64"


_WRITERS: dict[type, Callable[[_Polars, Any], _Code]] = {
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
