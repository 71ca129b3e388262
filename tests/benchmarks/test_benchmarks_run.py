"""Every benchmark runs in its tiny mode: what it measures is printed, and never a reason to fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUICK = {
    "ann": "ours, tuned",
    "cli": "mlsd validate",
    "feast_stores": "Feast's SDK, its Redis store",
    "data": "pandas, read",
    "fraud_quality": "ours, better features",
    "fraud_ulb": "ours, trees by validation",
    "hard_negatives": "hard 4 of 100 behind 10",
    "hostile_yaml": "billion laughs",
    "live_items": "new items taken in",
    "ready": "stopped to ready",
    "recommend": "fetch of 500 candidates",
    "rerank": "us a request of 500 candidates",
    "retrieval_quality": "merged by quota",
    "simulate": "payments: simulated in",
    "stream": "ours, stream to state",
    "stream_keys": "names held",
    "two_tower": "small, ours beside a bare loop",
}
FETCHES = ("data", "fraud_ulb", "hard_negatives", "ready", "retrieval_quality")
PROCESSES = ("cli", "feast_stores", "ready", "recommend", "stream", "stream_keys")


def _marked(name: str) -> object:
    marks = [pytest.mark.data] if name in FETCHES else []
    marks += [pytest.mark.process] if name in PROCESSES else []
    return pytest.param(name, QUICK[name], marks=marks, id=name)


@pytest.mark.parametrize(("name", "printed"), [_marked(name) for name in QUICK])
def test_a_benchmark_runs(name: str, printed: str) -> None:
    """The script ends well and prints its line."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "benchmarks" / f"{name}.py", "--quick"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == 0, done.stderr
    assert printed in done.stdout
