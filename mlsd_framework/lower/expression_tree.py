"""The table from sqlglot's nodes to ours; what is not in it is not in the language."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlglot import exp
from sqlglot.tokens import Token

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.expressions import (
    Between,
    Binary,
    Branch,
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
from mlsd_framework.ir.functions import FUNCTIONS
from mlsd_framework.ir.types import BOOL, DATE, DURATION, FLOAT64, INT64, NULL, STRING, TIMESTAMP, DataType
from mlsd_framework.lower import literals
from mlsd_framework.lower.expression_calls import lower_call
from mlsd_framework.lower.expression_types import CAST_TARGETS, TypeFault, arithmetic, cast_type, coerce, unify
from mlsd_framework.lower.expressions import Scope, unknown_column
from mlsd_framework.lower.scalar_places import Place

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
_UNORDERED = ("bool", "list", "vector", "struct", "image", "point", "edge")
T = TypeVar("T")


@dataclass(slots=True)
class Lowering:
    """One expression on its way: where it stands, what it may name, and the faults found so far.

    Each method takes a node of sqlglot's and returns ours, or None when a fault below was reported.
    """

    text: str
    scope: Scope
    place: Place
    tokens: list[Token]
    faults: list[Diagnostic] = field(default_factory=list)

    def whole(self, tree: exp.Expr) -> Expression | None:
        """Lower the root, which has to have a type."""
        found = self.lower(tree)
        if found is not None and found.type.name == "null":
            return self.fault("E2053", "the expression is always null", self.everything(), help="write `cast(null as float64)`")
        return None if self.faults else found

    def lower(self, node: exp.Expr) -> Expression | None:
        """Lower one node by the table."""
        handler = _HANDLERS.get(type(node))
        if handler is None:
            return self._refuse(node)
        return handler(self, node)

    def all(self, nodes: Sequence[exp.Expr]) -> list[Expression] | None:
        """Lower several, so that each one's faults are found; None where one has any."""
        found = [self.lower(node) for node in nodes]
        good = [one for one in found if one is not None]
        return good if len(good) == len(found) else None

    def fault(self, code: str, what: str, span: Span | None, *, expected: str | None = None, help: str | None = None) -> None:  # noqa: A002 - the field's name
        """Add a fault."""
        self.faults.append(Diagnostic(code=code, what=what, span=span, expected=expected, help=help))

    def checked(self, found: T | TypeFault, span: Span | None) -> T | None:
        """Report a type fault at a place, pass on anything else."""
        if isinstance(found, TypeFault):
            return self.fault(found.code, found.what, span, help=found.help)
        return found

    def everything(self) -> Span | None:
        """Return the place of the whole expression."""
        return self.place.locate(self.text, 0, len(self.text))

    def span_of(self, node: exp.Expr) -> Span | None:
        """Return the place of what a node of sqlglot's was made from, as far as it kept it."""
        starts, ends = [], []
        for part in node.walk():
            if (start := part.meta.get("start")) is not None:
                starts.append(start)
                ends.append(part.meta["end"] + 1)
        return self.place.locate(self.text, min(starts), max(ends)) if starts else self.everything()

    def _refuse(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Star):
            return self.fault("E2056", "`*` stands for all columns only in an aggregate", self.span_of(node))
        if isinstance(node, exp.Tuple):
            return self.fault("E2056", "a list of values stands only after `in`", self.span_of(node))
        name = type(node).__name__.lower()
        return self.fault("E2056", f"`{name}` is not part of the expression language", self.span_of(node))


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
    if isinstance(operand, In | Between | Like | IsNull):
        return replace(operand, negated=not operand.negated)
    return Unary(type=operand.type, span=operand.span, operator="not", operand=operand)


def at_condition(at: Lowering, operand: Expression, what: str) -> Expression | None:
    """Return a value that is true, false or null, or report that this one is not."""
    if operand.type.name not in ("bool", "null"):
        advice = "compare it with something, as in `x <> 0`" if operand.type.numeric else None
        return at.fault(
            "E2053", f"`{what}` takes a condition, not `{operand.type.not_null()}`", operand.span, expected="bool", help=advice
        )
    return coerce(operand, BOOL)


def _arithmetic(at: Lowering, node: exp.Expr) -> Expression | None:
    operands = at.all((node.this, node.expression))
    return None if operands is None else binary(at, _ARITHMETIC[type(node)], operands[0], operands[1])


def binary(at: Lowering, operator: Any, left: Expression, right: Expression) -> Expression | None:  # noqa: ANN401 - one of Binary's own
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


