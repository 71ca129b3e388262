"""Print the JSON Schema of the language: editors complete, explain and check specs by it."""

import argparse
import json
from typing import Any

from mlsd_framework.cli.main import OK


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--output", metavar="FILE", help="write the schema to a file")


def run(arguments: argparse.Namespace) -> int:
    """Print or write the schema."""
    from pathlib import Path

    text = json.dumps(schema(), indent=2) + "\n"
    if arguments.output:
        Path(arguments.output).write_text(text)
        print(f"wrote {arguments.output}")
    else:
        print(text, end="")
    return OK


def schema() -> dict[str, Any]:
    """Return the schema of a whole spec, short forms included."""
    from mlsd_framework.plugin.registry import installed
    from mlsd_framework.spec.schema import json_schema

    return json_schema(installed().spec)
