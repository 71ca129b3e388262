"""The supervisor and the real worker of the decision service keep to one contract."""

import json
import time
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.deployment import WORKER_MODULE, Deployment, deployment_of
from mlsd_framework.runtime.operations.places import metrics_folder
from mlsd_framework.runtime.serving.bundle import write_bundle
from mlsd_framework.runtime.workspace import Workspace
from tests.runtime.operations.supervised_system import Load, System

pytestmark = pytest.mark.process

SERVICE = Path(__file__).parents[1] / "serving" / "plain" / "service.py"
THRESHOLDS = {"/decide": {"kind": "cost", "score": "fraud", "thresholds": {"review": 0.3, "decline": 0.9}}}
PAYMENT = json.dumps({"card_id": "c1", "amount": 12.5, "ts": "2026-01-31T12:00:00Z"}).encode()


def deployment(place: Workspace, version: str, **options: str) -> Deployment:
    """Write a bundle of the plain service and return its deployment."""
    parts = {"spec": "sha256:spec", "features": "sha256:features", "version": version, "system": "plain", **options}
    bundle = write_bundle(place.versions, files={"thresholds.json": json.dumps(THRESHOLDS).encode()}, **parts)  # type: ignore[arg-type]
    return deployment_of(
        place, system="plain", version=version, service=SERVICE, bundle=bundle.folder, port=0, drain_s=5.0
    )


def test_real_workers_are_replaced_under_load_without_a_failed_request(system: System) -> None:
    """Every decision is made by the one or the other version; a bundle that does not fit leaves the new one serving."""
    place = system.place
    found = system.note(client.start(deployment(place, "v1")))
    assert found.deployment
    assert found.deployment.worker_module == WORKER_MODULE
    with (
        Load(found.port, path="/decide", body=PAYMENT) as kept,
        Load(found.port, clients=3, keep_alive=False, path="/decide", body=PAYMENT) as fresh,
    ):
        time.sleep(0.3)
        assert system.note(client.start(deployment(place, "v2"))).change == "replaced"
        with pytest.raises(RunError, match="exit status 3") as raised:
            client.start(deployment(place, "v3", spec="sha256:another"))
        time.sleep(0.2)
    assert any("E64" in note for note in raised.value.diagnostics[0].notes)
    assert kept.failures == fresh.failures == []
    assert kept.shed == fresh.shed == 0
    assert set(kept.versions) == set(fresh.versions) == {"v1", "v2"}
    assert kept.versions[-1] == "v2"
    assert list(metrics_folder(place).iterdir())
    assert client.stop(place).state == "stopped"
    assert system.living() == []
