"""Blueprints remembered between commands: a spec that has not changed is not compiled again.

A blueprint is used again only for the same bytes of the spec, the same environment and assignments, and the same
compiler: every file of the packages whose kinds it came from, by size and moment of change.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlsd_framework.diagnostics.errors import InternalError
from mlsd_framework.plan import blueprint
from mlsd_framework.plan.blueprint import Blueprint
from mlsd_framework.runtime import atomic

_FOLDER = ".mlsd/.compiled"
_KEPT = 32
_PACKAGE = Path(__file__).resolve().parents[1]
_TEMPLATES = _PACKAGE.parent / "templates"
_OUTSIDE = frozenset({"runtime", "cli", "__pycache__"})


def recall(root: Path, spec: Path, environment: str | None, assignments: Sequence[str]) -> Blueprint | None:
    """Return the blueprint that was remembered for this very spec and compiler, or none."""
    try:
        data = json.loads(_file(root, spec, environment, assignments).read_bytes())
        if data["spec"] != _content(spec) or data["compiler"] != _compiler(data["packages"]):
            return None
        return blueprint.from_data(data["blueprint"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InternalError):
        return None  # none, or one that is damaged or of another release: compiling is always right


def remember(
    root: Path,
    spec: Path,
    environment: str | None,
    assignments: Sequence[str],
    found: Blueprint,
    plugins: Iterable[object],
) -> None:
    """Keep a blueprint for the next command; a disk that takes no more is no fault of this one."""
    packages = sorted({_package(one) for one in plugins} - {str(_PACKAGE)})
    with contextlib.suppress(OSError):
        file = _file(root, spec, environment, assignments)
        data = {
            "spec": _content(spec),
            "packages": packages,
            "compiler": _compiler(packages),
            "blueprint": found.data(),
        }
        atomic.write_text(file, json.dumps(data, separators=(",", ":")))
        for old in sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)[:-_KEPT]:
            old.unlink()


def _file(root: Path, spec: Path, environment: str | None, assignments: Sequence[str]) -> Path:
    key = json.dumps([str(spec), environment, list(assignments)])
    return root / _FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


def _content(spec: Path) -> str:
    return hashlib.sha256(spec.read_bytes()).hexdigest()


def _compiler(packages: Iterable[str]) -> str:
    """Return a hash over the files of the compiler and of plugins, and over where packages are installed."""
    digest = hashlib.sha256(sys.version.encode())
    for folder in (str(_PACKAGE), str(_TEMPLATES), *packages):
        _add(digest, folder)
    for folder in sys.path:
        if "site-packages" in folder:  # an installed plugin shows as a change of its folder
            with contextlib.suppress(OSError):
                digest.update(f"{folder} {Path(folder).stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", folder: str) -> None:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir():
            if entry.name not in _OUTSIDE:
                _add(digest, entry.path)
        elif entry.name.endswith((".py", ".j2")):
            stat = entry.stat()
            digest.update(f"{entry.path} {stat.st_size} {stat.st_mtime_ns}\n".encode())


def _package(plugin: object) -> str:
    """Return the folder of the top package that a kind's class comes from."""
    top = sys.modules.get(type(plugin).__module__.partition(".")[0])
    file = getattr(top, "__file__", None)
    return str(Path(file).resolve().parent) if file else ""
