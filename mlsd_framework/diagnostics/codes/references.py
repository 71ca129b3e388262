"""References and types (2xxx); the pages of expressions."""

from mlsd_framework.diagnostics.codes.candidates import CODES as CANDIDATES
from mlsd_framework.diagnostics.codes.code import Code
from mlsd_framework.diagnostics.codes.meaning import MEANING
from mlsd_framework.diagnostics.codes.names import NAMES, PIPELINES, TYPES

_EXPRESSIONS = (
    Code(
        "E2050",
        "expression-syntax",
        "An expression cannot be read: a word, an operand or a bracket is missing or is one too many.",
        "Write a SQL scalar expression; text goes in single quotes, equality is a single `=`.",
        "night: hour(ts) <",
        "night: hour(ts) < 6",
    ),
    Code(
        "E2051",
        "unknown-column",
        "An expression uses a name that is neither a column in sight nor a feature of a group in sight.",
        "Correct the name, or declare the column in its source or its feature group.",
        "ratio: amout / 2",
        "ratio: amount / 2",
    ),
    Code(
        "E2052",
        "unknown-function",
        "An expression calls a function that the language does not have.",
        "Use a function of the table in docs/expressions.md.",
        "night: hours(ts) < 6",
        "night: hour(ts) < 6",
    ),
    Code(
        "E2053",
        "operand-type",
        "An operator or a `case` meets values of types that do not go together.",
        "Convert one side with `cast(x as type)`, or use the column that was meant.",
        "late: country > 5",
        "late: amount > 5",
    ),
    Code(
        "E2054",
        "unit-mismatch",
        "Values of different units are added, compared or put beside each other.",
        "Bring both to one unit first, with a division or a multiplication.",
        "odd: amount + seconds_since",
        "odd: amount + fee",
    ),
    Code(
        "E2055",
        "function-arguments",
        "A function gets too few or too many arguments, or one of a type that it does not take.",
        "Call it as its signature says; `mlsd explain E2055` and docs/expressions.md show them.",
        "night: hour(amount) < 6",
        "night: hour(ts) < 6",
    ),
    Code(
        "E2056",
        "not-scalar",
        "An expression uses a part of SQL that the language leaves out: a query, an aggregate, a window, a list.",
        "Aggregates belong in a feature group's `aggregate:`; an expression computes one value from one row.",
        "spend: sum(amount) over (partition by card_id)",
        "aggregate: {spend: sum(amount)}",
    ),
    Code(
        "E2057",
        "expression-too-large",
        "An expression is longer than 10,000 characters or nested more than 100 deep.",
        "Split it into several named expressions.",
    ),
    Code(
        "E2058",
        "unknown-type",
        "A type is named that the language does not have, or that nothing can be cast to.",
        "Name a type as the language spells it.",
        "n: cast(code as integer)",
        "n: cast(code as int64)",
    ),
    Code(
        "E2059",
        "impossible-cast",
        "No value of the one type has a counterpart in the other.",
        "Cast to a type that the value can have.",
        "n: cast(ts as bool)",
        "n: epoch(ts)",
    ),
    Code(
        "E2060",
        "literal-value",
        "A constant is out of range, or is not a moment, a date or an interval as the language writes them.",
        "Write `timestamp '2024-05-01 12:00:00'`, `date '2024-05-01'`, `interval '7' day`, a number of 64 bits.",
        "old: ts < date '2024-13-01'",
        "old: ts < date '2024-12-01'",
    ),
)

CODES: tuple[Code, ...] = (*NAMES, *TYPES, *PIPELINES, *_EXPRESSIONS, *CANDIDATES, *MEANING)