def compared(at: Lowering, operator: Any, left: Expression, right: Expression) -> Expression | None:  # noqa: ANN401 - one of Compare's own
    """Return a checked comparison."""
    span = joined(left.span, right.span)
    values = _comparable(at, (left, right), f"`{operator}` compares", span)
    if values is None:
        return None
    if operator not in ("=", "<>") and values[0].type.name in _UNORDERED:
        return at.fault("E2053", f"`{operator}` has no meaning for `{values[0].type.not_null()}`", span)
    return Compare(type=_bool(*values), span=span, operator=operator, left=values[0], right=values[1])


def _comparable(at: Lowering, values: Sequence[Expression], what: str, span: Span | None) -> list[Expression] | None:
    found = at.checked(unify(values, what), span)
    if found is None:
        return None
    if found.name in _UNORDERED and found.name != "bool":
        return at.fault("E2053", f"{what} `{found.not_null()}`", span, expected="a number, text, a bool or a moment")
    found = INT64 if found.name == "null" else found
    return [coerce(v, found) if v.type.name in ("null", "date") else v for v in values]


def _bool(*values: Expression) -> DataType:
    return replace(BOOL, nullable=any(value.type.nullable for value in values))


def _logic(at: Lowering, node: exp.Expr) -> Expression | None:
    operands = at.all((node.this, node.expression))
    if operands is None:
        return None
    operator = _LOGIC[type(node)]
    left, right = (at_condition(at, operand, operator) for operand in operands)
    if left is None or right is None:
        return None
    return Logic(type=_bool(left, right), span=joined(left.span, right.span), operator=operator, left=left, right=right)


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
        Branch(condition=test, value=coerce(value, found)) for test, value in zip(tests, values, strict=True) if test is not None
    )
    return Case(type=found, span=span, branches=branches, otherwise=coerce(otherwise, found))


def _test(at: Lowering, operand: Expression | None, condition: Expression) -> Expression | None:
    return at_condition(at, condition, "when") if operand is None else compared(at, "=", operand, condition)


def _in(at: Lowering, node: exp.Expr) -> Expression | None:
    items = node.expressions
    if not items:
        return at.fault("E2056", "`in` is followed by a list of values in brackets", at.span_of(node))
    lowered = at.all((node.this, *items))
    if lowered is None:
        return None
    span = joined(*(one.span for one in lowered))
    values = _comparable(at, lowered, "`in` compares", span)
    if values is None:
        return None
    if any(value.type.name == "float64" for value in values):
        values = [coerce(value, FLOAT64) for value in values]
    found = _membership(at, values[0], values[1:], span)
    return negated(found) if found is not None and node.args.get("negate") else found


def _membership(at: Lowering, operand: Expression, items: Sequence[Expression], span: Span | None) -> Expression | None:
    """Return membership among the constants, or-ed with equality to each of the rest."""
    listed = operand.type.numeric or operand.type.name in ("string", "category", "bool")
    constants = tuple(item for item in items if listed and isinstance(item, Literal) and item.value is not None)
    parts: list[Expression | None] = []
    if constants:
        parts.append(In(type=_bool(operand), span=span, operand=operand, items=constants))
    parts += [compared(at, "=", operand, item) for item in items if item not in constants]
    found = parts[0]
    for part in parts[1:]:
        if found is None or part is None:
            return None
        found = Logic(type=_bool(found, part), span=span, operator="or", left=found, right=part)
    return found


def _between(at: Lowering, node: exp.Expr) -> Expression | None:
    lowered = at.all((node.this, node.args["low"], node.args["high"]))
    if lowered is None:
        return None
    span = joined(*(one.span for one in lowered))
    values = _comparable(at, lowered, "`between` compares", span)
    if values is None:
        return None
    if values[0].type.name in _UNORDERED:
        return at.fault("E2053", f"`between` has no meaning for `{values[0].type.not_null()}`", span)
    found = Between(type=_bool(*values), span=span, operand=values[0], low=values[1], high=values[2])
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
        type=_bool(operand),
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
    return IsNull(type=BOOL, span=operand.span, operand=coerce(operand, INT64), negated=bool(node.args.get("negate")))


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


def _call(at: Lowering, node: exp.Expr) -> Expression | None:
    return lower_call(at, node)


def joined(*spans: Span | None) -> Span | None:
    """Return the stretch from the first place to the last."""
    known = [span for span in spans if span is not None]
    if not known:
        return None
    first = min(known, key=lambda s: (s.line, s.column))
    last = max(known, key=lambda s: (s.end_line, s.end_column))
    return Span(first.path, first.line, first.column, last.end_line, last.end_column)


_HANDLERS: dict[type[exp.Expr], Callable[[Lowering, Any], Expression | None]] = {
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
    exp.Anonymous: _call,
}
