"""Check specs: every fault of every file, in order of place, with what to write instead."""

import argparse
from typing import TYPE_CHECKING

from mlsd_framework.cli.faults import FORMATS, write
from mlsd_framework.cli.main import AT_FAULT, OK
from mlsd_framework.cli.specs import add_spec, find_spec
from mlsd_framework.diagnostics.errors import SpecError

if TYPE_CHECKING:
    from mlsd_framework.diagnostics.diagnostic import Diagnostic
    from mlsd_framework.ir.system import System


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_spec(parser, many=True)
    parser.add_argument("--format", choices=FORMATS, default="pretty", help="how faults are printed")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="short for --format json")


def run(arguments: argparse.Namespace) -> int:
    """Check each spec."""
    from mlsd_framework.plan.compilation import compile_spec

    found: list[Diagnostic] = []
    for named in arguments.spec:
        try:
            compiled = compile_spec(find_spec(named), environment=arguments.env, assignments=arguments.assignments)
        except SpecError as fault:
            found += fault.diagnostics
            continue
        found += compiled.warnings
        if arguments.format == "pretty":
            print(f"{compiled.system.path}: ok ({_counts(compiled.system)})")
    if found or arguments.format != "pretty":
        write(found, arguments.format)
    return AT_FAULT if any(one.severity == "error" for one in found) else OK


def _counts(system: "System") -> str:
    parts = {
        "source": (system.sources, "s"),
        "feature group": (system.features, "s"),
        "model": (system.trained, "s"),
        "index": (system.indexes, "es"),
        "endpoint": (system.serving, "s"),
    }
    counted = {word: (len(entries), ending) for word, (entries, ending) in parts.items() if entries or word != "index"}
    return ", ".join(f"{count} {word}{'' if count == 1 else ending}" for word, (count, ending) in counted.items())
