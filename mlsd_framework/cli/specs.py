"""The arguments that name specs, and finding the file of a system by its name."""

import argparse
import json
import re
from pathlib import Path

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.diagnostics.suggest import nearest

_NAME = re.compile(rb"^system:\s*([A-Za-z0-9_-]+)", re.MULTILINE)
_HEAD = 4096


def add_spec(parser: argparse.ArgumentParser, *, many: bool = False) -> None:
    """Add the spec, or several, and what is laid over it."""
    parser.add_argument("spec", nargs="+" if many else None, metavar="SPEC", help="a spec's path, or a system's name")
    add_overlays(parser)


def add_overlays(parser: argparse.ArgumentParser) -> None:
    """Add `--env` and `--set`."""
    parser.add_argument("--env", metavar="NAME", help="the environment to resolve the spec for")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="assignments",
        help="override one value, such as models.fraud.iterations=500",
    )


def find_spec(named: str) -> Path:
    """Return the file that `named` is the path of, or that of a system: below `specs/`, or where it was built from."""
    path = Path(named)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    known = {name: file for file in sorted(Path("specs").rglob("*.yaml")) if (name := system_of(file))}
    beside = Path("specs") / f"{named}.yaml"
    if named in known or beside.is_file():
        return known.get(named, beside)
    built = _built(named)
    if built is not None:
        return built
    near = nearest(named, known)
    raise SpecError(
        Diagnostic(
            code="E1000",
            what=f"there is no spec `{named}`",
            expected=f"a path, or one of: {', '.join(sorted(known))}" if known else "the path of a spec",
            help=f"did you mean `{near}`?" if near else "`mlsd init` writes one to start from",
        )
    )


def _built(system: str) -> Path | None:
    try:
        with (Path("generated") / system / "manifest.json").open("rb") as file:
            spec = Path(str(json.load(file)["spec"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return spec if spec.is_file() else None


def system_of(file: Path) -> str | None:
    """Return the system that a spec names near its beginning, whatever else is wrong with it."""
    try:
        with file.open("rb") as opened:
            found = _NAME.search(opened.read(_HEAD))
    except OSError:
        return None
    return found[1].decode() if found else None
