"""Vectors that are kept: only new texts are embedded, and no file makes a wrong vector."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mlsd_framework.runtime.tensor_file import write_tensors
from mlsd_framework.runtime.text.distinct import Vectors
from mlsd_framework.runtime.text.kept import Kept

FORMAT = {"format": "mlsd text vectors 1 of m"}


class _Lengths:
    """Embeds a text as its length and its first character, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32).reshape(-1, 2)


def test_only_new_texts_are_embedded(tmp_path: Path) -> None:
    """What the file has comes from it, in the order asked for; what was not asked for again stays."""
    kept, model = Kept(tmp_path / "made" / "kept.safetensors", "m", 2), _Lengths()
    assert kept.embed(["bb", "a"], model).tolist() == [[2, 98], [1, 97]]
    assert kept.embed(["a", "ccc"], model).tolist() == [[1, 97], [3, 99]]
    assert kept.embed(["ccc", "bb"], model).tolist() == [[3, 99], [2, 98]]
    assert model.asked == ["bb", "a", "ccc"]


def test_no_texts_need_no_model(tmp_path: Path) -> None:
    """Nothing is asked and nothing written."""
    kept, model = Kept(tmp_path / "kept.safetensors", "m", 2), _Lengths()
    assert kept.embed([], model).shape == (0, 2)
    assert (model.asked, list(tmp_path.iterdir())) == ([], [])


def test_another_model_takes_nothing_of_the_file(tmp_path: Path) -> None:
    """Its vectors mean something else."""
    path, model = tmp_path / "kept.safetensors", _Lengths()
    Kept(path, "m", 2).embed(["a"], model)
    Kept(path, "other", 2).embed(["a"], model)
    assert model.asked == ["a", "a"]


DIGESTS = np.zeros((1, 16), np.uint8)
UNFIT = {
    "no vectors": {"digests": DIGESTS},
    "more vectors": {"digests": DIGESTS, "vectors": np.ones((2, 2), np.float32)},
    "wider": {"digests": DIGESTS, "vectors": np.ones((1, 3), np.float32)},
    "short digests": {"digests": DIGESTS[:, :8], "vectors": np.ones((1, 2), np.float32)},
    "other type": {"digests": DIGESTS, "vectors": np.ones((1, 2), np.float64)},
    "not finite": {"digests": DIGESTS, "vectors": np.full((1, 2), np.nan, np.float32)},
}


@pytest.mark.parametrize("arrays", UNFIT.values(), ids=UNFIT)
def test_a_file_that_does_not_fit_is_written_anew(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    """It counts as empty."""
    path, model = tmp_path / "kept.safetensors", _Lengths()
    write_tensors(path, FORMAT, arrays)
    assert Kept(path, "m", 2).embed(["a"], model).tolist() == [[1, 97]]
    assert Kept(path, "m", 2).embed(["a"], model).tolist() == [[1, 97]]
    assert model.asked == ["a"]


def test_a_file_that_is_cut_short_is_written_anew(tmp_path: Path) -> None:
    """It counts as empty too."""
    path, model = tmp_path / "kept.safetensors", _Lengths()
    Kept(path, "m", 2).embed(["a"], model)
    path.write_bytes(path.read_bytes()[:-3])
    assert Kept(path, "m", 2).embed(["a"], model).tolist() == [[1, 97]]
    assert model.asked == ["a", "a"]
