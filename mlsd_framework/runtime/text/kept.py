"""Vectors of texts that were embedded before, in one safetensors file, so that a catalogue's new texts alone are."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.tensor_file import TensorFileError, read_tensors, write_tensors
from mlsd_framework.runtime.text.distinct import Embed, Vectors

_DIGEST: Final = 16
_ARRAYS: Final = ("digests", "vectors")


@dataclass(frozen=True, slots=True)
class Kept:
    """The vectors of `width` dimensions that `model` gave; texts themselves are not in the file, their digests are.

    Several processes may use one file: each writes all that it knows, and the last one counts.
    """

    path: Path
    model: str
    width: int

    def embed(self, texts: Sequence[str], embed: Embed) -> Vectors:
        """Return the vectors of distinct texts, `embed` asked for those that are not in the file: [texts, width]."""
        digests, vectors = self._read()
        wanted = [blake2b(text.encode(), digest_size=_DIGEST).digest() for text in texts]
        places = {digest.tobytes(): place for place, digest in enumerate(digests)}
        new = [place for place, digest in enumerate(wanted) if digest not in places]
        if new:
            for place in new:
                places[wanted[place]] = len(places)
            vectors = np.concatenate([vectors, embed([texts[place] for place in new])])
            added = np.frombuffer(b"".join(wanted[place] for place in new), np.uint8).reshape(-1, _DIGEST)
            digests = np.concatenate([digests, added])
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_tensors(self.path, {"format": self._format}, {"digests": digests, "vectors": vectors})
        return vectors[[places[digest] for digest in wanted]]

    @property
    def _format(self) -> str:
        return f"mlsd text vectors 1 of {self.model}"

    def _read(self) -> tuple[NDArray[np.uint8], Vectors]:
        """Return what the file has; one that is not there, damaged or of another model has nothing."""
        nothing = np.empty((0, _DIGEST), np.uint8), np.empty((0, self.width), np.float32)
        try:
            _, found = read_tensors(self.path, _ARRAYS, self._format)
        except TensorFileError:
            return nothing
        digests, vectors = found.get("digests"), found.get("vectors")
        if digests is None or vectors is None or len(digests) != len(vectors):
            return nothing
        fits = digests.dtype == np.uint8 and vectors.dtype == np.float32 and np.isfinite(vectors).all()
        shapes = digests.shape[1:], vectors.shape[1:]
        return (digests, vectors) if fits and shapes == ((_DIGEST,), (self.width,)) else nothing
