"""The service under BentoML's own commands."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.runtime.serving.generated_services import build

PROJECT = Path(__file__).parents[3]


@pytest.mark.process
def test_bentoml_builds_and_serves_the_generated_service(tmp_path: Path) -> None:
    """`bentoml build` packs the generated service with the bundle beside it, by the generated bentofile.

    `bentoml serve` answers the packed service through our front door, BentoML behind it.
    """
    made = build("benchmarks/fraud_ulb.yaml", tmp_path / "generated", iterations=5)
    folder = made.path.parent
    shutil.copytree(made.bundle.folder, folder / "bundle")
    home = tmp_path / "home"
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    env.pop("MLSD_BUNDLE", None)
    command = [sys.executable, "-m", "bentoml"]
    built = subprocess.run([*command, "build"], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (packed,) = (home / "bentos").glob("*/*/src/bundle/bundle.json")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = [*command, "serve", str(packed.parents[2]), "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(serve, cwd=tmp_path, env=env, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert _ready(client), (tmp_path / "log").read_text()
            description = client.get("/openapi.json").json()
            media = description["paths"]["/decide"]["post"]["requestBody"]["content"]["application/json"]
            answer = client.post("/decide", json=media["example"])
            assert answer.status_code == 200, answer.text
            assert answer.json()["version"] == made.bundle.version
            assert "x-bentoml-request-id" not in answer.headers
            assert client.get("/schema.json").json()["name"] == "fraud_ulb"
    finally:
        running.terminate()
        running.wait(timeout=20)


def _ready(client: httpx.Client) -> bool:
    for _ in range(200):
        try:
            if client.get("/readyz").status_code == 200:
                return True
        except httpx.TransportError:
            time.sleep(0.1)
    return False
