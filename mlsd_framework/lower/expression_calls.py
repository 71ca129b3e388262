"""Function calls of an expression against their entries: the name, the number of arguments, each one's type."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.suggest import nearest
from mlsd_framework.ir.expressions import Call, Expression, Literal
from mlsd_framework.ir.functions import FUNCTIONS, Function, Parameter
from mlsd_framework.ir.types import DURATION, FLOAT64, INT64, STRING, TIMESTAMP, DataType
from mlsd_framework.lower.expression_lowering import Lowering, joined
from mlsd_framework.lower.expression_operators import binary
from mlsd_framework.lower.expression_types import coerce, family, unify

if TYPE_CHECKING:
    from sqlglot import exp

    from mlsd_framework.diagnostics.span import Span

_AGGREGATES = [
    "sum",
    "count",
    "avg",
    "mean",
    "min",
    "max",
    "stddev",
    "std",
    "variance",
    "var",
    "median",
    "quantile",
    "count_distinct",
    "first",
    "last",
    "last_n",
    "any_value",
    "string_agg",
    "array_agg",
    "list",
    "mode",
    "row_number",
    "rank",
    "lag",
    "lead",
    "ewma",
    "time_since_last",
]
_OTHER_NAMES = {
    "substring": "substr",
    "len": "length",
    "char_length": "length",
    "ifnull": "coalesce",
    "isnull": "coalesce",
    "nvl": "coalesce",
    "log": "ln",
    "pow": "power",
    "ceiling": "ceil",
    "lcase": "lower",
    "ucase": "upper",
    "dayofweek": "day_of_week",
    "isodow": "day_of_week",
    "weekday": "day_of_week",
    "dayofyear": "day_of_year",
    "datediff": "seconds_between",
    "date_diff": "seconds_between",
    "timestampdiff": "seconds_between",
    "unix_timestamp": "epoch",
    "to_timestamp": "cast(x as timestamp)",
    "if": "case when … then … else … end",
    "iff": "case when … then … else … end",
    "left": "substr",
    "concat_ws": "concat",
    "str": "cast(x as string)",
    "int": "cast(x as int64)",
    "float": "cast(x as float64)",
    "regexp_matches": "like",
    "extract": "year, month, day, hour",
}
_KINDS: dict[str, tuple[tuple[str, ...], DataType, str]] = {
    "number": (("number",), FLOAT64, "a number"),
    "integer": (("number",), INT64, "an int64"),
    "text": (("text",), STRING, "text"),
    "timestamp": (("timestamp", "date"), TIMESTAMP, "a timestamp or a date"),
    "duration": (("duration",), DURATION, "a duration"),
}


def lower_call(at: Lowering, node: "exp.Expr") -> Expression | None:
    """Lower a call by name: its function's entry says what it takes and gives."""
    name = str(node.this).lower() if isinstance(node.this, str) else node.name.lower()
    written = at.place.locate(at.text, node.meta["start"], node.meta["end"] + 1)
    function = FUNCTIONS.get(name)
    if function is None:
        _unknown(at, name, written)
        if name not in _AGGREGATES:
            at.all(node.expressions)
        return None
    arguments = at.all(node.expressions)
    if arguments is None or not _counted(at, function, len(arguments), written):
        return None
    fitted = _fit(at, function, arguments)
    if fitted is None:
        return None
    return _built(at, function, fitted, written)


def _built(at: Lowering, function: Function, arguments: list[Expression], written: "Span | None") -> Expression | None:
    if function.name == "mod":
        return binary(at, "%", arguments[0], arguments[1])
    if function.name == "coalesce":
        arguments = _up_to_certain(arguments)
        if len(arguments) == 1:
            return arguments[0]
    if function.name in ("round", "floor", "ceil") and arguments[0].type.name == "int64":
        return arguments[0]
    found = function.type_of(tuple(argument.type for argument in arguments))
    span = joined(written, *(argument.span for argument in arguments))
    return Call(type=found, span=span, function=function.name, arguments=tuple(arguments))


