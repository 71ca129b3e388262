"""The type rules of operators: what goes together, what comes out, and what happens to units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlsd_framework.ir.expressions import Cast, Expression, Literal, columns
from mlsd_framework.ir.types import BOOL, DATE, DURATION, FLOAT64, FLOATS, INT64, NULL, STRING, TIMESTAMP, DataType

DAY = 86_400_000_000
"""Microseconds of a day."""

CAST_TARGETS = {
    "int64": INT64,
    "float64": FLOAT64,
    "string": STRING,
    "bool": BOOL,
    "timestamp": TIMESTAMP,
    "date": DATE,
    "int": INT64,
    "float": FLOAT64,
}
_CASTS: dict[str, tuple[str, ...]] = {
    "int64": ("int64", "float64", "string", "bool"),
    "float64": ("int64", "float64"),
    "bool": ("bool", "int64", "float64", "string"),
    "string": ("string", "int64", "float64", "bool"),
    "timestamp": ("timestamp", "date"),
    "date": ("date", "timestamp"),
}
_MAY_FAIL = {("float64", "int64"), ("string", "int64"), ("string", "float64"), ("string", "bool")}
_TIME_RULES: dict[tuple[str, str, str], DataType] = {
    ("timestamp", "-", "timestamp"): DURATION,
    ("date", "-", "date"): DURATION,
    ("timestamp", "+", "duration"): TIMESTAMP,
    ("duration", "+", "timestamp"): TIMESTAMP,
    ("timestamp", "-", "duration"): TIMESTAMP,
    ("duration", "+", "duration"): DURATION,
    ("duration", "-", "duration"): DURATION,
    ("duration", "*", "int64"): DURATION,
    ("int64", "*", "duration"): DURATION,
    ("duration", "/", "duration"): FLOAT64,
}


@dataclass(frozen=True, slots=True)
class TypeFault:
    """Why values do not go together; the caller knows the place."""

    code: str
    what: str
    help: str | None = None


def family(found: DataType) -> str:
    """Return what a type compares with: `number`, `text`, or its own name."""
    if found.numeric:
        return "number"
    return "text" if found.text else str(found.name)


def unify(values: Sequence[Expression], what: str) -> DataType | TypeFault:
    """Return the one type that all the values take; `what` names them in the fault, as in "`=` compares"."""
    typed = [value for value in values if value.type.name != "null"]
    nullable = any(value.type.nullable for value in values)
    if not typed:
        return NULL
    families = {family(value.type) for value in typed}
    if families == {"timestamp", "date"}:
        return replace(TIMESTAMP, nullable=nullable)
    if len(families) > 1:
        shown = " and ".join(sorted({f"`{value.type.not_null()}`" for value in typed}))
        return TypeFault("E2053", f"{what} {shown}", _family_help(families))
    unit = _one_unit(typed, what)
    if isinstance(unit, TypeFault):
        return unit
    name = "float64" if any(value.type.name in FLOATS for value in typed) else typed[0].type.widened().name
    return DataType(name, nullable=nullable, unit=unit, item=typed[0].type.item, size=typed[0].type.size)


def _family_help(families: set[str]) -> str | None:
    if families == {"text", "timestamp"}:
        return "a constant moment is written `timestamp '2024-05-01 12:00:00'`"
    if families == {"text", "date"}:
        return "a constant date is written `date '2024-05-01'`"
    return "convert one side with `cast(x as type)`" if families <= {"text", "number", "bool"} else None


def _one_unit(values: Sequence[Expression], what: str) -> str | None | TypeFault:
    """Return the unit that all share; a constant without a unit takes any."""
    bound = [v for v in values if v.type.unit is not None or any(True for _ in columns(v))]
    units = {v.type.unit for v in bound}
    if len(units) <= 1:
        return next(iter(units), None)
    shown = " and ".join(sorted(f"`{unit}`" if unit else "a number without a unit" for unit in units))
    return TypeFault("E2054", f"{what} {shown}", "bring both to one unit first")


def arithmetic(operator: str, left: Expression, right: Expression) -> DataType | TypeFault:
    """Return the type of `left operator right`, null included where the value may be undefined."""
    nullable = left.type.nullable or right.type.nullable
    if "null" in (left.type.name, right.type.name):
        other = right.type if left.type.name == "null" else left.type
        base = FLOAT64 if operator == "/" or other.name == "null" else other.widened()
        return base.or_null() if other.numeric or other.name in ("null", "duration") else _no_rule(operator, left, right)
    if left.type.numeric and right.type.numeric:
        return _numbers(operator, left, right, nullable=nullable)
    found = _TIME_RULES.get((_wide(left), operator, _wide(right)))
    if found is None:
        return _no_rule(operator, left, right)
    return replace(found, nullable=nullable or (operator == "/" and not _never_zero(right)))


def _wide(value: Expression) -> str:
    return str(value.type.widened().name)


def _no_rule(operator: str, left: Expression, right: Expression) -> TypeFault:
    advice = "text is joined with `||`" if operator == "+" and left.type.text and right.type.text else None
    if "date" in (left.type.name, right.type.name):
        advice = "convert the date with `cast(d as timestamp)` first"
    elif "duration" in (left.type.name, right.type.name):
        advice = "`seconds(d)` is a duration as a number"
    return TypeFault(
        "E2053", f"`{operator}` does not take `{left.type.not_null()}` and `{right.type.not_null()}`", advice
    )


def _numbers(operator: str, left: Expression, right: Expression, *, nullable: bool) -> DataType | TypeFault:
    name = "float64" if "float64" in (_wide(left), _wide(right)) or operator == "/" else "int64"
    if operator in "+-%":
        verb = {"+": "adds", "-": "subtracts", "%": "divides"}[operator]
        unit = _one_unit((left, right), f"`{operator}` {verb}")
    else:
        unit = _product(operator, left.type.unit, right.type.unit)
    if isinstance(unit, TypeFault):
        return unit
    undefined = operator in "/%" and not _never_zero(right)
    return DataType(name, nullable=nullable or undefined, unit=unit)  # type: ignore[arg-type]  # one of two scalars


def _product(operator: str, left: str | None, right: str | None) -> str | None:
    if right is None:
        return left
    if operator == "/":
        if left == right:
            return None
        return f"{left or 1}/{_grouped(right)}"
    return right if left is None else f"{left}*{right}"


def _grouped(unit: str) -> str:
    return f"({unit})" if "*" in unit or "/" in unit else unit


def _never_zero(divisor: Expression) -> bool:
    return isinstance(divisor, Literal) and bool(divisor.value)


def cast_type(operand: DataType, target: DataType) -> DataType | TypeFault:
    """Return the type of a cast, nullable where some value has no counterpart."""
    source = str(operand.widened().name)
    if source == "null":
        return target.or_null()
    if target.name not in _CASTS.get(source, ()):
        help_ = "`seconds(d)` is a duration in seconds" if source == "duration" else None
        if source == "timestamp" and target.numeric:
            help_ = "`epoch(ts)` is a moment in seconds"
        return TypeFault("E2059", f"`{operand.not_null()}` has no counterpart in `{target}`", help_)
    nullable = operand.nullable or (source, str(target.name)) in _MAY_FAIL
    return replace(target, nullable=nullable, unit=operand.unit if target.numeric else None)


def coerce(value: Expression, target: DataType) -> Expression:
    """Give a value the type that its neighbours have: null, int64 to float64, date to timestamp."""
    if value.type.name == "null":
        return Literal(type=target.or_null(), span=value.span, value=None)
    moved = (value.type.widened().name, target.name)
    if moved not in (("int64", "float64"), ("date", "timestamp")):
        return value
    if not isinstance(value, Literal):
        return Cast(type=replace(target, nullable=value.type.nullable, unit=value.type.unit), span=value.span, operand=value)
    number = value.value
    if isinstance(number, int):
        number = number * DAY if target.name == "timestamp" else float(number)
    return replace(value, type=replace(target, nullable=value.type.nullable, unit=value.type.unit), value=number)
