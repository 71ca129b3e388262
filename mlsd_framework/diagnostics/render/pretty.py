"""Diagnostics for people: the place, the line with the fault underlined, what to write instead."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from unicodedata import combining, east_asian_width

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.secrets import mask
from mlsd_framework.diagnostics.span import Span

_COLOURS: Final = {"error": "31", "warning": "33", "note": "36"}
_WIDTH: Final = 160
_LONGEST: Final = 5_000
"""A longer line is no text for people: its excerpt is left out."""
_HIDDEN: Final = "\N{BULLET}"

Paint = Callable[[str, str], str]
Rows = Mapping[str, list[str]]


def render(diagnostics: Iterable[Diagnostic], texts: Mapping[str, str], *, colour: bool = False) -> str:
    """Return all `diagnostics`, a blank line between; `texts` holds the files that they point into.

    What stands at the place of a secret is hidden in every excerpt that shows its line.
    """
    found = list(diagnostics)
    secrets = [one.span for one in found if one.secret and one.span is not None]
    paint = _paint if colour else _plain
    rows = {path: text.split("\n") for path, text in texts.items()}
    return "\n".join(_one(diagnostic, rows, secrets, paint) for diagnostic in found)


def _one(diagnostic: Diagnostic, texts: Rows, secrets: list[Span], paint: Paint) -> str:
    span = diagnostic.span
    where = "" if span is None else f"{span.path if span.path.startswith('--set') else span}: "
    severity = paint(f"{diagnostic.severity}[{diagnostic.code}]", _COLOURS[diagnostic.severity])
    lines = [f"{printable(where)}{severity}: {printable(diagnostic.what)}"]
    lines += _excerpt(diagnostic, texts, secrets, paint)
    lines += [f"   = expected: {printable(diagnostic.expected)}"] if diagnostic.expected else []
    lines += [f"   = help: {printable(diagnostic.help)}"] if diagnostic.help else []
    lines += [f"   = note: {printable(note)}" for note in diagnostic.notes]
    return "\n".join(lines) + "\n"


def _excerpt(diagnostic: Diagnostic, texts: Rows, secrets: list[Span], paint: Paint) -> list[str]:
    span = diagnostic.span
    rows = texts.get(span.path, []) if span else []
    if span is None or span.line > len(rows) or len(rows[span.line - 1]) > _LONGEST:
        return []
    row = printable(_without(rows[span.line - 1].rstrip("\r"), span, secrets))
    number = str(span.line)
    end = span.end_column if span.end_line == span.line else len(row) + 1
    cut = max(0, span.column - 1 - _WIDTH // 2) if len(row) > _WIDTH else 0
    shown = row[cut : cut + _WIDTH]
    marked = row[span.column - 1 : min(end - 1, cut + _WIDTH)]
    marks = paint("^" * max(1, _cells(marked)), _COLOURS[diagnostic.severity])
    pad = " " * len(number)
    before = " " * _cells(row[cut : span.column - 1])
    return [f"{pad} |", f"{number} | {shown}".rstrip(), f"{pad} | {before}{marks}"]


def _without(row: str, span: Span, secrets: list[Span]) -> str:
    """Hide the secrets that stand in a row, and whatever else in it looks like one; no column moves."""
    for secret in secrets:
        if secret.path == span.path and secret.line <= span.line <= secret.end_line:
            start = secret.column - 1 if secret.line == span.line else 0
            end = secret.end_column - 1 if secret.end_line == span.line else len(row)
            row = row[:start] + _HIDDEN * (end - start) + row[end:]
    return row if mask(row) == row else mask(row)


def printable(text: str) -> str:
    """Return `text` as a terminal can show it, without control characters that would act on it."""
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char == "\t" else "\N{REPLACEMENT CHARACTER}"


def _cells(text: str) -> int:
    """Return how many cells of a terminal `text` takes: wide characters take two, combining ones none."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in ("W", "F") else 1 for char in text)


def _plain(text: str, _: str) -> str:
    return text


def _paint(text: str, colour: str) -> str:
    return f"\x1b[1;{colour}m{text}\x1b[0m"