def _up_to_certain(arguments: list[Expression]) -> list[Expression]:
    """Leave out what `coalesce` never reaches: constant nulls, and all after a value that cannot be null."""
    kept: list[Expression] = []
    for argument in arguments:
        if not (isinstance(argument, Literal) and argument.value is None):
            kept.append(argument)
        if not argument.type.nullable:
            break
    return kept or arguments[:1]


def _unknown(at: Lowering, name: str, span: "Span | None") -> None:
    if name in _AGGREGATES:
        at.fault(
            "E2056",
            f"`{name}` is an aggregate, and an expression computes one value from one row",
            span,
            help="write it in a feature group's `aggregate:`",
        )
        return
    near = _OTHER_NAMES.get(name) or nearest(name, FUNCTIONS)
    at.fault(
        "E2052", f"`{name}` is not a function of the language", span, help=f"did you mean `{near}`?" if near else None
    )


def _counted(at: Lowering, function: Function, count: int, span: "Span | None") -> bool:
    if function.fewest <= count and (function.most is None or count <= function.most):
        return True
    noun = "argument" if count == 1 else "arguments"
    at.fault("E2055", f"`{function.name}` gets {count} {noun}", span, expected=f"`{function.signature}`")
    return False


def _fit(at: Lowering, function: Function, arguments: Sequence[Expression]) -> list[Expression] | None:
    """Return the arguments in the types that the parameters have, None where one does not fit."""
    fitted = [_fit_one(at, function, function.parameter(i), argument) for i, argument in enumerate(arguments)]
    good = [one for one in fitted if one is not None]
    if len(good) < len(fitted):
        return None
    alike = [one for i, one in enumerate(good) if function.parameter(i).kind == "same"]
    if not alike:
        return good
    found = at.checked(unify(alike, f"`{function.name}` compares"), joined(*(one.span for one in alike)))
    if found is None:
        return None
    return [coerce(one, found) if function.parameter(i).kind == "same" else one for i, one in enumerate(good)]


def _fit_one(at: Lowering, function: Function, parameter: Parameter, argument: Expression) -> Expression | None:
    if parameter.kind in ("same", "any"):
        return argument
    families, target, shown = _KINDS[parameter.kind]
    if argument.type.name == "null" and not parameter.literal:
        return coerce(argument, target)
    if family(argument.type) not in families or (
        parameter.kind == "integer" and argument.type.widened().name != "int64"
    ):
        what = f"`{parameter.name}` of `{function.name}` is `{argument.type.not_null()}`"
        return at.fault("E2055", what, argument.span, expected=f"{shown}, as in `{function.signature}`")
    if parameter.literal and not _constant(at, function, parameter, argument):
        return None
    return argument if parameter.kind == "number" else coerce(argument, target)


def _constant(at: Lowering, function: Function, parameter: Parameter, argument: Expression) -> bool:
    what = f"`{parameter.name}` of `{function.name}`"
    if not isinstance(argument, Literal) or argument.value is None:
        at.fault(
            "E2055", f"{what} is not a constant", argument.span, expected=f"a constant, as in `{function.signature}`"
        )
        return False
    value = argument.value
    if parameter.choices and value not in parameter.choices:
        near = nearest(str(value), parameter.choices)
        expected = f"one of: {', '.join(parameter.choices)}"
        advice = f"did you mean '{near}'?" if near else None
        at.fault("E2055", f"{what} is `{value}`", argument.span, expected=expected, help=advice)
        return False
    size = len(value) if isinstance(value, str) else value
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and size < low) or (high is not None and size > high):
        bounds = f"from {low} to {high}" if high is not None else f"at least {low}"
        noun = "characters, " if isinstance(value, str) else ""
        at.fault("E2055", f"{what} is `{value}`", argument.span, expected=f"{noun}{bounds}")
        return False
    return True
