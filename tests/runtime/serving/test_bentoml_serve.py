"""The service under BentoML's own commands."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

PROJECT = Path(__file__).parents[3]
PLAIN = Path(__file__).parent / "plain" / "service.py"
PAYMENT = {"card_id": "c1", "amount": 12.5, "ts": "2026-01-31T12:00:00Z"}


@pytest.mark.process
def test_bentoml_builds_and_serves_it(tmp_path: Path, plain_bundle: Callable[..., Any]) -> None:
    """`bentoml build` accepts the service without a bundle.

    `bentoml serve` answers through our front door, BentoML behind it.
    """
    shutil.copy(PLAIN, tmp_path / "service.py")
    (tmp_path / "bentofile.yaml").write_text('service: "service:Service"\ninclude: ["service.py", "bundle/**"]\n')
    env = {"PYTHONPATH": str(PROJECT), "BENTOML_HOME": str(tmp_path / "home"), "BENTOML_DO_NOT_TRACK": "True"}
    command = [sys.executable, "-m", "bentoml"]
    built = subprocess.run(
        [*command, "build"], cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    assert re.search(r"plain:\w+", built.stdout)
    shutil.copytree(plain_bundle(tmp_path / "versions").folder, tmp_path / "bundle")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = [*command, "serve", "service:Service", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(serve, cwd=tmp_path, env={**os.environ, **env}, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert _ready(client), (tmp_path / "log").read_text()
            answer = client.post("/decide", content=json.dumps(PAYMENT), headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["action"]) == (200, "approve")
            assert "x-bentoml-request-id" not in answer.headers
            assert client.get("/schema.json").json()["name"] == "plain"
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
