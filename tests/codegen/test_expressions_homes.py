"""An expression has one value: for one request, for a whole column, and in DuckDB where its semantics are ours."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.codegen.expressions_polars import to_polars
from mlsd_framework.codegen.expressions_python import to_python
from mlsd_framework.ir.expressions import Column, Expression
from mlsd_framework.ir.functions import FUNCTIONS
from mlsd_framework.lower.expressions import NameScope, lower_expression
from mlsd_framework.lower.scalar_places import Place
from mlsd_framework.lower.types import parse_type
from mlsd_framework.runtime.features import sql, sql_polars

if TYPE_CHECKING:
    from mlsd_framework.diagnostics.diagnostic import Diagnostic

T0 = datetime(2024, 2, 29, 23, 59, 59, 500_000, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "i": [0, 1, -7, 3, None, 9, -1, 2],
        "n": [1, 2, 3, -4, 5, -6, 7, 0],
        "f": [0.0, -2.5, None, 1e3, 0.5, 7.25, -0.5, None],
        "g": [1.5, 2.5, -3.5, 0.0, 100.0, -7.25, 0.1, 4.0],
        "s": ["", "FI", "a%b_c", None, " x ", "ÅÄ,ö", "1e3", "12"],
        "t": ["FI", "se", "a", "b,c", "x", "ß", "-7", "true"],
        "p": [True, False, None, True, False, None, True, False],
        "q": [False, False, True, True, True, False, False, True],
        "u": [T0, None, *(T0 + timedelta(days=37 * k, minutes=13 * k) for k in range(-40, 20, 10))],
        "v": [T0 - timedelta(days=20_000), T0, *(T0 - timedelta(hours=7 * k) for k in range(6))],
        "d": [T0.date(), None, *((T0 + timedelta(days=k)).date() for k in range(6))],
        "l": [["", "FI"], [], ["a"], ["b,c", None], None, ["x", "ß"], [None], ["true"]],
        "m": [[1, 2], [2], [3], [-4, 3], [], [-6, 9], [7], [2]],
    },
    schema_overrides={
        "n": pl.Int32,
        "t": pl.Categorical,
        "m": pl.List(pl.Int32),
        "u": pl.Datetime("us", "UTC"),
        "v": pl.Datetime("us", "UTC"),
    },
)
TYPES = {
    "i": "int64?",
    "n": "int32",
    "f": "float64?",
    "g": "float64",
    "s": "string?",
    "t": "category",
    "p": "bool?",
    "q": "bool",
    "u": "timestamp?",
    "v": "timestamp",
    "d": "date?",
    "l": "list<category?>?",
    "m": "list<int32>",
}
SCOPE = NameScope({name: found for name, text in TYPES.items() if (found := parse_type(text)) is not None})
PHYSICAL = FRAME.with_columns(pl.col("u", "v", "d").to_physical(), pl.col("t").cast(pl.String))
ROWS = PHYSICAL.rows(named=True)


def lowered(text: str) -> Expression:
    """Return the checked expression; a fault fails the test."""
    faults: list[Diagnostic] = []
    found = lower_expression(text, SCOPE, Place(None), faults)
    assert found is not None, (text, faults)
    return found


def compile_scalar(expression: Expression) -> Callable[[dict[str, Any]], Any]:
    """Return the generated code for one request as a function of a row."""
    code = to_python(expression, lambda column: column.name)
    return eval(f"lambda {', '.join(TYPES)}: {code.text}", {"sql": sql})  # noqa: S307 - the generated source is under test


def compile_polars(expression: Expression) -> pl.Expr:
    """Return the generated code for a frame."""
    code = to_polars(expression, lambda column: column.name)
    found: pl.Expr = eval(code.text, {"pl": pl, "sql": sql_polars})  # noqa: S307 - the generated source is under test
    return found


def scalar_values(expression: Expression) -> list[Any]:
    """Compute the expression row by row."""
    compute = compile_scalar(expression)
    return [compute(**row) for row in ROWS]


def column_values(expression: Expression) -> list[Any]:
    """Compute the expression over the frame, in the scalar representation."""
    found = FRAME.select(pl.col("n"), found=compile_polars(expression))["found"]
    return found.to_physical().to_list() if found.dtype.is_temporal() else found.to_list()


def same(a: object, b: object, tolerance: float = 0.0) -> bool:
    """Tell whether two values are equal, in type as well; floats to a relative tolerance."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    return type(a) is type(b) and a == b


