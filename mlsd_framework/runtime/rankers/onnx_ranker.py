"""A ranker in the service: columns of candidates to scores, on one thread of ONNX Runtime, without torch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.rankers.columns import encoded
from mlsd_framework.runtime.towers.encoding import Encoded, TowerEncoding
from mlsd_framework.runtime.towers.onnx_session import FAULTS, opened

GRAPH: Final = "ranker.onnx"
ENCODING: Final = "encoding.json"
_SLICE: Final = 8_192  # rows at a time


class OnnxRanker:
    """A network with its encoding; any number of threads may share it."""

    def __init__(self, session: onnxruntime.InferenceSession, encoding: TowerEncoding) -> None:
        """Take what `load` has read."""
        self.encoding = encoding
        self._session = session
        self._inputs = frozenset(one.name for one in session.get_inputs())  # without one that no feature fills

    @classmethod
    def load(cls, path: Path) -> "OnnxRanker":
        """Load a network and the encoding beside it; raises RunError E6455 where a file is missing or damaged."""
        try:
            encoding = TowerEncoding.from_json(json.loads((path.parent / ENCODING).read_text("utf-8")))
            session = opened(path)
        except (*FAULTS, OSError, ValueError, KeyError, TypeError) as fault:
            raise RunError.of(
                "E6455", f"the ranker `{path}` cannot be loaded: {fault}", help="train the model again"
            ) from fault
        return cls(session, encoding)

    def score(self, columns: Sequence[Any], rows: int) -> NDArray[np.float64]:
        """Return the scores [rows] of columns in the order of the features, as `columns.encoded` takes them."""
        return self.scores(encoded(self.encoding, columns, rows))

    def scores(self, given: Encoded) -> NDArray[np.float64]:
        """Return the scores [rows] of encoded rows, some thousands at a time."""
        found = np.empty(len(given), np.float64)
        arrays = {"codes": given.codes, "values": given.values}
        for start in range(0, len(given), _SLICE):
            rows = slice(start, start + _SLICE)
            found[rows] = self._session.run(None, {name: arrays[name][rows] for name in self._inputs})[0]
        return found
