"""Diagnostics for people: the place, the line with the fault underlined, what to write instead."""

from collections.abc import Callable, Iterable, Mapping

from mlsd_framework.diagnostics.diagnostic import Diagnostic

_COLOURS = {"error": "31", "warning": "33", "note": "36"}
_WIDTH = 160


def render(diagnostics: Iterable[Diagnostic], texts: Mapping[str, str], *, colour: bool = False) -> str:
    """Return all `diagnostics`, a blank line between; `texts` holds the files that they point into."""
    paint = _paint if colour else _plain
    return "\n".join(_one(diagnostic, texts, paint) for diagnostic in diagnostics)


def _one(diagnostic: Diagnostic, texts: Mapping[str, str], paint: Callable[[str, str], str]) -> str:
    where = f"{diagnostic.span}: " if diagnostic.span and not diagnostic.span.path.startswith("--set") else ""
    if diagnostic.span and diagnostic.span.path.startswith("--set"):
        where = f"{diagnostic.span.path}: "
    severity = paint(f"{diagnostic.severity}[{diagnostic.code}]", _COLOURS[diagnostic.severity])
    lines = [f"{where}{severity}: {diagnostic.what}"]
    lines += _excerpt(diagnostic, texts, paint)
    lines += [f"   = expected: {diagnostic.expected}"] if diagnostic.expected else []
    lines += [f"   = help: {diagnostic.help}"] if diagnostic.help else []
    lines += [f"   = note: {note}" for note in diagnostic.notes]
    return "\n".join(lines) + "\n"


def _excerpt(diagnostic: Diagnostic, texts: Mapping[str, str], paint: Callable[[str, str], str]) -> list[str]:
    span = diagnostic.span
    text = texts.get(span.path) if span else None
    if span is None or text is None:
        return []
    rows = text.split("\n")
    if span.line > len(rows):
        return []
    row = _printable(rows[span.line - 1])
    number = str(span.line)
    end = span.end_column if span.end_line == span.line else len(row) + 1
    cut = max(0, span.column - 1 - _WIDTH // 2) if len(row) > _WIDTH else 0
    shown = row[cut : cut + _WIDTH]
    marks = paint("^" * max(1, min(end, cut + _WIDTH + 1) - span.column), _COLOURS[diagnostic.severity])
    pad = " " * len(number)
    return [f"{pad} |", f"{number} | {shown}", f"{pad} | {' ' * (span.column - 1 - cut)}{marks}"]


def _printable(row: str) -> str:
    """Show a row on a terminal as it stands, without control characters that would act on it."""
    return "".join(
        char if char.isprintable() else " " if char == "\t" else "\N{REPLACEMENT CHARACTER}"
        for char in row.rstrip("\r")
    )


def _plain(text: str, _: str) -> str:
    return text


def _paint(text: str, colour: str) -> str:
    return f"\x1b[1;{colour}m{text}\x1b[0m"
