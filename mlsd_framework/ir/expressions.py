"""What an expression means: a tree of typed, frozen nodes with names resolved and no text left to evaluate."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Literal as OneOf

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.types import DataType

Value = bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every node has: the type of its value, and its place, which does not count for equality."""

    type: DataType
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Node):
    """A constant: timestamps and durations in microseconds (UTC), dates in days since 1970-01-01."""

    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Node):
    """A value by name; `type` is the type arithmetic works in, `stored` the declared one."""

    qualifier: str | None
    name: str
    stored: DataType

    @property
    def path(self) -> str:
        """The name as the spec writes it, such as `card_activity.spend_7d`."""
        return self.name if self.qualifier is None else f"{self.qualifier}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Node):
    """`-x` or `not x`."""

    operator: OneOf["-", "not"]
    operand: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    """Arithmetic of two operands, or text joined by `||`."""

    operator: OneOf["+", "-", "*", "/", "%", "||"]
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Node):
    """A comparison of two values of one family; null where either is null."""

    operator: OneOf["=", "<>", "<", "<=", ">", ">="]
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic(Node):
    """Kleene's `and` and `or`: `false and null` is false, `true or null` is true."""

    operator: OneOf["and", "or"]
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One `when … then …` of a case."""

    condition: "Expression"
    value: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Node):
    """The value of the first branch whose condition is true; the simple form is lowered to comparisons."""

    branches: tuple[Branch, ...]
    otherwise: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class In(Node):
    """Membership among constants, none of them null."""

    operand: "Expression"
    items: tuple[Literal, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InList(Node):
    """Membership in a list that is a value itself; null where either is null."""

    operand: "Expression"
    values: "Expression"
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Between(Node):
    """`low <= operand and operand <= high`."""

    operand: "Expression"
    low: "Expression"
    high: "Expression"
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Like(Node):
    """Text against a constant pattern: `%` is any run of characters, `_` any one."""

    operand: "Expression"
    pattern: str
    escape: str | None = None
    ignore_case: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IsNull(Node):
    """`x is null`, or `x is not null` where negated; never null itself."""

    operand: "Expression"
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A function of `ir.functions.FUNCTIONS`, by name; optional arguments that were left out are absent."""

    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast(Node):
    """Conversion to `type`; null where the value has no counterpart there."""

    operand: "Expression"


Expression = (
    Literal | Column | Unary | Binary | Compare | Logic | Case | In | InList | Between | Like | IsNull | Call | Cast
)


def children(expression: Expression) -> Iterator[Expression]:
    """Yield the direct operands, left to right."""
    for entry in fields(expression):
        value = getattr(expression, entry.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Branch):
                yield part.condition
                yield part.value
            elif isinstance(part, Node):
                yield part  # type: ignore[misc]  # every concrete Node is in the union


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield the expression and everything below it, parents first, left to right."""
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(list(children(node))))


def columns(expression: Expression) -> Iterator[Column]:
    """Yield every use of a column, left to right, repeats included."""
    return (node for node in walk(expression) if isinstance(node, Column))
