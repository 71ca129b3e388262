"""`mlsd rollback`: lets the version serve again that served before, or another one."""

import argparse

from mlsd_framework.cli.project_options import add_json, add_spec, print_json, project_of
from mlsd_framework.plan.evaluator import switch
from mlsd_framework.plan.progress import Progress


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("version", metavar="VERSION", nargs="?", help="which one (default: the one that served before)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Switch without a failed request; `mlsd deploy` brings the newest version again."""
    project = project_of(options)
    version, said = switch(project, Progress(quiet=options.json), options.version)
    if options.json:
        print_json({"system": project.blueprint.system, "version": version, "said": said})
    else:
        print(f"{project.blueprint.system}: {said}")
    return 0
