"""Export: what is served gives torch's vectors, needs no torch, and says what is wrong with it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import load_file

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tabular.encoding import Encoded
from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.towers.batches import PairsData
from mlsd_framework.runtime.towers.export import export
from mlsd_framework.runtime.towers.module import TwoTower
from mlsd_framework.runtime.towers.tower import Shape
from mlsd_framework.runtime.towers.user_tower import VECTORS, UserTower

ROOT = Path(__file__).resolve().parents[3]


def test_the_exported_towers_give_the_vectors_of_torch(
    trained: tuple[TwoTower, PairsData], log: pl.DataFrame, tmp_path: Path
) -> None:
    """One request, a batch and the whole catalogue differ from torch by less than 1e-5."""
    module, _ = trained
    users = module.encoding.user.encode(log)
    vectors = export(module, users, tmp_path)
    tower = UserTower.load(tmp_path)
    with torch.no_grad():
        expected = module.user(*Rows.of(users)).numpy()
    assert np.abs(tower.vectors(users) - expected).max() < 1e-5
    one = tower.vector(log.row(3, named=True))
    assert np.abs(one - expected[3]).max() < 1e-5
    assert vectors.dtype == one.dtype == np.float32
    assert np.abs(vectors - module.item_vectors().numpy()).max() < 1e-5
    assert np.array_equal(load_file(tmp_path / VECTORS)["vectors"], vectors)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_a_request_of_nulls_has_a_vector(made: Any, log: pl.DataFrame, tmp_path: Path, similarity: Any) -> None:
    """Empty lists and absent features are no NaN; by cosine the vector's length is 1."""
    module, _ = made(Shape(8, (16,), similarity))
    export(module, module.encoding.user.encode(log.head(8)), tmp_path)
    vector = UserTower.load(tmp_path).vector({})
    assert np.isfinite(vector).all()
    assert similarity == "dot" or float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)


def test_an_export_that_differs_is_refused(made: Any, log: pl.DataFrame, tmp_path: Path, monkeypatch: Any) -> None:
    """Vectors that are not torch's are an error, not a model."""
    module, _ = made()
    found = UserTower.vectors
    monkeypatch.setattr(UserTower, "vectors", lambda self, rows: found(self, rows) + 1e-4)
    with pytest.raises(RunError, match="E6335"):
        export(module, module.encoding.user.encode(log.head(8)), tmp_path)


def test_a_damaged_tower_is_named(trained: tuple[TwoTower, PairsData], log: pl.DataFrame, tmp_path: Path) -> None:
    """A file that is missing or cut short is an error of ours."""
    module, _ = trained
    with pytest.raises(RunError, match="E6455: the user tower"):
        UserTower.load(tmp_path)
    export(module, module.encoding.user.encode(log), tmp_path)
    (tmp_path / "user_tower.onnx").write_bytes(b"no model")
    with pytest.raises(RunError, match="E6455"):
        UserTower.load(tmp_path)


def test_serving_a_tower_loads_neither_torch_nor_polars(
    trained: tuple[TwoTower, PairsData], log: pl.DataFrame, tmp_path: Path
) -> None:
    """A process that loads a tower and asks it has not imported them."""
    module, _ = trained
    users = module.encoding.user.encode(log)
    export(module, Encoded(users.codes[:4], users.values[:4]), tmp_path)
    code = (
        "import sys; from pathlib import Path; from mlsd_framework.runtime.towers.user_tower import UserTower\n"
        f"UserTower.load(Path({str(tmp_path)!r})).vector({{'user_id': 'u1', 'last': [1, 2]}})\n"
        "print(sorted({'torch', 'pytorch_lightning', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
