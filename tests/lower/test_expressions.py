"""Expression text is checked: types, units, nulls, and every refusal at the place of what is wrong."""

import pytest

from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Binary, Call, Column, Literal, columns
from mlsd_framework.lower.expressions import NameScope, lower_expression
from mlsd_framework.lower.scalar_places import Place
from mlsd_framework.lower.types import parse_type

TYPES = {
    "amount": "float64 EUR",
    "fee": "float64 EUR?",
    "distance": "float64 km",
    "n": "int32",
    "i": "int64?",
    "f": "float64?",
    "s": "string",
    "c": "category?",
    "ts": "timestamp",
    "d": "date",
    "ok": "bool?",
    "sure": "bool",
    "v": "vector<8>",
    "tags": "list<category>",
    "codes": "list<int32>?",
    "marks": "list<float64>",
    "card_activity.spend_7d": "float64 EUR?",
    "card_activity.payments_7d": "int64",
}
SCOPE = NameScope({name: found for name, text in TYPES.items() if (found := parse_type(text)) is not None})


def faults_of(text: str) -> list[Diagnostic]:
    """Return what is wrong with a text that stands plain at line 3, column 9."""
    faults: list[Diagnostic] = []
    found = lower_expression(text, SCOPE, Place(Span("x.yaml", 3, 9, 3, 9 + len(text)), text), faults)
    assert (found is None) == bool(faults), text
    return faults


def underlined(fault: Diagnostic, text: str) -> str:
    """Return what a fault underlines."""
    assert fault.span is not None
    return text[fault.span.column - 9 : fault.span.end_column - 9]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amount / nullif(card_activity.spend_7d, 0)", "float64?"),
        ("amount / 2", "float64 EUR"),
        ("amount / n", "float64 EUR?"),
        ("hour(ts) < 6", "bool"),
        ("n + 1", "int64"),
        ("n", "int64"),
        ("c", "string?"),
        ("n / 2", "float64"),
        ("amount + fee", "float64 EUR?"),
        ("amount + 1", "float64 EUR"),
        ("amount * distance", "float64 EUR*km"),
        ("amount / distance / n", "float64 EUR/km?"),
        ("1 / distance", "float64 1/km?"),
        ("cast(amount as float64) + cast(distance as float64)", "float64"),
        ("coalesce(fee, 0)", "float64 EUR"),
        ("coalesce(i, n, 2.5)", "float64"),
        ("greatest(i, 1)", "int64"),
        ("case when ok then 1 end", "int64?"),
        ("case when ok then 1 else 2.5 end", "float64"),
        ("case s when 'a' then amount else 0 end", "float64 EUR"),
        ("ts - ts", "duration"),
        ("d - d", "duration"),
        ("ts - interval '1' day", "timestamp"),
        ("seconds(ts - ts)", "float64 s"),
        ("s in ('a', null)", "bool?"),
        ("s in tags", "bool"),
        ("c not in tags", "bool?"),
        ("n in codes", "bool?"),
        ("s is null", "bool"),
        ("sure and n > 1", "bool"),
        ("ok or sure", "bool?"),
        ("s::int64", "int64?"),
        ("try_cast(n as string)", "string"),
        ("date '2024-05-01' < ts", "bool"),
        ("interval '7d' > ts - ts", "bool"),
        ("HOUR(ts) BETWEEN 1 AND 5", "bool"),
        ("concat(c, s)", "string"),
        ("abs(-amount)", "float64 EUR"),
        ("1e3", "float64"),
    ],
)
def test_types_units_and_nulls_are_inferred(text: str, shown: str) -> None:
    """An expression's type is known from its columns', with its unit and whether it can be null."""
    faults: list[Diagnostic] = []
    found = lower_expression(text, SCOPE, Place(None), faults)
    assert found is not None, faults
    assert str(found.type) == shown


