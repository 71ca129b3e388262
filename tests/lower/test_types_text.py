"""Type text of the spec becomes a type, or nothing."""

import pytest

from mlsd_framework.lower.types import parse_type


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("float64?", "float64?"),
        ("int", "int64"),
        ("float?", "float64?"),
        ("money", "float64"),
        ("money EUR", "float64 EUR"),
        ("float64 EUR?", "float64 EUR?"),
        ("list<string>", "list<string>"),
        ("list<float64?>?", "list<float64?>?"),
        ("vector<64>", "vector<64>"),
        ("category", "category"),
        ("point", "point"),
        (" timestamp ", "timestamp"),
    ],
)
def test_a_type_is_read_and_printed(text: str, shown: str) -> None:
    """What is printed is what the spec writes, with short names spelled out."""
    assert str(parse_type(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "integer",
        "string EUR",
        "vector<0>",
        "vector<x>",
        "list<>",
        "list<" * 9 + "int" + ">" * 9,
        "null",
        "int64 '; drop",
    ],
)
def test_other_text_is_no_type(text: str) -> None:
    """Anything else gives None, for the caller to report at its place."""
    assert parse_type(text) is None
