"""Gathering what training made into one version; the last step of a training run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.runtime.digest import file_sha256
from mlsd_framework.runtime.serving.bundle import version_id, write_bundle
from mlsd_framework.runtime.training import artefacts, requests
from mlsd_framework.runtime.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Origin:
    """What a version is made from: the fingerprints that must agree with the service's code."""

    system: str
    spec: str
    features: str
    created_from: Mapping[str, str]


def version(workspace: Workspace, origin: Origin, models: tuple[str, ...]) -> str:
    """Return the id that `write` gives to what is there now, for reports that are written before the gates."""
    digests = {name: file_sha256(path) for name, path in _files(workspace, models).items()}
    return version_id(origin.system, origin.spec, origin.features, digests)


def write(workspace: Workspace, origin: Origin, models: tuple[str, ...]) -> str:
    """Write thresholds, real requests and the newest `models` as one bundle and return its id.

    The same set has the same id. Each model's files are compared with its manifest first (E6336).
    """
    files: dict[str, Path | bytes] = {**_files(workspace, models)}
    written = write_bundle(
        workspace.versions,
        system=origin.system,
        spec=origin.spec,
        features=origin.features,
        files=files,
        created_from=origin.created_from,
    )
    return written.version


def _files(workspace: Workspace, models: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of the bundle by their path in it."""
    beside = (workspace.evaluation / name for name in ("thresholds.json", requests.FILE))
    found = {path.name: path for path in beside if path.is_file()}
    for path in sorted((workspace.root / "catalogues").glob("*.safetensors")):
        found[f"catalogues/{path.name}"] = path
    for path in sorted((workspace.root / "indexes").glob("*/*")):
        found[f"indexes/{path.parent.name}/{path.name}"] = path
    for model in models:
        folder = workspace.model(model)
        for name in (artefacts.MANIFEST, *artefacts.open_model(folder).files):
            found[f"models/{model}/{name}"] = folder / name
    return found