REFUSED = [
    ("amuont > 1", "E2051", "amuont", "did you mean `amount`?"),
    ("card_activity.spend_7days > 1", "E2051", "spend_7days", "did you mean `card_activity.spend_7d`?"),
    ("card.spend_7d > 1", "E2051", "card.spend_7d", "did you mean `card_activity.spend_7d`?"),
    ("spend_7d > 1", "E2051", "spend_7d", "did you mean `card_activity.spend_7d`?"),
    ("a.b.c", "E2051", "a.b.c", None),
    ("hour > 1", "E2051", "hour", "`hour` is a function: write `hour(ts)`"),
    ("hours(ts) < 6", "E2052", "hours", "did you mean `hour`?"),
    ("substring(s, 1)", "E2052", "substring", "did you mean `substr`?"),
    ("ifnull(f, 0)", "E2052", "ifnull", "did you mean `coalesce`?"),
    ("frobnicate(s)", "E2052", "frobnicate", None),
    ("s > 5", "E2053", "s > 5", "convert one side with `cast(x as type)`"),
    (
        "ts > '2024-01-01'",
        "E2053",
        "ts > '2024-01-01'",
        "a constant moment is written `timestamp '2024-05-01 12:00:00'`",
    ),
    ("n in tags", "E2053", "n in tags", "convert one side with `cast(x as type)`"),
    ("f in codes", "E2053", "f in codes", None),
    ("f in marks", "E2053", "marks", None),
    ("s in c", "E2053", "c", None),
    ("tags = tags", "E2053", "tags = tags", None),
    ("n and ok", "E2053", "n", "compare it with something, as in `x <> 0`"),
    ("not s", "E2053", "s", None),
    ("-s", "E2053", "s", None),
    ("s + s", "E2053", "s + s", "text is joined with `||`"),
    ("s || n", "E2053", "n", "convert it with `cast(x as string)`"),
    ("ok < sure", "E2053", "ok < sure", None),
    ("v = v", "E2053", "v = v", None),
    ("n like 'a'", "E2053", "n", None),
    ("s like c", "E2053", "c", None),
    ("case when n then 1 end", "E2053", "n", "compare it with something, as in `x <> 0`"),
    ("case when ok then 1 else 'a' end", "E2053", "ok then 1 else 'a'", "convert one side with `cast(x as type)`"),
    ("d + interval '1' day", "E2053", "d + interval '1'", "convert the date with `cast(d as timestamp)` first"),
    ("null", "E2053", "null", "write `cast(null as float64)`"),
    ("amount + distance", "E2054", "amount + distance", "bring both to one unit first"),
    ("amount > n", "E2054", "amount > n", "bring both to one unit first"),
    ("coalesce(amount, distance)", "E2054", "amount, distance", "bring both to one unit first"),
    ("amount between 1 and distance", "E2054", "amount between 1 and distance", "bring both to one unit first"),
    ("hour(amount)", "E2055", "amount", None),
    ("hour()", "E2055", "hour", None),
    ("hour(ts, ts)", "E2055", "hour", None),
    ("date_trunc('hours', ts)", "E2055", "'hours'", "did you mean 'hour'?"),
    ("date_trunc(s, ts)", "E2055", "s", None),
    ("round(f, 16)", "E2055", "16", None),
    ("split_part(s, '', 1)", "E2055", "''", None),
    ("split_part(s, ',', 0)", "E2055", "0", None),
    ("substr(s, 1.5)", "E2055", "1.5", None),
    ("sum(amount)", "E2056", "sum", "write it in a feature group's `aggregate:`"),
    ("sum(amount) over ()", "E2056", "over", None),
    ("count(*)", "E2056", "count", "write it in a feature group's `aggregate:`"),
    ("(select 1)", "E2056", "select", None),
    ("n in (select 1)", "E2056", "select", None),
    ("*", "E2056", "*", None),
    ("(1, 2)", "E2056", "1, 2", None),
    ("n in s", "E2053", "s", None),
    ("", "E2050", None, None),
    ("  ", "E2050", None, None),
    ("amount >", "E2050", ">", None),
    ("(amount", "E2050", "amount", None),
    ("amount)", "E2050", ")", None),
    ("case when ok then 1", "E2050", "1", None),
    ("amount fee", "E2050", "fee", None),
    ("amount as x", "E2050", "as", None),
    ("amount; fee", "E2050", ";", "write one expression"),
    ("n == 1", "E2050", "==", "equality is a single `=`"),
    ("!ok", "E2050", "!", "write `not x`, or `<>` for unequal"),
    ('c = "FI"', "E2050", '"FI"', "text goes in single quotes: 'FI'"),
    ("c = 'FI", "E2050", "'", None),
    ("'a' 'b'", "E2050", "'a' 'b'", "join text with `||`"),
    ("{{ amount }}", "E2050", "{", "nothing is filled in: an expression is not a template"),
    ("v[1]", "E2050", "[", "there are no arrays in an expression"),
    ("n ^ 2", "E2050", "^", "write `power(x, y)`"),
    ("$1 > n", "E2050", "$1", "there are no parameters: name the column"),
    (":x > n", "E2050", ":", "there are no parameters: name the column"),
    ("s -> 1", "E2050", ">", None),
    ("n is true", "E2050", "n is true", None),
    ("amount /* x */ + 1", "E2050", None, None),
    ("cast(s as flot64)", "E2058", "flot64", "did you mean `float64`?"),
    ("s::integer", "E2058", "integer", "did you mean `int`?"),
    ("ts::bool", "E2059", "ts", None),
    ("cast(ts as float64)", "E2059", "ts", "`epoch(ts)` is a moment in seconds"),
    ("f::string", "E2059", "f", None),
    ("9223372036854775808", "E2060", "9223372036854775808", None),
    ("1e400 < f", "E2060", "1e400", None),
    ("ts > timestamp '2024-13-01'", "E2060", "'2024-13-01'", None),
    ("d = date 'today'", "E2060", "'today'", None),
    ("ts - interval '1' month", "E2060", "'1'", None),
]