def assert_one_value(text: str, tolerance: float = 0.0) -> None:
    """Compare the two homes, and what is null with what the type allows."""
    expression = lowered(text)
    alone, together = scalar_values(expression), column_values(expression)
    assert all(same(a, b, tolerance) for a, b in zip(alone, together, strict=True)), (text, alone, together)
    assert expression.type.nullable or None not in alone, text


EXAMPLES = [(entry, *example) for entry in FUNCTIONS.values() for example in entry.examples]


@pytest.mark.parametrize(("entry", "text", "value"), EXAMPLES, ids=[text for _, text, _ in EXAMPLES])
def test_the_examples_of_the_table_hold_in_both_homes(entry: object, text: str, value: object) -> None:  # noqa: ARG001 - it names the test
    """Every documented example has its documented value, for one request and for a column."""
    expression = lowered(text)
    assert same(scalar_values(expression)[0], value), scalar_values(expression)[0]
    assert same(column_values(expression)[0], value), column_values(expression)[0]


def test_every_function_has_two_homes_and_examples() -> None:
    """An entry without an implementation, or without an example, is not complete."""
    for entry in FUNCTIONS.values():
        assert callable(getattr(sql, entry.python_name)), entry.name
        assert callable(getattr(sql_polars, entry.python_name)), entry.name
        assert entry.examples, entry.name
        assert entry.doc, entry.name


CORNERS = [
    "g / 0",
    "i / n",
    "i % n",
    "g % f",
    "g % 0",
    "9223372036854775807 + n",
    "i * 9223372036854775807",
    "-(-9223372036854775808 + i)",
    "abs(-9223372036854775808 - n * 0)",
    "round(g * 1e300, 15)",
    "ln(g)",
    "sqrt(f)",
    "exp(g * 100)",
    "power(g, 1000)",
    "power(i, n)",
    "log10(g)",
    "asin(g)",
    "cast(s as int64)",
    "cast(s as float64)",
    "cast(t as bool)",
    "cast(g * 1e18 as int64)",
    "g::int64",
    "i::string",
    "p::string",
    "p::int64",
    "i::bool",
    "cast('9223372036854775808' as int64)",
    "cast('1e999' as float64)",
    "cast('nan' as float64)",
    "case when p then i when f > 0 then 2.5 end",
    "case i when 1 then 'x' when null then 'y' else t end",
    "case when null then 1 else 2 end",
    "i in (1, null)",
    "i not in (1, null)",
    "i in (n, 1, 3)",
    "i in (1, 2.5)",
    "v in (v, timestamp '2024-01-01')",
    "i between n and null",
    "s in l",
    "t not in l",
    "'a' in l",
    "null in l",
    "n in m",
    "3 not in m",
    "i in m or t in l",
    "s like 'a\\%b%' escape '\\'",
    "s like '%'",
    "s like ''",
    "t ilike '%E'",
    "s not like '_'",
    "null = i",
    "null and p",
    "p or null",
    "not p",
    "p = q",
    "p is not null and q",
    "t || s",
    "concat(s, t)",
    "substr(s, n, 2)",
    "substr(s, i)",
    "substr(s, -9223372036854775807, 9223372036854775807)",
    "split_part(t, ',', 2)",
    "replace(s, '%', '$1')",
    "contains(s, t)",
    "v - u",
    "seconds(v - u)",
    "(v - u) / interval '1' hour",
    "(v - u) * 3",
    "u + interval '36' hour",
    "d < v",
    "d - date '2024-01-01'",
    "cast(u as date)",
    "cast(d as timestamp)",
    "hour(d)",
    "greatest(d, u)",
    "coalesce(u, timestamp '2024-01-01T00:00:00+02:00')",
    "least(s, t)",
    "greatest(p, q)",
    "nullif(t, 'x')",
    "1 + 1",
    "'a' = 'b'",
    "interval '90' minute",
    "date '1969-12-31'",
    *(f"date_trunc('{unit}', v)" for unit in ("second", "minute", "hour", "day", "week", "month", "quarter", "year")),
    *(f"{part}(v)" for part in ("second", "minute", "hour", "day", "day_of_week", "day_of_year", "month", "year")),
]


