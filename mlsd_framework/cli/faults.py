"""Printing faults: for people on standard error, in colour on a terminal; for programs on standard output."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from mlsd_framework import __version__
from mlsd_framework.diagnostics.diagnostic import Diagnostic

FORMATS = ("pretty", "oneline", "json", "sarif")
_MOST = 100
_MOST_BYTES = 1_000_000


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics for people."""
    from mlsd_framework.diagnostics.render.pretty import render

    every = list(diagnostics)
    found = every[:_MOST]
    print(render(found, _texts(found), colour=colourful(sys.stderr.isatty())), file=sys.stderr, end="")
    if len(every) > _MOST:
        print(f"\n{len(every) - _MOST:,} more are left out", file=sys.stderr)
    codes = sorted({one.code for one in found})
    if codes:
        print(f"\n`mlsd explain {codes[0]}` says more", file=sys.stderr)


def write(diagnostics: Iterable[Diagnostic], form: str) -> None:
    """Print diagnostics in one of `FORMATS`; all but `pretty` go to standard output."""
    from mlsd_framework.diagnostics.render.machine import as_data, one_line, sarif

    found = list(diagnostics)
    match form:
        case "pretty":
            show(found)
        case "oneline":
            print(one_line(found), end="")
        case "json":
            print(json.dumps([as_data(one) for one in found], indent=2))
        case _:
            print(json.dumps(sarif(found, __version__), indent=2))


def colourful(terminal: bool) -> bool:  # noqa: FBT001 - a fact about the stream
    """Say whether to colour: on a terminal, unless NO_COLOR is set."""
    return terminal and not os.environ.get("NO_COLOR")


def _texts(diagnostics: Iterable[Diagnostic]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in {one.span.path for one in diagnostics if one.span is not None}:
        try:
            if Path(path).stat().st_size > _MOST_BYTES:
                continue  # too large for a spec, which is what its fault says
            texts[path] = Path(path).read_bytes().decode("utf-8-sig", errors="replace")
        except OSError:
            continue  # the excerpt is left out; the place is printed all the same
    return texts
