"""Indexes on disk: the same answers after loading, and nothing that was damaged, swapped or made by another model."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.door import Kind
from mlsd_framework.runtime.index.saved import load_index
from mlsd_framework.runtime.index.vector_index import build_index
from tests.runtime.index.vectors import items_and_users

ITEMS, USERS = items_and_users(2_000, 20)
KINDS: tuple[Kind, ...] = ("exact", "scann", "faiss-ivfpq", "faiss-hnsw")


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a saved index of each kind with deleted and fresh rows, and its answers beside it."""
    index = build_index(np.arange(2_000), ITEMS, fingerprint="model-1", kind=request.param)
    index.delete(np.arange(0, 50))
    index.upsert(np.array([7, 3_000]), ITEMS[:2])
    index.save(tmp_path / "index")
    ids, scores = index.search(USERS, 10)
    np.savez(tmp_path / "answers.npz", ids=ids, scores=scores)
    return tmp_path / "index"


def test_a_loaded_index_answers_as_before(folder: Path) -> None:
    """Ids and scores are the same, writes go on, and nothing in the folder is a pickle."""
    index = load_index(folder, fingerprint="model-1")
    answers = np.load(folder.parent / "answers.npz")
    ids, scores = index.search(USERS, 10)
    assert np.array_equal(ids, answers["ids"])
    assert np.allclose(scores, answers["scores"], rtol=1e-5)
    assert len(index) == 1_952
    index.upsert(np.array([7]), USERS[:1] * 100)
    assert index.search(USERS[:1], 1)[0].tolist() == [[7]]
    index.rebalance()
    assert index.search(USERS[:1], 1)[0].tolist() == [[7]]
    assert not list(folder.glob("*.pkl"))
    assert isinstance(load_index(folder, fingerprint="model-1").state.base.vectors.base, np.memmap | type(None))


def test_another_model_is_refused(folder: Path) -> None:
    """Model and index are one version."""
    with pytest.raises(RunError, match="E6807"):
        load_index(folder, fingerprint="model-2")


def test_every_changed_file_is_refused(folder: Path) -> None:
    """A flipped byte, a cut, an empty file and a lost one are found in each file of the folder."""
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        flipped = bytes([content[len(content) // 2] ^ 0xFF])
        for damaged in (content[: len(content) // 2], b"", content[: len(content) // 2] + flipped, None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            with pytest.raises(RunError, match=r"E680[456]"):
                load_index(folder, fingerprint="model-1")
            path.write_bytes(content)
    load_index(folder, fingerprint="model-1")


def _replace(folder: Path, name: str, array: np.ndarray, *, pickled: bool = False) -> None:
    np.save(folder / name, array, allow_pickle=pickled)
    manifest = json.loads((folder / "index.json").read_text())
    manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "index.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "array", "code"),
    [
        ("dataset.npy", np.full((2_000, 16), np.nan, np.float32), "E6801"),
        ("dataset.npy", np.zeros((2_000, 8), np.float32), "E6806"),
        ("dataset.npy", np.zeros((2_000, 16)), "E6806"),
        ("dataset.npy", np.zeros((5, 16), np.float32), "E6806"),
        ("ids.npy", np.zeros(2_000, np.int64), "E6803"),
        ("alive.npy", np.ones(2_000, np.bool_), "E6803"),
        ("fresh_ids.npy", np.array([7], np.int64), "E6806"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, name: str, array: np.ndarray, code: str) -> None:
    """Even with the right SHA-256, arrays have to fit each other and hold numbers."""
    index = build_index(np.arange(2_000), ITEMS, fingerprint="m")
    index.delete(np.arange(0, 50))
    index.upsert(np.array([7, 3_000]), ITEMS[:2])
    index.save(tmp_path / "index")
    _replace(tmp_path / "index", name, array)
    with pytest.raises(RunError, match=code):
        load_index(tmp_path / "index", fingerprint="m")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """An array of objects is refused, not run."""
    build_index(np.arange(9), ITEMS[:9], fingerprint="m").save(tmp_path / "index")
    _replace(tmp_path / "index", "ids.npy", np.array([{}] * 9, dtype=object), pickled=True)
    with pytest.raises(RunError, match="E6806"):
        load_index(tmp_path / "index", fingerprint="m")


def test_a_folder_is_written_once(tmp_path: Path) -> None:
    """What is there is neither overwritten nor mixed with; an empty index can be saved too."""
    index = build_index(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), fingerprint="m")
    index.save(tmp_path / "index")
    with pytest.raises(RunError, match="E6808"):
        index.save(tmp_path / "index")
    assert len(load_index(tmp_path / "index", fingerprint="m")) == 0
    with pytest.raises(RunError, match="E6804"):
        load_index(tmp_path / "nowhere", fingerprint="m")
