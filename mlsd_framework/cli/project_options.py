"""What commands on a system have in common: which spec, which environment, values set for one run, JSON."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlsd_framework.cli import specs
from mlsd_framework.plan.project import Project, project_root
from mlsd_framework.runtime.workspace import Workspace

if TYPE_CHECKING:
    from mlsd_framework.diagnostics.diagnostic import Diagnostic


def add_spec(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the spec, which may be left out where it is `optional`, and what is laid over it."""
    if not optional:
        specs.add_spec(parser)
        return
    parser.add_argument("spec", nargs="?", metavar="SPEC", help="a spec's path, or a system's name")
    specs.add_overlays(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the choice of JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def absolute(text: str) -> Path:
    """Return a path of the command line as it is meant where the command was typed."""
    return Path(text).absolute()


def project_of(options: argparse.Namespace) -> Project:
    """Return the project that the options name; from here on the project's folder is the current one."""
    return project_at(specs.find_spec(options.spec), options.env, tuple(options.assignments))


def workspace_of(options: argparse.Namespace) -> Workspace:
    """Return the workspace of the system that the options name; a spec with faults still names its system."""
    spec = specs.find_spec(options.spec)
    name = specs.system_of(spec)
    return Workspace(project_root() / ".mlsd" / name) if name else project_of(options).workspace


def project_at(spec: Path, environment: str | None, assignments: tuple[str, ...]) -> Project:
    """Return the project of a spec; generated code points to the spec as seen from the project's folder."""
    root, place = project_root(), spec.resolve()
    os.chdir(root)
    inside = place.is_relative_to(root)
    return Project(root, place.relative_to(root) if inside else place, environment, assignments)


def print_json(data: object) -> None:
    """Print one JSON document."""
    print(json.dumps(data, indent=2, sort_keys=True))


def warn(found: "tuple[Diagnostic, ...]") -> None:
    """Print warnings on standard error."""
    from mlsd_framework.diagnostics.render.pretty import render

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


def reports(place: Workspace) -> list[Path]:
    """Return the reports of the last evaluation."""
    return sorted(place.evaluation.glob("*report.html"))
