"""Diagnostics for programs: one line each, JSON, and SARIF for code hosts and editors."""

from collections.abc import Iterable
from typing import Any

from mlsd_framework.diagnostics.codes import CODES
from mlsd_framework.diagnostics.diagnostic import Diagnostic

_LEVELS = {"error": "error", "warning": "warning", "note": "note"}


def one_line(diagnostics: Iterable[Diagnostic]) -> str:
    """Return one line a diagnostic, as compilers print and editors read."""
    lines = (
        f"{d.span or '-'}: {d.severity}[{d.code}]: {d.what}" + (f" (expected: {d.expected})" if d.expected else "")
        for d in diagnostics
    )
    return "".join(f"{line}\n" for line in lines)


def as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as JSON data; `place` is none where it has no place in a file."""
    span = diagnostic.span
    place = None
    if span is not None:
        place = {
            "path": span.path,
            "line": span.line,
            "column": span.column,
            "end_line": span.end_line,
            "end_column": span.end_column,
        }
    return {
        "code": diagnostic.code,
        "name": CODES[diagnostic.code].name if diagnostic.code in CODES else None,
        "severity": diagnostic.severity,
        "what": diagnostic.what,
        "expected": diagnostic.expected,
        "help": diagnostic.help,
        "notes": list(diagnostic.notes),
        "place": place,
    }


def sarif(diagnostics: Iterable[Diagnostic], version: str) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log of one run."""
    found = list(diagnostics)
    codes = sorted({one.code for one in found})
    rules = [{"id": code, **_rule(code)} for code in codes]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "mlsd", "version": version, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, codes.index(one.code)) for one in found],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    page = CODES.get(code)
    return {"name": page.name, "shortDescription": {"text": page.meaning}, "help": {"text": page.cure}} if page else {}


def _result(one: Diagnostic, rule: int) -> dict[str, Any]:
    parts = [
        one.what,
        f"expected: {one.expected}" if one.expected else "",
        f"help: {one.help}" if one.help else "",
        *one.notes,
    ]
    result: dict[str, Any] = {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": _LEVELS[one.severity],
        "message": {"text": "; ".join(part for part in parts if part)},
    }
    if one.span is not None:
        span = one.span
        region = {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": max(span.end_column, span.column + 1),
        }
        location = {"artifactLocation": {"uri": span.path.replace("\\", "/")}, "region": region}
        result["locations"] = [{"physicalLocation": location}]
    return result
