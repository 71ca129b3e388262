"""Diagnostics are printed for people, on one line, as JSON and as SARIF; nothing in them acts on a terminal."""

import json
from unicodedata import east_asian_width

import pytest

from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.render.machine import as_data, one_line, sarif
from mlsd_framework.diagnostics.render.pretty import render
from mlsd_framework.diagnostics.secrets import holds_secret, mask
from mlsd_framework.diagnostics.span import Span

FULL = Diagnostic(
    code="E2001",
    what="`models.rank.features[1]` refers to feature `ctr_7days`, which is not declared",
    span=Span("feed.yaml", 2, 23, 2, 32),
    expected="one of: ctr_7d, user_emb",
    help="did you mean `ctr_7d`?",
    notes=("first", "second"),
)
TEXT = "models:\n  features: [user_emb, ctr_7days]\n"


def excerpt(text: str, span: Span, **more: bool) -> tuple[str, str]:
    """Return the row that is shown and the marks below it."""
    lines = render([Diagnostic(code="E2001", what="x", span=span, **more)], {span.path: text}).split("\n")
    return lines[2].partition("| ")[2], lines[3].partition("| ")[2]


def test_a_diagnostic_is_printed_as_designed() -> None:
    """Place, code, sentence, excerpt, what was expected, help, notes."""
    assert render([FULL], {"feed.yaml": TEXT}) == (
        "feed.yaml:2:23: error[E2001]: `models.rank.features[1]` refers to feature `ctr_7days`, which is not declared\n"
        "  |\n"
        "2 |   features: [user_emb, ctr_7days]\n"
        "  |                       ^^^^^^^^^\n"
        "   = expected: one of: ctr_7d, user_emb\n"
        "   = help: did you mean `ctr_7d`?\n"
        "   = note: first\n"
        "   = note: second\n"
    )


def test_without_a_place_or_a_text_there_is_no_excerpt() -> None:
    """A fault of a command line has no place, a file that has gone has no text."""
    assert render([Diagnostic(code="E1000", what="gone")], {}) == "error[E1000]: gone\n"
    assert "|" not in render([FULL], {})
    assert "|" not in render([FULL], {"feed.yaml": "one line"})
    flag = Diagnostic(code="E1103", what="wrong", span=Span("--set a=1", 1, 1, 1, 1))
    assert render([flag], {}) == "--set a=1: error[E1103]: wrong\n"


def test_colour_surrounds_the_code_and_the_marks_alone() -> None:
    """Colour changes no text."""
    coloured = render([FULL], {"feed.yaml": TEXT}, colour=True)
    assert coloured.count("\x1b[1;31m") == coloured.count("\x1b[0m") == 2
    assert coloured.replace("\x1b[1;31m", "").replace("\x1b[0m", "") == render([FULL], {"feed.yaml": TEXT})


@pytest.mark.parametrize("before", ["", "a: ", "\t", "名前: ", "e\u0301: ", "💳: ", "\uff57\uff49 "])
@pytest.mark.parametrize("marked", ["x", "amount", "名前", "e\u0301"])
def test_marks_stand_under_what_they_mark(before: str, marked: str) -> None:
    """Wide characters take two cells, combining ones none, a tab one."""
    start = len(before) + 1
    row, marks = excerpt(f"{before}{marked} rest", Span("f", 1, start, 1, start + len(marked)))

    def cells(text: str) -> int:
        return sum(0 if char == "\u0301" else 2 if east_asian_width(char) in "WF" else 1 for char in text)

    assert row == f"{before}{marked} rest".replace("\t", " ")
    assert marks == " " * cells(before) + "^" * cells(marked)


@pytest.mark.parametrize("column", [1, 100, 400, 795])
def test_a_long_row_is_cut_around_the_mark(column: int) -> None:
    """At most 160 characters are shown, and the mark stands under its own character."""
    text = "".join(chr(ord("a") + index % 26) for index in range(800))
    row, marks = excerpt(text, Span("f", 1, column, 1, column + 5))
    assert len(row) <= 160
    assert row[len(marks) - 5 : len(marks)] == text[column - 1 : column + 4]