@pytest.mark.parametrize("text", CORNERS)
def test_corners_have_one_value(text: str) -> None:
    """Nulls, zeros, overflow, odd text and odd moments mean the same for one request and for a column."""
    assert_one_value(text, 1e-14)


NUMBERS = ("i", "n", "f", "g", "3", "-2", "0", "2.5e0", "1e1")
TEXTS = ("s", "t", "'FI'", "'a'", "''", "'%'")
MOMENTS = ("u", "v", "timestamp '2023-12-31 23:00:00'", "cast(d as timestamp)")
CONDITIONS = ("p", "q", "true", "false")
LEAVES = {"number": NUMBERS, "text": TEXTS, "moment": MOMENTS, "condition": CONDITIONS}

AGREED: dict[str, list[str]] = {
    "number": [
        "(N + N)",
        "(N - N)",
        "(N * n)",
        "(N / nullif(N, 0))",
        "(-(N))",
        "abs(N)",
        "sign(N)",
        "floor(N)",
        "ceil(N)",
        "coalesce(N, N)",
        "nullif(N, N)",
        "greatest(N, N)",
        "least(N, N, N)",
        "case when C then N when C then N else N end",
        "case when C then N end",
        "case N when N then N else N end",
        "length(S)",
        "hour(M)",
        "minute(M)",
        "day_of_week(M)",
        "day(M)",
        "day_of_year(M)",
        "month(M)",
        "year(M)",
    ],
    "text": [
        "(S || S)",
        "concat(S, S)",
        "lower(S)",
        "trim(S)",
        "coalesce(S, S)",
        "nullif(S, S)",
        "case when C then S else S end",
        "greatest(S, S)",
        "replace(S, 'a', 'bb')",
    ],
    "moment": ["(M + interval '36' hour)", "coalesce(M, M)", "case when C then M else M end", "least(M, M)"],
    "condition": [
        "(C and C)",
        "(C or C)",
        "(not C)",
        "(N < N)",
        "(N <= N)",
        "(N = N)",
        "(N <> N)",
        "(S = S)",
        "(S > S)",
        "(M < M)",
        "(M = M)",
        "(C = C)",
        "(N between N and N)",
        "(N not between N and N)",
        "(N in (1, 2, N))",
        "(N not in (1, null))",
        "(S in ('FI', 'a'))",
        "(S like '%a_b%')",
        "(S not like 'F%')",
        "(S ilike 'f_')",
        "(N is null)",
        "(S is not null)",
        "starts_with(S, S)",
        "ends_with(S, S)",
        "contains(S, S)",
    ],
}
"""Where DuckDB means what we mean. It does otherwise, and is left out, for: what is undefined or too large (an error or
infinity there, null here), casts (rounding, an error), `round` of floats (its own rule), `substr` below 1, a
separator's part, `%` of floats, epoch and seconds (exact there), and decimal literals (`2.5` is a DECIMAL there)."""

