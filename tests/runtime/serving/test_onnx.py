"""ONNX models: one row and many score as the model that was exported, and what cannot be scored is refused."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.onnx import OnnxModel


@pytest.fixture(scope="module")
def novelty(tmp_path_factory: pytest.TempPathFactory) -> tuple[IsolationForest, Path]:
    """An isolation forest and its ONNX file."""
    rows = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    model = IsolationForest(n_estimators=20, random_state=0).fit(rows)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    path.write_bytes(to_onnx(model, rows[:1], target_opset={"": 18, "ai.onnx.ml": 3}).SerializeToString())
    return model, path


def test_one_row_and_many_score_as_the_forest(novelty: tuple[IsolationForest, Path]) -> None:
    """The score is the forest's own decision function, alike for one row and for many."""
    model, path = novelty
    loaded = OnnxModel.load(path)
    rows = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32).astype(np.float64)
    scores = loaded.score_batch(rows)
    assert scores.shape == (30,)
    np.testing.assert_allclose(scores, model.decision_function(rows), atol=1e-5)
    np.testing.assert_allclose([loaded.score(tuple(row)) for row in rows.tolist()], scores, atol=1e-6)
    assert loaded.features == 3


@pytest.mark.parametrize("row", [(), (1.0, 2.0), ("a", 1.0, 2.0), (1.0, 2.0, 3.0, 4.0)])
def test_a_row_that_does_not_fit_is_refused(novelty: tuple[IsolationForest, Path], row: Any) -> None:
    """A row of another length or with text is refused before ONNX Runtime sees it."""
    with pytest.raises(RunError, match="E6453"):
        OnnxModel.load(novelty[1]).score(row)


def test_damaged_empty_and_missing_files_are_refused(novelty: tuple[IsolationForest, Path], tmp_path: Path) -> None:
    """A file that ONNX Runtime cannot read gives E6455 and no traceback of its own."""
    content = novelty[1].read_bytes()
    for place, damaged in enumerate([b"", content[:100], content[: len(content) // 2], b"\xff" * 300]):
        path = tmp_path / str(place)
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="E6455"):
            OnnxModel.load(path)
    with pytest.raises(RunError, match="E6455"):
        OnnxModel.load(tmp_path / "nothing")


def test_a_model_with_other_outputs_is_refused(tmp_path: Path) -> None:
    """A model without a single float output, or without the one named, is refused."""
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(model, rows[:1], target_opset=18).SerializeToString())
    with pytest.raises(RunError, match="E6455"):
        OnnxModel.load(path)
    with pytest.raises(RunError, match="E6455"):
        OnnxModel.load(path, output="nothing")


def test_loading_imports_no_onnx_package() -> None:
    """The module stands on ONNX Runtime alone; its own name does not hide the package `onnx` from others."""
    assert OnnxModel.__module__.startswith("mlsd_framework.")
    assert getattr(sys.modules["onnx"], "__file__", "").find("mlsd_framework") == -1
