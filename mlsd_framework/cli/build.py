"""`mlsd build`: writes `generated/<system>/`, only what differs."""

import argparse
import sys

from mlsd_framework.cli.project_options import add_json, print_json, project_at, warn
from mlsd_framework.cli.specs import add_overlays, find_spec
from mlsd_framework.codegen.artefacts import stale, write
from mlsd_framework.plan.project import Project, project_root


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("specs", metavar="SPEC", nargs="*", help="specs' paths, or names of built systems")
    add_overlays(parser)
    parser.add_argument("--all", action="store_true", help="every system under `generated/`")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is stale")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Build, or look whether a build would write anything."""
    root = project_root()
    named = list(options.specs)
    if options.all:
        named += sorted(path.parent.name for path in root.glob("generated/*/manifest.json"))
    if not named:
        print("mlsd build: name a spec, or `--all`", file=sys.stderr)
        return 2
    projects = [
        project_at(spec, options.env, tuple(options.assignments)) for spec in [find_spec(name) for name in named]
    ]
    found = [_check(one) if options.check else _write(one, quiet=options.json) for one in projects]
    if options.json:
        print_json(found)
    return 1 if options.check and any(one["stale"] for one in found) else 0


def _check(project: Project) -> dict[str, object]:
    warn(project.compiled.warnings)
    folder = project.root / "generated" / project.system.name
    differing = stale(folder, project.files)
    for path in differing:
        print(f"stale: {folder.relative_to(project.root)}/{path}")
    return {"system": project.system.name, "stale": differing}


def _write(project: Project, *, quiet: bool) -> dict[str, object]:
    warn(project.compiled.warnings)
    folder = project.root / "generated" / project.system.name
    done = write(folder, project.files)
    groups = {"written": done.changed, "removed": done.removed, "foreign": done.foreign}
    if not quiet:
        print(f"{folder.relative_to(project.root)}: {len(done.changed)} written, {len(done.unchanged)} unchanged")
        for name, paths in groups.items():
            for path in paths:
                print(f"  {'left alone, not of a build' if name == 'foreign' else name}: {path}")
    return {"system": project.system.name, "unchanged": done.unchanged, **groups}
