"""Putting models, thresholds and fingerprints together as one version: all that a service loads."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training import artefacts
from mlsd_framework.runtime.workspace import Workspace

MANIFEST = "bundle.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a version was made from: the fingerprints that must agree with the service's code."""

    system: str
    spec: str
    features: str
    created_from: Mapping[str, str]


def write(workspace: Workspace, origin: Origin, models: tuple[str, ...]) -> str:
    """Copy the newest models and thresholds to `versions/<id>/` and return the id.

    The id is the start of a SHA-256 over everything in it, so the same training gives the same version. The folder
    appears whole or not at all.
    """
    sources = _sources(workspace, models)
    files = {name: artefacts.sha256(path) for name, path in sorted(sources.items())}
    facts = {
        "system": origin.system,
        "spec": origin.spec,
        "features": origin.features,
        "created_from": dict(sorted(origin.created_from.items())),
        "files": files,
    }
    version = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    target = workspace.versions / version
    if (target / MANIFEST).is_file():
        return version
    workspace.versions.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=workspace.versions, prefix=f".{version}."))
    try:
        for name, path in sources.items():
            atomic.write_bytes(part / name, path.read_bytes())
        atomic.write_text(part / MANIFEST, json.dumps({**facts, "version": version}, indent=2, sort_keys=True) + "\n")
        part.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        part.replace(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return version


def _sources(workspace: Workspace, models: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of the bundle by their path in it; each model's files are compared with its manifest first."""
    found = {"thresholds.json": workspace.evaluation / "thresholds.json"}
    for model in models:
        folder = workspace.model(model)
        for name in (artefacts.MANIFEST, *artefacts.open_model(folder).files):
            found[f"models/{model}/{name}"] = folder / name
    return {name: path for name, path in found.items() if path.is_file()}
