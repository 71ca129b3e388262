"""A version as one set on disk.

Models, thresholds, features and spec, each file with its SHA-256; written once, checked at every start.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import msgspec

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.digest import file_sha256

MANIFEST = "bundle.json"
VARIABLE = "MLSD_BUNDLE"

_T = TypeVar("_T")


class Manifest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What `bundle.json` says. Fingerprints are those of the compiler.

    `created_from` names what went in (runs, data).
    """

    system: str
    version: str
    spec: str
    features: str
    files: dict[str, str]
    created_from: dict[str, str] = {}


class ThresholdSet(msgspec.Struct, frozen=True):
    """The thresholds of one decision.

    What they are held against, and the least value for each action but the mildest.
    """

    kind: str
    thresholds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files have been checked."""

    folder: Path
    manifest: Manifest
    _made: dict[tuple[Callable[..., Any], tuple[str, ...]], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def version(self) -> str:
        """The id of the version."""
        return self.manifest.version

    def file(self, name: str) -> Path:
        """Return the path of the file `name`, which the bundle has to list (E6403)."""
        if name not in self.manifest.files:
            raise RunError.of(
                "E6403",
                f"bundle `{self.version}` has no file `{name}`",
                expected="one of: " + ", ".join(f"`{n}`" for n in sorted(self.manifest.files)),
            )
        return self.folder / name

    def loaded(self, load: Callable[..., _T], *names: str) -> _T:
        """Return what `load` makes of the paths of files: made once, and shared by all who ask for the same (E6403)."""
        key = (load, names)
        if key not in self._made:
            self._made[key] = load(*(self.file(name) for name in names))
        made: _T = self._made[key]
        return made

    def read(self, name: str, kind: type[_T]) -> _T:
        """Return the JSON file `name` as `kind` (E6403, E6406)."""
        return _decode(self.file(name), kind)

    def threshold_set(self, name: str) -> ThresholdSet:
        """Return the thresholds of the decision `name` from `thresholds.json` (E6411)."""
        found = self.read("thresholds.json", dict[str, ThresholdSet])
        if name not in found:
            raise RunError.of(
                "E6411",
                f"bundle `{self.version}` has no thresholds for `{name}`",
                expected="one of: " + ", ".join(f"`{n}`" for n in sorted(found)),
            )
        return found[name]


def load_bundle(folder: Path) -> Bundle:
    """Read the bundle in `folder` and check every file against its SHA-256 (E6402, E6403, E6404, E6406)."""
    manifest_file = folder / MANIFEST
    if not manifest_file.is_file():
        raise RunError.of("E6402", f"there is no bundle in `{folder}`", expected=f"a folder with `{MANIFEST}`")
    manifest = _decode(manifest_file, Manifest)
    for name, digest in sorted(manifest.files.items()):
        path = _inside(folder, name)
        if not path.is_file():
            raise RunError.of("E6403", f"`{path}` is missing", expected=f"a file with SHA-256 {digest}")
        found = file_sha256(path)
        if found != digest:
            raise RunError.of(
                "E6404", f"`{path}` has changed since it was bundled: its SHA-256 is {found}", expected=digest
            )
    return Bundle(folder, manifest)


def check_fits(bundle: Bundle, *, system: str, spec: str, features: str) -> None:
    """Refuse a bundle that was made for another system, spec or set of features than the service (E6405)."""
    manifest = bundle.manifest
    wanted = {
        "system": (system, manifest.system),
        "spec": (spec, manifest.spec),
        "features": (features, manifest.features),
    }
    faults = [(part, ours, theirs) for part, (ours, theirs) in wanted.items() if ours != theirs]
    if faults:
        part, ours, theirs = faults[0]
        raise RunError.of(
            "E6405",
            f"bundle `{manifest.version}` was made for {part} `{theirs}`",
            expected=f"{part} `{ours}`, as in the service",
            notes=[f"{p} differs too: `{b}`, not `{a}`" for p, a, b in faults[1:]],
            help="build, train and deploy from the same spec",
        )


def locate_bundle(system: str, service_file: Path) -> Path:
    """Return the folder of the bundle to serve.

    `MLSD_BUNDLE` says which; else a folder `bundle` beside the service (so it is in a bento); else the version that
    `.mlsd/<system>/current` names in a folder above the service (E6402).
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    beside = service_file.parent / "bundle"
    if (beside / MANIFEST).is_file():
        return beside
    for folder in service_file.resolve().parents:
        state = folder / ".mlsd" / system
        if (state / "current").is_file():
            return state / "versions" / (state / "current").read_text().strip()
    raise RunError.of(
        "E6402",
        f"no version of `{system}` is deployed",
        expected=f"`{VARIABLE}`, a folder `bundle` beside `{service_file.name}`, or `.mlsd/{system}/current`",
    )


def write_bundle(
    versions: Path,
    *,
    system: str,
    spec: str,
    features: str,
    files: Mapping[str, Path | bytes],
    version: str | None = None,
    created_from: Mapping[str, str] | None = None,
) -> Bundle:
    """Write a bundle to `versions/<version>` in one rename and return it.

    `files` are paths to copy or contents, by name.

    Without a `version` it gets the first 12 digits of the SHA-256 over its parts, so the same set has the same name.
    Writing the same set again changes nothing; another set under the same version is refused (E6407).
    """
    versions.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=versions, prefix=".bundle-"))
    try:
        digests = {name: _place(part, name, content) for name, content in sorted(files.items())}
        named = version or version_id(system, spec, features, digests)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", named):
            raise RunError.of("E6406", f"`{named}` cannot name a version", expected="letters, digits, `.`, `_`, `-`")
        manifest = Manifest(
            system=system,
            version=named,
            spec=spec,
            features=features,
            files=digests,
            created_from=dict(created_from or {}),
        )
        folder = versions / named
        if folder.exists():
            return _same(folder, manifest)
        atomic.write_bytes(part / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest, order="sorted")) + b"\n")
        part.chmod(0o755)
        part.rename(folder)
        return Bundle(folder, manifest)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def version_id(system: str, spec: str, features: str, digests: Mapping[str, str]) -> str:
    """Return the id of a set: `digests` is the SHA-256 of each of its files by name."""
    identity = msgspec.json.encode([system, spec, features, sorted(digests.items())])
    return hashlib.sha256(identity).hexdigest()[:12]


def _same(folder: Path, manifest: Manifest) -> Bundle:
    former = load_bundle(folder)
    theirs, ours = former.manifest, manifest
    if (theirs.spec, theirs.features, theirs.files) != (ours.spec, ours.features, ours.files):
        raise RunError.of("E6407", f"`{folder}` holds another set", help="give the new bundle another version")
    return former


def _place(part: Path, name: str, content: Path | bytes) -> str:
    path = _inside(part, name)
    atomic.write_bytes(path, content if isinstance(content, bytes) else content.read_bytes())
    return file_sha256(path)


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    path = folder / name
    if (
        not parts
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or not path.resolve().is_relative_to(folder.resolve())
    ):
        raise RunError.of("E6406", f"`{name}` leaves the bundle's folder", expected="a path inside it")
    return path


def _decode(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as fault:
        raise RunError.of(
            "E6406", f"`{path}` cannot be read: {fault}", help="take the bundle from where it was made"
        ) from fault
