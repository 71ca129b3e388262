"""Write a small spec that works, with a schema beside it so that an editor completes and checks it."""

import argparse
import json
import re
from pathlib import Path

from mlsd_framework.cli.main import OK, USAGE

SCHEMA = "mlsd.schema.json"
_TEMPLATE = "init/spec.yaml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", nargs="?", default="card-fraud-small", metavar="NAME", help="the system's name")
    parser.add_argument("--folder", default="specs", help="where specs are kept")


def run(arguments: argparse.Namespace) -> int:
    """Write the spec and the schema; an existing spec is left alone."""
    import sys

    from mlsd_framework.cli.schema import schema
    from mlsd_framework.codegen.templates import folder

    name = str(arguments.name)
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name):
        print(
            f"mlsd init: `{name}` is no name of a system: a lower-case letter, then letters, digits and `-`",
            file=sys.stderr,
        )
        return USAGE
    where = Path(arguments.folder)
    spec = where / f"{name.replace('-', '_')}.yaml"
    if spec.exists():
        print(f"mlsd init: `{spec}` is there already", file=sys.stderr)
        return USAGE
    where.mkdir(parents=True, exist_ok=True)
    (where / SCHEMA).write_text(json.dumps(schema(), indent=1) + "\n")
    text = (folder() / _TEMPLATE).read_text()
    spec.write_text(f"# yaml-language-server: $schema={SCHEMA}\n{text.replace('@NAME@', name)}")
    print(f"wrote {spec} and {where / SCHEMA}\n")
    print(f"  mlsd validate {spec}\n  mlsd plan {spec}\n  mlsd deploy {spec}")
    return OK
