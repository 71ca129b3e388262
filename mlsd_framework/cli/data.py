"""`mlsd data`: fetches, simulates and checks what a system learns from."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from mlsd_framework.cli import live_simulation
from mlsd_framework.cli.project_options import add_json, add_spec, print_json, project_of
from mlsd_framework.plan.evaluator import bring
from mlsd_framework.plan.progress import Progress, Step
from mlsd_framework.plan.project import Project


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the three commands."""
    commands = parser.add_subparsers(dest="data_command", metavar="COMMAND", required=True)
    fetch = commands.add_parser("fetch", help="bring published files to the workspace, or one address to a folder")
    add_spec(fetch, optional=True)
    fetch.add_argument("--uri", metavar="URI", help="an address instead of a spec: https:, pypi:, deb: or a path")
    fetch.add_argument("--sha256", metavar="DIGEST", help="the pin of `--uri`")
    fetch.add_argument(
        "--into", metavar="FOLDER", type=Path, default=Path("data"), help="where `--uri` goes (default: data)"
    )
    add_json(fetch)
    simulate = commands.add_parser("simulate", help="let the processes of a spec make their tables")
    add_spec(simulate)
    live_simulation.configure(simulate)
    add_json(simulate)
    check = commands.add_parser("check", help="hold sources against their schemas: counts, and rows at fault")
    add_spec(check)
    add_json(check)


def run(options: argparse.Namespace) -> int:
    """Run one of the three."""
    match options.data_command:
        case "fetch":
            return _fetch(options)
        case "simulate" if options.live:
            return live_simulation.run(project_of(options), options)
        case "simulate":
            return _stages(project_of(options), "simulate", quiet=options.json)
        case _:
            return _check(options)


def _fetch(options: argparse.Namespace) -> int:
    if (options.uri is None) == (options.spec is None):
        print("mlsd data fetch: name a spec, or an address with `--uri`", file=sys.stderr)
        return 2
    if options.uri is None:
        return _stages(project_of(options), "fetch", quiet=options.json)
    from mlsd_framework.runtime.data.fetch import fetch

    with Progress(quiet=options.json).step(f"fetch {options.uri}", 1, 1) as step:
        found = fetch(options.uri, into=options.into, sha256=options.sha256, progress=_shown(step))
    if options.json:
        print_json({"path": str(found.path), "sha256": found.sha256, "licence": found.licence, "bytes": found.size})
    else:
        print(found.path)
        print(f"  sha256   {found.sha256}\n  licence  {found.licence or 'unknown'}\n  from     {found.origin}")
    return 0


def _shown(step: Step) -> Callable[[int, int | None], None]:
    def shown(done: int, total: int | None) -> None:
        step.note = f"{done / 1e6:.1f} MB" + (f" of {total / 1e6:.1f} MB" if total else "")

    return shown


def _stages(project: Project, kind: str, *, quiet: bool) -> int:
    plan = bring(project, Progress(quiet=quiet), only=kind)
    if quiet:
        print_json(plan.data())
    elif not plan.actions:
        print(f"{plan.system}: nothing to {kind}")
    return 0


def _check(options: argparse.Namespace) -> int:
    """Read every source as its schema says, and print what is at fault; exit 1 where that stops a training."""
    from mlsd_framework.diagnostics.errors import RunError
    from mlsd_framework.plan.sources import table_of
    from mlsd_framework.runtime.data.check import check_source, enforce
    from mlsd_framework.runtime.data.read import read_leniently

    project = project_of(options)
    bring(project, Progress(quiet=options.json), only="fetch")
    bring(project, Progress(quiet=options.json), only="simulate")
    faulty, told = False, []
    for source in project.system.sources:
        table = table_of(source, project.system)
        reading = read_leniently(table, project.root)
        report = check_source(reading.frame, table, reading.unreadable)
        try:
            enforce(reading.frame, table, report, reading.unreadable)
            fatal = False
        except RunError:
            fatal = True
        faulty = faulty or fatal
        told.append({**report.data(), "fatal": fatal})
        if not options.json:
            print(report.text())
    if options.json:
        print_json(told)
    return 1 if faulty else 0