def test_a_place_over_several_rows_is_marked_to_the_end_of_its_first() -> None:
    """A block value is marked on its first line."""
    assert excerpt("ab: |\n  text\n", Span("f", 1, 5, 3, 1)) == ("ab: |", "    ^")


@pytest.mark.parametrize("nasty", ["\x1b[31m", "\x07", "\r", "\u202e", "\x00", "\u2028", "\x9b31m"])
def test_control_characters_are_shown_as_what_they_are(nasty: str) -> None:
    """Neither the row nor the message moves the cursor, turns the text round, or rings."""
    span = Span(f"f{nasty}", 1, 1, 1, 2)
    one = Diagnostic(code="E2001", what=f"a{nasty}b", span=span, expected=nasty, help=nasty, notes=(nasty,))
    shown = render([one], {span.path: f"x{nasty}y"})
    assert all(char == "\n" or char.isprintable() for char in shown)


def test_a_secret_is_hidden_wherever_its_row_is_shown() -> None:
    """The row of another fault hides it too; columns stay where they were."""
    text = "a: {token: hunter2, b: 1}"
    secret = Diagnostic(code="E1105", what="clear", span=Span("f", 1, 12, 1, 19), secret=True)
    other = Diagnostic(code="E1102", what="no key", span=Span("f", 1, 21, 1, 22))
    shown = render([secret, other], {"f": text})
    assert "hunter2" not in shown
    assert shown.count("a: {token: •••••••, b: 1}") == 2


@pytest.mark.parametrize(
    "text",
    [
        "redis://mlsd:hunter2@host/0",
        "postgresql+psycopg://u:p%40ss@h/d",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a" * 36,
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n",
        "xoxb-1234567890-abc",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlZGF0YQ",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    """URLs with a password, private keys and keys of well-known services are found inside other text."""
    assert holds_secret(f"see {text} here")
    assert not holds_secret(mask(f"see {text} here")) or "•••" in mask(text)
    assert "hunter2" not in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "redis://host:6379/0",
        "https://example.org/a:b@c",
        "pypi:name==1.0/path.csv",
        "12:30@noon",
        "amount > 5",
        "a" * 10_000,
        "http://" * 5000,
    ],
)
def test_ordinary_text_is_no_secret(text: str) -> None:
    """Ports, times and paths are left alone, and long texts take no time."""
    assert not holds_secret(text)
    assert mask(text) == text


def test_one_line_each() -> None:
    """Editors read `path:line:column: severity[code]: what`."""
    text = one_line([FULL, Diagnostic(code="E1000", what="gone", severity="warning")])
    assert text.split("\n") == [
        f"feed.yaml:2:23: error[E2001]: {FULL.what} (expected: {FULL.expected})",
        "-: warning[E1000]: gone",
        "",
    ]


def test_json_has_every_field() -> None:
    """Programs get the code's name and the place as numbers."""
    data = json.loads(json.dumps(as_data(FULL)))
    assert data["place"] == {"path": "feed.yaml", "line": 2, "column": 23, "end_line": 2, "end_column": 32}
    assert data["name"] == CODES["E2001"].name
    assert data["notes"] == ["first", "second"]
    assert as_data(Diagnostic(code="E1000", what="gone"))["place"] is None


def test_sarif_is_whole() -> None:
    """The log has one rule a code, each result points at its rule, and regions are never empty."""
    points = [
        FULL,
        Diagnostic(code="E1000", what="gone"),
        FULL,
        Diagnostic(code="E1009", what="no", span=Span("a\\b", 1, 1, 1, 1)),
    ]
    log = json.loads(json.dumps(sarif(points, "1.2.3")))
    [run] = log["runs"]
    rules, results = run["tool"]["driver"]["rules"], run["results"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in rules] == ["E1000", "E1009", "E2001"]
    assert [rules[one["ruleIndex"]]["id"] for one in results] == [one["ruleId"] for one in results]
    assert {one["level"] for one in results} == {"error"}
    assert all(rule["name"] and rule["shortDescription"]["text"] for rule in rules)
    regions = [one["locations"][0]["physicalLocation"]["region"] for one in results if "locations" in one]
    assert all(one["endColumn"] > one["startColumn"] >= 1 for one in regions)
    uris = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results if "locations" in one]
    assert uris == ["feed.yaml", "feed.yaml", "a/b"]
