"""`mlsd stop`: ends a system's service; its data, models and store stay."""

import argparse

from mlsd_framework.cli.project_options import add_json, add_spec, print_json, workspace_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Stop it; harmless where nothing runs."""
    from mlsd_framework.runtime.operations import client

    status = client.stop(workspace_of(options))
    if options.json:
        print_json({"system": status.system, "state": status.state, "change": status.change})
    else:
        print(f"{status.system}: {'stopped' if status.change == 'stopped' else 'nothing was running'}")
    return 0
