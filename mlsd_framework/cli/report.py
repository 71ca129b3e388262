"""`mlsd report`: where the reports of the last evaluation are."""

import argparse

from mlsd_framework.cli.project_options import add_json, add_spec, print_json, reports, workspace_of
from mlsd_framework.diagnostics.errors import PlanError, RunError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("--open", action="store_true", help="show it in a browser")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the paths; raise `PlanError` E5021 where nothing was evaluated."""
    place = workspace_of(options)
    found = reports(place)
    if not found:
        error = RunError.of("E5021", f"`{place.root.name}` has no report", help=f"`mlsd train {options.spec}`")
        raise PlanError(error.diagnostics)
    if options.json:
        print_json([str(path) for path in found])
    else:
        for path in found:
            print(path)
    if options.open:
        import webbrowser

        webbrowser.open(found[0].as_uri())
    return 0
