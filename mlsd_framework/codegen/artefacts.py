"""Writing what `build` made: only what changed, nothing outside the folder, nobody else's files touched."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.codegen.files import inside, to_json
from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import InternalError, PlanError

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One generated file: its path below the system's folder, its text, the part of the spec that it came from."""

    path: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a build did: paths written, unchanged, removed, and found there though no build made them."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    foreign: tuple[str, ...]


def fingerprint(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(system: str, spec: str, artefacts: Iterable[Artefact]) -> str:
    """Return the text of manifest.json: every file's fingerprint and the part of the spec that it came from."""
    files = {one.path: {"sha256": fingerprint(one.text), "from": one.source} for one in artefacts}
    return to_json({"mlsd": 1, "system": system, "spec": spec, "files": files})


def write(folder: Path, artefacts: Mapping[str, str]) -> Written:
    """Bring `folder` to hold `artefacts` (path to text).

    A file of the former build that is not among them is removed; any other file is left alone and reported. Each file
    is written beside its place and renamed over it, the manifest last.
    """
    check_folder(folder)
    before = _former(folder)
    changed: list[str] = []
    unchanged: list[str] = []
    for path in sorted(artefacts, key=lambda path: (path == MANIFEST, path)):
        (changed if _write_one(folder, path, artefacts[path]) else unchanged).append(path)
    removed = [path for path in sorted(before - set(artefacts)) if _remove(folder, path)]
    return Written(tuple(changed), tuple(unchanged), tuple(removed), tuple(_foreign(folder, set(artefacts))))


def stale(folder: Path, artefacts: Mapping[str, str]) -> list[str]:
    """Return the paths that a build would write or remove."""
    found = [path for path, text in artefacts.items() if _read(folder / inside(path)) != text]
    return sorted(found + [path for path in _former(folder) - set(artefacts) if (folder / path).exists()])


def check_folder(folder: Path) -> None:
    """Refuse an output folder that is reached through a symbolic link."""
    for place in (folder, folder.parent):
        if place.is_symlink():
            what = f"`{place}` is a symbolic link; generated files are not written through one"
            raise PlanError(Diagnostic(code="E5001", what=what, help="remove the link"))


def _former(folder: Path) -> set[str]:
    text = _read(folder / MANIFEST)
    if text is None:
        return set()
    try:
        files = json.loads(text)["files"]
        return {str(inside(path)) for path in files} | {MANIFEST}
    except (ValueError, KeyError, TypeError, AttributeError, InternalError):
        return set()  # a damaged manifest owns nothing: its files are reported as foreign, never removed


def _write_one(folder: Path, path: str, text: str) -> bool:
    target = folder / inside(path)
    _no_links(folder, target)
    if _read(target) == text:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as fault:
        part.unlink(missing_ok=True)
        what = f"`{target}` cannot be written: {fault.strerror}"
        raise PlanError(
            Diagnostic(code="E5002", what=what, help="free space or mend permissions; what was there is intact")
        ) from None
    return True


def _no_links(folder: Path, target: Path) -> None:
    place = target
    while place != folder:
        if place.is_symlink():
            what = f"`{place}` is a symbolic link; generated files are not written through one"
            raise PlanError(Diagnostic(code="E5001", what=what, help="remove the link"))
        place = place.parent


def _remove(folder: Path, path: str) -> bool:
    target = folder / path
    _no_links(folder, target)
    if not target.is_file():
        return False
    target.unlink()
    place = target.parent
    while place != folder and not any(place.iterdir()):
        place.rmdir()
        place = place.parent
    return True


_CACHES = frozenset({"__pycache__", ".ruff_cache", ".mypy_cache", "catboost_info"})


def _foreign(folder: Path, ours: set[str]) -> list[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(str(path) for path in found if path.as_posix() not in ours and not _CACHES & set(path.parts))


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
