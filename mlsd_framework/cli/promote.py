"""`mlsd promote`: lets a version serve that has been trained and is not serving."""

import argparse

from mlsd_framework.cli.project_options import add_json, add_spec, print_json, project_of
from mlsd_framework.plan.evaluator import switch
from mlsd_framework.plan.progress import Progress


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("version", metavar="VERSION", help="the version, as `mlsd train` and `mlsd status` name it")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Switch without a failed request."""
    project = project_of(options)
    version, said = switch(project, Progress(quiet=options.json), options.version)
    if options.json:
        print_json({"system": project.blueprint.system, "version": version, "said": said})
    else:
        print(f"{project.blueprint.system}: {said}")
    return 0
