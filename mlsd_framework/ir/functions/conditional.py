"""Functions that choose among values."""

from mlsd_framework.ir.functions.definition import Function, Parameter, as_first

FUNCTIONS = (
    Function(
        name="coalesce",
        group="conditional",
        parameters=(Parameter("x", "same"),),
        repeats=True,
        result=as_first,
        nulls="all",
        doc="The first argument that is not null.",
        examples=(("coalesce(null, 2, 3)", 2), ("coalesce(null, 'a')", "a"), ("coalesce(null, 1, 2.5)", 1.0)),
    ),
    Function(
        name="nullif",
        group="conditional",
        parameters=(Parameter("x", "same"), Parameter("value", "same")),
        result=as_first,
        nulls="possible",
        doc="Null where `x` equals `value`, else `x`; keeps a division from its zero.",
        examples=(("nullif(5, 0)", 5), ("nullif(0, 0)", None), ("nullif('a', null)", "a")),
    ),
    Function(
        name="greatest",
        group="conditional",
        parameters=(Parameter("x", "same"),),
        repeats=True,
        result=as_first,
        nulls="all",
        doc="The largest argument; nulls are passed over, as in PostgreSQL.",
        examples=(("greatest(1, 3, 2)", 3), ("greatest(1, null)", 1), ("greatest('a', 'b')", "b")),
    ),
    Function(
        name="least",
        group="conditional",
        parameters=(Parameter("x", "same"),),
        repeats=True,
        result=as_first,
        nulls="all",
        doc="The smallest argument; nulls are passed over, as in PostgreSQL.",
        examples=(("least(1, 3, 2)", 1), ("least(1.5, null)", 1.5), ("least(2, 1.5)", 1.5)),
    ),
)
