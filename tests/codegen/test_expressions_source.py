"""Generated source reads as a person would write it, and nothing of the spec's text gets in."""

import subprocess
import sys

import pytest

from mlsd_framework.codegen.expressions_polars import IMPORT_POLARS, IMPORT_SQL, to_polars
from mlsd_framework.codegen.expressions_python import to_python
from mlsd_framework.ir.expressions import Column, Expression
from mlsd_framework.lower.expressions import NameScope, lower_expression
from mlsd_framework.lower.scalar_places import Place
from mlsd_framework.lower.types import parse_type

TYPES = {
    "amount": "float64 EUR",
    "n": "int32",
    "i": "int64",
    "f": "float64?",
    "s": "string",
    "c": "category?",
    "ts": "timestamp",
    "ok": "bool",
    "card.mean": "float64 EUR?",
}
SCOPE = NameScope({name: found for name, text in TYPES.items() if (found := parse_type(text)) is not None})


def lowered(text: str) -> Expression:
    """Return the checked expression."""
    found = lower_expression(text, SCOPE, Place(None), [])
    assert found is not None
    return found


def name(column: Column) -> str:
    """Name a column as the spec does."""
    return column.path


SOURCES = [
    ("amount > 500", "amount > 500", 'pl.col("amount") > 500'),
    (
        "amount / nullif(card.mean, 0)",
        "sql.div(amount, sql.nullif(card.mean, 0.0))",
        'sql.div(pl.col("amount"), sql.nullif(pl.col("card.mean"), 0.0))',
    ),
    (
        "hour(ts) < 6 and not ok",
        "sql.hour(ts) < 6 and not ok",
        '(sql.hour(pl.col("ts")) < 6) & ~pl.col("ok")',
    ),
    (
        "case when f > 1 then 'a' else s end",
        '"a" if sql.gt(f, 1) else s',
        'pl.when(pl.col("f") > 1).then(pl.lit("a", dtype=pl.String)).otherwise(pl.col("s"))',
    ),
    ("s not in ('FI', 'SE')", 's not in ("FI", "SE")', '~pl.col("s").is_in(["FI", "SE"])'),
    ("c = 'FI'", 'sql.eq(c, "FI")', 'pl.col("c").cast(pl.String) == "FI"'),
    ("1 <= n and n < 5", "1 <= n and n < 5", '(1 <= pl.col("n").cast(pl.Int64)) & (pl.col("n").cast(pl.Int64) < 5)'),
    ("n between 1 and 5", "1 <= n <= 5", 'sql.between(pl.col("n").cast(pl.Int64), 1, 5)'),
    ("n - (n - 1) * 2", "n - (n - 1) * 2", None),
    ("i + 1", "sql.add(i, 1)", 'sql.add(pl.col("i"), 1)'),
    ("(ok or n > 1) and ok", "(ok or n > 1) and ok", None),
    ("(n > 1) = ok", "(n > 1) == ok", '(pl.col("n").cast(pl.Int64) > 1) == pl.col("ok")'),
    ("f is not null", "f is not None", 'pl.col("f").is_not_null()'),
    ("ts - interval '7' day", "ts - 604_800_000_000", 'pl.col("ts") - pl.duration(weeks=1)'),
    ("amount * 2 - -1", "amount * 2 - -1", 'pl.col("amount") * 2 - -1'),
]


@pytest.mark.parametrize(("text", "python", "polars"), SOURCES, ids=[text for text, *_ in SOURCES])
def test_the_source_is_what_a_person_would_write(text: str, python: str, polars: str | None) -> None:
    """Plain operators where null cannot occur and polars' own where they mean the same."""
    expression = lowered(text)
    assert to_python(expression, name).text == python
    assert polars is None or to_polars(expression, name).text == polars


def test_imports_are_those_that_the_source_needs() -> None:
    """An expression of plain operators needs none of the runtime."""
    assert not to_python(lowered("amount > 500"), name).imports
    assert to_polars(lowered("amount > 500"), name).imports == {IMPORT_POLARS}
    assert to_polars(lowered("i + 1"), name).imports == {IMPORT_POLARS, IMPORT_SQL}


@pytest.mark.parametrize("nasty", ["'); import os; ('", '"', "\\", "\n", "\u2028", "{{ x }}", "#", "'''", "\x00"])
def test_text_reaches_the_source_as_a_literal_only(nasty: str) -> None:
    """Quotes, newlines and code in a constant stay a constant in both sources."""
    expression = lowered("s = '" + nasty.replace("'", "''") + "'")
    for code in (to_python(expression, name).text, to_polars(expression, name).text):
        compared = compile(code, "<generated>", "eval")
        assert nasty in compared.co_consts


@pytest.mark.parametrize(
    "text",
    [
        "abs(" * 95 + "f" + ")" * 95,
        "(" * 95 + "f" + ")" * 95,
        " + ".join(["f"] * 95),
        " or ".join(["ok"] * 95),
        " || ".join(["c"] * 95),
        "case when ok then " * 45 + "1" + " end" * 45,
    ],
    ids=lambda text: text[:12],
)
def test_the_deepest_expressions_become_source_that_compiles(text: str) -> None:
    """What the limits let through goes all the way to code."""
    expression = lowered(text)
    for code in (to_python(expression, name).text, to_polars(expression, name).text):
        compile(code, "<generated>", "eval")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("mlsd_framework.lower.expressions", "sqlglot"),
        ("mlsd_framework.codegen.expressions_polars", "polars"),
        ("mlsd_framework.runtime.features.sql", "polars"),
        ("mlsd_framework.diagnostics.suggest", "difflib"),
    ],
)
def test_nothing_heavy_is_imported_early(module: str, heavy: str) -> None:
    """A cheap caller does not pay for the parser or for polars."""
    check = f"import sys, {module}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
