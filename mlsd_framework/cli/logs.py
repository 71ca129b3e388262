"""`mlsd logs`: what the service, its updaters, its indexer, its supervisor, its store or a stage printed."""

import argparse
import contextlib
import sys

from mlsd_framework.cli.project_options import add_spec, workspace_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "--part",
        metavar="PART",
        default="service",
        help="service, updater, indexer, supervisor, store, or a stage such as `train-fraud`",
    )
    parser.add_argument(
        "--lines", "-n", metavar="N", type=int, default=100, help="how many of the last lines (default: 100)"
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what is printed from now on")


def run(options: argparse.Namespace) -> int:
    """Print the lines."""
    from mlsd_framework.runtime.operations.logs import follow, last_lines

    place = workspace_of(options)
    known = sorted(path.stem for path in place.logs.glob("*.log"))
    if options.part not in known:
        print(
            f"mlsd logs: nothing was printed by `{options.part}`; there is: {', '.join(known) or 'nothing'}",
            file=sys.stderr,
        )
        return 1
    path = place.logs / f"{options.part}.log"
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        for line in follow(path, options.lines) if options.follow else last_lines(path, options.lines):
            print(line, flush=options.follow)
    return 0