@pytest.mark.parametrize(("text", "code", "marked", "advice"), REFUSED, ids=[text or "empty" for text, *_ in REFUSED])
def test_a_fault_has_its_code_its_place_and_its_cure(
    text: str, code: str, marked: str | None, advice: str | None
) -> None:
    """One fault gives one diagnostic, which underlines what is wrong and says what to write."""
    fault, *more = faults_of(text)
    assert not more
    assert fault.code == code, fault
    assert code in CODES
    if marked is not None:
        assert underlined(fault, text) == marked
    assert advice is None or fault.help == advice


def test_all_faults_are_collected() -> None:
    """Every wrong name of an expression is reported at once, each at its own place."""
    text = "amuont > 1 and hours(ts) < 6 and coalesce(distanc, fee) > 0"
    assert [underlined(fault, text) for fault in faults_of(text)] == ["amuont", "hours", "distanc"]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "n" + ")" * 10_000,
        "(" * 5_000,
        "+".join(["n"] * 5_000),
        "not " * 2_400 + "ok",
        "-" * 9_000 + "n",
        "abs(" * 1_500 + "n" + ")" * 1_500,
        "case when " * 600 + "ok",
        " or ".join(["ok"] * 1_500),
        "n" * 10_001,
        "n" + "::int64" * 1_000,
        "n = " * 2_000 + "n",
        "s || " * 1_500 + "s",
        "n in (" * 1_000,
    ],
    ids=lambda text: f"{text[:12]}…{len(text)}",
)
def test_what_is_too_large_is_refused(text: str) -> None:
    """Deep and long expressions are refused with a code, never by exhausting the stack."""
    assert faults_of(text)[0].code in ("E2057", "E2050")


def test_a_hundred_terms_and_sixty_brackets_pass() -> None:
    """The limits leave room for what people write."""
    assert not faults_of(" + ".join(["n"] * 90))
    assert not faults_of("(" * 60 + "n" + ")" * 60)


def test_columns_are_found_in_order() -> None:
    """`columns` yields each use, left to right, inside branches and calls too."""
    faults: list[Diagnostic] = []
    found = lower_expression("case when ok then amount else coalesce(fee, amount) end", SCOPE, Place(None), faults)
    assert found is not None
    assert [column.path for column in columns(found)] == ["ok", "amount", "fee", "amount"]


def test_the_tree_is_typed_and_equal_without_its_places() -> None:
    """Spaces and places do not change what an expression is."""
    one, two = (lower_expression(text, SCOPE, Place(None), []) for text in ("n+mod(n,2)", " n +  n % 2 "))
    assert one == two
    assert isinstance(one, Binary)
    assert isinstance(one.left, Column)
    assert isinstance(one.right, Binary)
    assert isinstance(one.right.right, Literal)
    call = lower_expression("lower(s)", SCOPE, Place(None), [])
    assert isinstance(call, Call)
    assert call.function == "lower"
