"""`mlsd train`: whatever is stale up to a version that can be deployed."""

import argparse

from mlsd_framework.cli.project_options import add_json, add_spec, print_json, project_of, reports
from mlsd_framework.plan.evaluator import bring
from mlsd_framework.plan.progress import Progress
from mlsd_framework.plan.state import read_state


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Fetch, build, make the training set, train and evaluate, as far as that is stale."""
    project = project_of(options)
    plan = bring(project, Progress(quiet=options.json), until="evaluate")
    record = read_state(project.workspace).stages.get("evaluate")
    version = record.version if record else ""
    if options.json:
        print_json({**plan.data(), "version": version, "reports": [str(path) for path in reports(project.workspace)]})
        return 0
    print(f"{plan.system}: {'version ' + version if version else 'no version'}{'' if plan.actions else ', unchanged'}")
    for path in reports(project.workspace):
        print(f"report: {path}")
    return 0
