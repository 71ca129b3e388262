"""What commands on a system have in common: which spec, which environment, values set for one run, JSON."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlsd_framework.plan.project import Project, find_spec, project_root

if TYPE_CHECKING:
    from mlsd_framework.diagnostics.diagnostic import Diagnostic


def add_spec(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the spec and what resolves it."""
    parser.add_argument(
        "spec", metavar="SPEC", nargs="?" if optional else None, help="a spec's path, or the name of a built system"
    )
    parser.add_argument("--env", metavar="NAME", help="the environment (default: `local`)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="assignments", help="set a value for this run"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the choice of JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def project_of(options: argparse.Namespace) -> Project:
    """Return the project that the options name."""
    root = project_root()
    return Project(root, find_spec(options.spec, root), options.env, tuple(options.assignments))


def print_json(data: object) -> None:
    """Print one JSON document."""
    print(json.dumps(data, indent=2, sort_keys=True))


def warn(found: "tuple[Diagnostic, ...]") -> None:
    """Print warnings on standard error."""
    from mlsd_framework.diagnostics.render.pretty import render  # noqa: PLC0415 - most runs have none

    if found:
        sys.stderr.write(render(found, {}))


def example(project: Project, endpoint: str | None = None) -> tuple[str, object] | None:
    """Return an endpoint and a request for it that was made from a real row, as the last evaluation left it."""
    path = project.workspace.evaluation / "requests.json"
    try:
        found = json.loads(path.read_bytes())
        name = endpoint or next(iter(sorted(found)))
        return name, found[name][0]["request"]
    except (OSError, ValueError, KeyError, TypeError, IndexError, StopIteration):
        return None


def reports(project: Project) -> list[Path]:
    """Return the reports of the last evaluation."""
    return sorted(project.workspace.evaluation.glob("*report.html"))