OURS: dict[str, list[str]] = {
    "number": [
        "(N / N)",
        "(N % N)",
        "sqrt(N)",
        "ln(N)",
        "exp(N)",
        "power(N, 2)",
        "round(N, 1)",
        "cast(S as int64)",
        "cast(S as float64)",
        "cast(N as int64)",
        "cast(seconds_between(M, M) as float64)",
        "cast(epoch(M) as float64)",
        "sin(N)",
        "mod(N, N)",
    ],
    "text": ["substr(S, 0, 2)", "split_part(S, ',', 2)", "upper(S)"],
    "moment": ["date_trunc('week', M)"],
    "condition": ["cast(S as bool)"],
}
KINDS = {"N": "number", "S": "text", "M": "moment", "C": "condition"}


def texts_of(kind: str, forms: dict[str, list[str]], depth: int) -> st.SearchStrategy[str]:
    """Draw the text of a typed expression; each N, S, M or C of a form is filled with one of that kind."""
    leaf = st.sampled_from(LEAVES[kind])
    if depth == 0:
        return leaf

    @st.composite
    def grown(draw: st.DrawFn) -> str:
        form = draw(st.sampled_from(forms[kind]))
        parts = [draw(texts_of(KINDS[c], forms, depth - 1)) if c in KINDS else c for c in form]
        return "".join(parts)

    return st.one_of(leaf, grown())


def expressions(forms: dict[str, list[str]]) -> st.SearchStrategy[str]:
    """Draw an expression of any type."""
    return st.sampled_from(sorted(LEAVES)).flatmap(lambda kind: texts_of(kind, forms, 3))


EVERYTHING = {kind: [*AGREED[kind], *OURS[kind]] for kind in AGREED}


@settings(max_examples=300, deadline=None)
@given(text=expressions(EVERYTHING))
def test_any_expression_has_one_value_in_both_homes(text: str) -> None:
    """A random typed expression over rows with nulls is the same row by row and as a column, to the last digits."""
    assert_one_value(text, 1e-9)


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give DuckDB the rows, in UTC, and names for the functions it spells otherwise."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute("create macro day_of_week(x) as isodow(x)")
    connection.execute("create macro day_of_year(x) as dayofyear(x)")
    kinds = {"int64": "bigint", "int32": "integer", "float64": "double", "string": "varchar", "category": "varchar"}
    kinds |= {"bool": "boolean", "timestamp": "timestamp", "date": "date"}
    known = {name: kinds[text.rstrip("?")] for name, text in TYPES.items() if not text.startswith("list")}
    connection.execute(f"create table rows ({', '.join(f'{name} {kind}' for name, kind in known.items())})")
    naive = FRAME.select(*known).with_columns(pl.col("u", "v").dt.replace_time_zone(None), pl.col("t").cast(pl.String))
    connection.executemany(f"insert into rows values ({', '.join('?' * len(known))})", naive.rows())  # noqa: S608 - made from fixed parts
    yield connection
    connection.close()


def plain(value: object) -> object:
    """Bring DuckDB's moments and numbers to the scalar representation."""
    if isinstance(value, datetime):
        return float((value.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@settings(max_examples=200, deadline=None)
@given(text=expressions(AGREED))
def test_duckdb_agrees(oracle: duckdb.DuckDBPyConnection, text: str) -> None:
    """Where SQL has one meaning, DuckDB gives the same values."""
    expected = [row[0] for row in oracle.execute(f"select {text} from rows").fetchall()]  # noqa: S608 - made from fixed parts
    found = scalar_values(lowered(text))
    alike = [same(plain(a), plain(b), 1e-9) for a, b in zip(found, expected, strict=True)]
    assert all(alike), (text, found, expected)


def test_names_reach_the_code_through_the_callback_only() -> None:
    """A column's source is what the caller says, and text goes in as a literal."""
    code = to_python(lowered("s = 'it''s \"x\"' or i > 1"), _attribute)
    assert code.text == "sql.or_(sql.eq(row.s, 'it\\'s \"x\"'), sql.gt(row.i, 1))"


def _attribute(column: Column) -> str:
    return f"row.{column.path}"
