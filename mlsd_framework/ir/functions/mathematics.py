"""Functions of numbers; what is undefined for real numbers, or too large, is null."""

from mlsd_framework.ir.functions.definition import FLOAT, Function, Nulls, Parameter, always, as_first
from mlsd_framework.ir.types import INT64

_X = (Parameter("x", "number"),)
_Examples = tuple[tuple[str, bool | float | str | None], ...]


def _real(name: str, doc: str, examples: _Examples, nulls: Nulls = "possible") -> Function:
    return Function(
        name=name, group="mathematics", parameters=_X, result=FLOAT, nulls=nulls, doc=doc, examples=examples
    )


def _keeps_type(name: str, doc: str, examples: _Examples) -> Function:
    return Function(name=name, group="mathematics", parameters=_X, result=as_first, doc=doc, examples=examples)


FUNCTIONS = (
    _keeps_type("abs", "The magnitude.", (("abs(-3)", 3), ("abs(-2.5)", 2.5), ("abs(cast(null as int64))", None))),
    Function(
        name="round",
        group="mathematics",
        parameters=(Parameter("x", "number"), Parameter("digits", "integer", literal=True, optional=True, minimum=0, maximum=15)),
        result=as_first,
        doc="To `digits` decimals (0 to 15, default 0); halves go away from zero.",
        examples=(("round(2.5)", 3.0), ("round(-2.5)", -3.0), ("round(1.25, 1)", 1.3), ("round(7)", 7)),
    ),
    _keeps_type("floor", "The largest whole number not above.", (("floor(-1.5)", -2.0), ("floor(7)", 7))),
    _keeps_type("ceil", "The smallest whole number not below.", (("ceil(1.2)", 2.0), ("ceil(7)", 7))),
    Function(
        name="sign",
        group="mathematics",
        parameters=_X,
        result=always(INT64),
        doc="-1, 0 or 1.",
        examples=(("sign(-2.5)", -1), ("sign(0)", 0), ("sign(9)", 1)),
    ),
    _real("sqrt", "The square root; null below zero.", (("sqrt(9)", 3.0), ("sqrt(-1)", None))),
    _real("exp", "e to the power of x; null where too large.", (("exp(0)", 1.0), ("exp(1000)", None))),
    _real("ln", "The natural logarithm; null at zero and below.", (("ln(1)", 0.0), ("ln(0)", None))),
    _real("log10", "The logarithm to base ten; null at zero and below.", (("log10(1000)", 3.0), ("log10(-1)", None))),
    Function(
        name="power",
        group="mathematics",
        parameters=(Parameter("x", "number"), Parameter("y", "number")),
        result=FLOAT,
        nulls="possible",
        doc="x to the power of y; null where undefined or too large.",
        examples=(("power(2, 10)", 1024.0), ("power(-8, 0.5)", None), ("power(10, 400)", None), ("power(0, -1)", None)),
    ),
    _real("sin", "The sine of an angle in radians.", (("sin(0)", 0.0),)),
    _real("cos", "The cosine of an angle in radians.", (("cos(0)", 1.0),)),
    _real("tan", "The tangent of an angle in radians.", (("tan(0)", 0.0),)),
    _real("asin", "The angle whose sine is x; null outside -1 to 1.", (("asin(0)", 0.0), ("asin(2)", None))),
    _real("acos", "The angle whose cosine is x; null outside -1 to 1.", (("acos(1)", 0.0), ("acos(2)", None))),
    _real("atan", "The angle whose tangent is x.", (("atan(0)", 0.0),)),
    Function(
        name="atan2",
        group="mathematics",
        parameters=(Parameter("y", "number"), Parameter("x", "number")),
        result=FLOAT,
        nulls="possible",
        doc="The angle of the point (x, y), in radians.",
        examples=(("atan2(0, 1)", 0.0), ("atan2(1, 0)", 1.5707963267948966)),
    ),
    _real("radians", "Degrees as radians.", (("radians(180)", 3.141592653589793),)),
    Function(
        name="mod",
        group="mathematics",
        parameters=(Parameter("x", "number"), Parameter("y", "number")),
        result=as_first,
        nulls="possible",
        doc="The remainder, the same as `x % y`: it has the sign of x, and is null where y is zero.",
        examples=(("mod(7, 3)", 1), ("mod(-7, 3)", -1), ("mod(7, 0)", None), ("mod(5.5, 2)", 1.5)),
    ),
)
