"""From an environment of a spec to a deployment: secrets resolved, the service's code kept beside its version."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.ir.environments import Kafka, Secret
from mlsd_framework.plan.project import Project
from mlsd_framework.plan.state import not_written
from mlsd_framework.runtime.operations.deployment import Deployment, EmbeddedStore, StoreAddress, deployment_of
from mlsd_framework.runtime.stream.brokers import BROKERS, OPTIONS

_TOKENS = ("MLSD_TOKEN", "MLSD_TOKEN_FILE")
_MEBIBYTE = 2**20


def deployment_for(project: Project, version: str, service: Path) -> Deployment:
    """Return the deployment of a version with the code in the folder `service`, where the environment says."""
    system, place = project.system, project.system.environment
    if place.target != "local":
        error = RunError.of(
            "E5018",
            f"environment `{place.name}` is for `{place.target}`, and this command deploys to this machine",
            help="choose another environment with `--env`, or set its `target` to `local`",
        )
        raise PlanError(error.diagnostics)
    store: EmbeddedStore | StoreAddress | None = None
    if system.stored:
        url = place.online_store
        store = (
            EmbeddedStore(memory_mb=max(1, place.store_memory // _MEBIBYTE), evict=place.store_evict)
            if url is None
            else StoreAddress(url=secret(url, project.root))
        )
    return deployment_of(
        project.workspace,
        system=system.name,
        version=version,
        service=service / "service.py",
        bundle=project.workspace.versions / version,
        host=place.host,
        port=place.port,
        workers=place.workers,
        updater=service / "updater.py" if system.live else None,
        updaters=place.updaters if system.live else 0,
        indexer=service / "indexer.py" if (service / "indexer.py").is_file() else None,
        store=store,
        drain_s=place.drain.total_seconds(),
    )


def environment_for(project: Project, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what the processes get: this environment with the token and the brokers that the spec names, no others."""
    kept = {name: text for name, text in environment.items() if name not in (*_TOKENS, BROKERS, OPTIONS)}
    place = project.system.environment
    if place.token is not None:
        kept["MLSD_TOKEN"] = secret(place.token, project.root)
    if place.stream is not None:
        kept[BROKERS] = secret(place.stream.brokers, project.root)
        kept[OPTIONS] = json.dumps(_kafka_options(place.stream, project.root), sort_keys=True)
    return kept


def _kafka_options(kafka: Kafka, root: Path) -> dict[str, str]:
    """Return how the brokers are spoken to, in librdkafka's words; its secrets travel as the token does."""
    found = {"security.protocol": kafka.protocol}
    if kafka.mechanism is not None and kafka.username is not None and kafka.password is not None:
        found |= {
            "sasl.mechanism": kafka.mechanism,
            "sasl.username": secret(kafka.username, root),
            "sasl.password": secret(kafka.password, root),
        }
    if kafka.ca is not None:
        found["ssl.ca.location"] = str(root / kafka.ca)
    return found


def secret(reference: Secret, root: Path) -> str:
    """Return the value behind a reference; raise `PlanError` E5019 where it is missing or empty."""
    if reference.source == "env":
        found, where = os.environ.get(reference.name, ""), f"the environment variable `{reference.name}`"
    else:
        where = f"the file `{reference.name}`"
        try:
            found = (root / reference.name).read_text().strip()
        except (OSError, UnicodeDecodeError):
            found = ""
    if not found:
        raise PlanError(RunError.of("E5019", f"{where} holds no secret, and the environment needs it").diagnostics)
    return found


def keep_service(project: Project) -> str:
    """Copy the generated service to the workspace, named by its content, and return that folder below the project.

    A worker that is restarted long after the next build still finds the code that belongs to its version.
    """
    source = project.generated / "service"
    digest = hashlib.sha256()
    files = sorted(path for path in source.iterdir() if path.is_file())
    for file in files:
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    folder = project.workspace.root / "services" / digest.hexdigest()[:12]
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".service-"))
            try:
                for file in files:
                    shutil.copyfile(file, part / file.name)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        except OSError as fault:
            raise not_written(folder, fault) from fault
    return str(folder.relative_to(project.root))
