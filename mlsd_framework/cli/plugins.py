"""List the plugins that are installed and the kinds that each brings."""

import argparse

from mlsd_framework.cli.main import OK


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print every plugin."""
    from mlsd_framework.plugin.registry import POINTS, installed

    listed = {
        plugin.name: {
            "version": plugin.version,
            **{point: [kind.name for kind in getattr(plugin, point)] for point in POINTS},
        }
        for plugin in installed().plugins
    }
    if arguments.json:
        import json

        print(json.dumps(listed, indent=2))
        return OK
    for name, facts in listed.items():
        print(f"{name} {facts['version']}")
        for point in POINTS:
            if facts[point]:
                print(f"  {point:<11} {', '.join(facts[point])}")
    return OK
