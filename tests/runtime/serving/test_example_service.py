"""The example service, the model of what the generator writes, with a real store, real trees and a dead store."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from mlsd_framework.runtime.serving.bundle import write_bundle
from mlsd_framework.runtime.serving.worker import load_service

EXAMPLE = Path(__file__).parent / "example" / "service.py"


@pytest.fixture
def trees(tmp_path: Path) -> bytes:
    """Compiled trees of a small model of the example's features."""
    from catboost import CatBoostClassifier  # noqa: PLC0415 - heavy

    from mlsd_framework.runtime.training.trees import export_trees  # noqa: PLC0415

    names = [feature.name for feature in load_service(EXAMPLE).FEATURES]
    rng = np.random.default_rng(0)
    data = rng.gamma(2, 40, (500, len(names)))
    model = CatBoostClassifier(iterations=20, depth=4, verbose=False, allow_writing_files=False, thread_count=1)
    model.fit(data, data[:, 0] > 100, verbose=False)
    model.set_feature_names(names)
    model.save_model(str(tmp_path / "model.cbm"))
    export_trees(tmp_path / "model.cbm", tmp_path / "trees.safetensors")
    return (tmp_path / "trees.safetensors").read_bytes()


@pytest.mark.process
def test_example_decides_with_and_without_its_store(
    tmp_path: Path, trees: bytes, listening: socket.socket, launch: Callable[..., Any]
) -> None:
    """A payment is decided with its reasons; without a store the answer comes all the same, marked as degraded."""
    files = {
        "models/fraud/trees.safetensors": trees,
        "models/fraud/calibration.json": b'{"method": "none"}',
        "thresholds.json": json.dumps(
            {"/decide": {"kind": "cost", "thresholds": {"review": 0.5, "decline": 0.9}}}
        ).encode(),
    }
    parts = {"system": "card-fraud", "spec": "sha256:spec", "features": "sha256:features"}
    bundle = write_bundle(tmp_path / "versions", files=files, **parts)  # type: ignore[arg-type]
    missing = f"unix://{tmp_path}/no-store"
    worker = launch(listening, bundle.folder, service=EXAMPLE, MLSD_STORE=missing)
    payment = dict(load_service(EXAMPLE).APP.endpoints["/decide"].example)
    with httpx.Client(base_url=worker.url) as client:
        answer = client.post("/decide", json=payment | {"amount": 9000.0}).json()
    assert answer["degraded"] == ["fetch"]
    assert answer["action"] in ("review", "decline")
    assert [reason["kind"] for reason in answer["reasons"]][:2] == ["rule", "feature"]
    assert 0 < answer["score"] < 1
