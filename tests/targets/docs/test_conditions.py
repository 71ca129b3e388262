"""Expressions as text: reading what was printed gives the same meaning."""

import pytest

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.lower.expressions import NameScope, lower_expression
from mlsd_framework.lower.scalar_places import Place
from mlsd_framework.lower.types import parse_type
from mlsd_framework.targets.docs.conditions import text

TYPES = {"amount": "float64 EUR", "n": "int64?", "s": "string?", "ts": "timestamp", "d": "date", "ok": "bool?"}
SCOPE = NameScope({name: found for name, written in TYPES.items() if (found := parse_type(written)) is not None})
WRITTEN = (
    "amount * 2 + 1 > 1.5e-7 and not (ok or n is not null)",
    "-n - (3 - n) % 4 = 0",
    "case when n >= 1 then 'a''b' when ok then s else null end",
    "case s when 'x' then 1 else 2 end",
    "s in ('a', 'b''') or n not in (1, 2)",
    "amount between 1 and 2 + 3",
    "n not between 1 and 2",
    "s like '%a_' or s not ilike 'b%'",
    "s like '50!%' escape '!'",
    "coalesce(n, 0) = 1 and s || 'x' <> 'yx'",
    "hour(ts) < 6 and ts >= timestamp '2024-05-01 12:00:00' and d < date '2024-05-02'",
    "ts - timestamp '2024-05-01 12:00:00' > interval '7' day",
    "cast(n as float64) / nullif(n, 0)",
    "cast(n as string) = 'true' or ok = true",
)


def _read(written: str) -> Expression:
    place = Place(Span("x.yaml", 1, 1, 1, 1 + len(written)), written)
    found = lower_expression(written, SCOPE, place, [])
    assert found is not None, written
    return found


@pytest.mark.parametrize("written", WRITTEN)
def test_what_is_printed_means_the_same(written: str) -> None:
    """The printed text is read as the tree that it was printed from."""
    assert _read(text(_read(written))) == _read(written)
