"""`mlsd deploy`: does whatever is missing between a spec and a service that answers."""

import argparse
import json
import shlex
import sys
from pathlib import Path

from mlsd_framework.cli.project_options import (
    absolute,
    add_json,
    add_spec,
    example,
    print_json,
    project_at,
    project_of,
    reports,
)
from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.plan.definition import Plan, load_saved
from mlsd_framework.plan.evaluator import bring
from mlsd_framework.plan.explainer import explain
from mlsd_framework.plan.progress import Progress
from mlsd_framework.plan.project import Project


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser, optional=True)
    parser.add_argument("--plan", metavar="FILE", type=absolute, help="apply a plan that `mlsd plan --out FILE` saved")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.add_argument(
        "--allow-breaking", action="store_true", help="deploy though callers of the service must change"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Deploy, wait until the service is ready, and say how to use it."""
    if (options.plan is None) == (options.spec is None):
        print("mlsd deploy: name a spec, or a saved plan with `--plan`", file=sys.stderr)
        return 2
    saved = load_saved(options.plan) if options.plan is not None else None
    project = (
        project_of(options) if saved is None else project_at(Path(saved.spec), saved.environment, saved.assignments)
    )

    def agree(plan: Plan) -> None:
        refuse_breaking(plan, allowed=options.allow_breaking)
        if plan.actions and not options.json:
            print(explain(plan), file=sys.stderr)
            _ask(yes=options.yes or saved is not None)

    plan = bring(
        project,
        Progress(quiet=options.json),
        agree=agree,
        saved=(saved, options.plan) if saved is not None else None,
    )
    _tell(project, plan, as_json=options.json)
    return 0


def refuse_breaking(plan: Plan, *, allowed: bool) -> None:
    """Refuse a plan (E5010) that callers of the deployed service would notice."""
    if plan.breaking and not allowed:
        error = RunError.of(
            "E5010",
            f"the plan breaks those who call `{plan.system}`",
            help="tell them, then deploy with `--allow-breaking`",
            notes=plan.breaking,
        )
        raise PlanError(error.diagnostics)


def _ask(*, yes: bool) -> None:
    """Ask on a terminal; a program that runs the command has decided already."""
    if yes or not sys.stdin.isatty() or not sys.stderr.isatty():
        return
    sys.stderr.write("go on? [Y/n] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("", "y", "yes"):
        raise SystemExit(1)


def _tell(project: Project, plan: Plan, *, as_json: bool) -> None:
    from mlsd_framework.runtime.operations import client

    status = client.status(project.workspace)
    tried = example(project)
    if as_json:
        print_json(
            {
                **plan.data(),
                "state": status.state,
                "url": status.url,
                "version": status.version,
                "updater_metrics": [one.metrics for one in status.updaters if one.metrics],
                "indexer_metrics": [one.metrics for one in status.indexers if one.metrics],
                "reports": [str(path) for path in reports(project.workspace)],
                "example": None if tried is None else {"endpoint": tried[0], "request": tried[1]},
            }
        )
        return
    changed = "" if plan.actions else ", unchanged"
    print(f"{plan.system} {status.state} at {status.url or 'no address'} (version {status.version or 'none'}{changed})")
    if tried is not None and status.url:
        print(f"try:    {curl(status.url + tried[0], tried[1], token=project.system.environment.token is not None)}")
    for one in status.updaters:
        print(f"live:   updater {one.updater} {one.state}, its metrics: {one.metrics or 'none'}")
    for each in status.indexers:
        print(f"items:  indexer {each.state}, its metrics: {each.metrics or 'none'}")
    for path in reports(project.workspace):
        print(f"report: {path}")
    print(f"stop:   mlsd stop {project.spec}")


def curl(url: str, request: object, *, token: bool) -> str:
    """Return a shell line that asks the service."""
    words = ["curl", "-s", url, "-H", "content-type: application/json"]
    line = " ".join(shlex.quote(word) for word in [*words, "-d", json.dumps(request)])
    return f'{line} -H "authorization: Bearer $MLSD_TOKEN"' if token else line
