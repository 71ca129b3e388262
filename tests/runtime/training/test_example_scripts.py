"""The example of generated training scripts runs as a user runs it, twice with the same result."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.digest import file_sha256
from mlsd_framework.runtime.serving import calibration
from mlsd_framework.runtime.training import artefacts
from mlsd_framework.runtime.workspace import Workspace

EXAMPLE = Path(__file__).parent / "example"
ROOT = Path(__file__).parents[3]
ROWS = 6000


def _dataset(path: Path) -> None:
    random = np.random.default_rng(0)
    amount = random.exponential(60, ROWS).round(2)
    velocity = random.poisson(1.0, ROWS).astype(float)
    country = random.choice(["NL", "BE", "DE"], ROWS, p=[0.7, 0.2, 0.1])
    odds = -4.5 + amount / 60 + 0.9 * (velocity > 2) + 1.2 * (country == "DE")
    frame = pl.DataFrame(
        {
            "ts": pl.Series(1_522_540_800_000_000 + np.arange(ROWS) * 200_000_000).cast(pl.Datetime("us", "UTC")),
            "card_id": [f"c{number}" for number in random.integers(0, 400, ROWS)],
            "amount": amount,
            "hour": random.integers(0, 24, ROWS),
            "card_velocity.payments_1h": velocity,
            "card_velocity.spend_mean_7d": np.where(random.random(ROWS) < 0.1, None, amount * 0.8).astype(float),
            "country": np.where(random.random(ROWS) < 0.02, None, country),
            "is_fraud": random.random(ROWS) < 1 / (1 + np.exp(-odds)),
        },
        nan_to_null=True,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)


def _run(script: str, workspace: Workspace) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLE / script, workspace.root],
        check=False, capture_output=True, text=True, cwd=workspace.root, env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Train and evaluate once."""
    workspace = Workspace(tmp_path_factory.mktemp("w") / "card-fraud")
    _dataset(workspace.dataset)
    for script in ("fraud.py", "novelty.py", "evaluate.py"):
        _run(script, workspace)
    return workspace


def test_the_scripts_leave_a_version_a_report_and_a_card(trained: Workspace) -> None:
    """The bundle holds what its manifest says, and nothing else."""
    (version,) = list(trained.versions.iterdir())
    manifest = json.loads((version / "bundle.json").read_text())
    assert manifest["version"] == version.name
    held = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()} - {"bundle.json"}
    assert held == set(manifest["files"])
    assert {
        "thresholds.json",
        "models/fraud/model.cbm",
        "models/fraud/trees.safetensors",
        "models/novelty/model.onnx",
    } <= held
    assert all(file_sha256(version / name) == digest for name, digest in manifest["files"].items())
    metrics = json.loads((trained.evaluation / "fraud.metrics.json").read_text())
    assert 0 < metrics["test"]["cost_saved"]["low"] < metrics["test"]["cost_saved"]["high"] < 1
    assert "average_precision" in (trained.model("fraud") / "card.md").read_text()
    assert (trained.evaluation / "fraud.report.html").stat().st_size > 1_000_000


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Train and evaluate the same once more, in this process."""
    workspace = Workspace(tmp_path_factory.mktemp("again") / "card-fraud")
    _dataset(workspace.dataset)
    with pytest.MonkeyPatch.context() as patch:
        for script in ("fraud.py", "novelty.py", "evaluate.py"):
            patch.setattr(sys, "argv", [script, str(workspace.root)])
            runpy.run_path(str(EXAMPLE / script), run_name="__main__")
    return workspace


def _content(workspace: Workspace, *folders: str) -> dict[str, bytes]:
    files = [path for folder in folders for path in (workspace.root / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(workspace.root)): path.read_bytes() for path in files}


def test_training_again_gives_the_same_bytes(trained: Workspace, again: Workspace) -> None:
    """Models, predictions, thresholds, metrics, card and report are the same in another process."""
    first, second = (_content(workspace, "models", "evaluation") for workspace in (trained, again))
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_training_again_gives_the_same_version(trained: Workspace, again: Workspace) -> None:
    """The bundle has the same id and bytes, compiled trees included."""
    assert _content(trained, "versions") == _content(again, "versions")


def test_the_exported_novelty_is_the_trained_one(trained: Workspace) -> None:
    """ONNX and the curve give what the script predicted, nulls included, and training rows spread over [0, 1]."""
    folder = trained.model("novelty")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = artefacts.open_model(folder).features
    matrix = artefacts.read_dataset(trained.dataset, names).select(pl.all().cast(pl.Float32).fill_null(float("nan")))
    score = session.run(["score"], {"features": matrix.to_numpy()})[0].ravel().astype(float)
    predicted = artefacts.read_predictions(folder)
    assert score == pytest.approx(predicted.score, abs=1e-4)
    novelty = calibration.read(folder / "calibration.json").batch(score)
    assert novelty == pytest.approx(predicted.probability, abs=0.01)
    assert np.quantile(novelty[predicted.parts.train], [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.01)


def test_a_changed_model_file_is_refused(trained: Workspace, tmp_path: Path) -> None:
    """One flipped bit, a missing file, a damaged manifest."""
    folder = tmp_path / "fraud"
    folder.mkdir()
    for name in ("model.json", "calibration.json", "model.cbm", "trees.safetensors"):
        (folder / name).write_bytes((trained.model("fraud") / name).read_bytes())
    artefacts.open_model(folder)
    content = bytearray((folder / "model.cbm").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.cbm").write_bytes(content)
    with pytest.raises(RunError, match=r"E6336.*model\.cbm"):
        artefacts.open_model(folder)
    (folder / "model.cbm").unlink()
    with pytest.raises(RunError, match="E6336"):
        artefacts.open_model(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(RunError, match="E6336"):
        artefacts.open_model(folder)


def test_a_dataset_that_is_not_there_or_damaged_is_told(tmp_path: Path) -> None:
    """E6325, with what to run."""
    with pytest.raises(RunError, match="E6325"):
        artefacts.read_dataset(tmp_path / "dataset.parquet")
    (tmp_path / "dataset.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RunError, match="E6325"):
        artefacts.read_dataset(tmp_path / "dataset.parquet")
