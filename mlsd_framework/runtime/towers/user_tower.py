"""The user tower in the service: a request's features to its vector, on one thread of ONNX Runtime, without torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.towers.encoding import Encoded, TowerEncoding
from mlsd_framework.runtime.towers.onnx_session import FAULTS, opened

ENCODINGS: Final = "encodings.json"
VECTORS: Final = "item_vectors.safetensors"
VECTORS_FORMAT: Final = "mlsd item vectors 1"
_SLICE: Final = 8_192  # rows at a time


class OnnxTower:
    """A tower as ONNX with its encoding; any number of threads may share it."""

    side = "item"

    def __init__(self, session: onnxruntime.InferenceSession, encoding: TowerEncoding) -> None:
        """Take what `load` has read."""
        self.encoding = encoding
        self._session = session
        self._inputs = frozenset(one.name for one in session.get_inputs())  # without one that no feature fills

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load what `export` wrote; raises RunError E6455 where a file is missing or damaged."""
        try:
            encoding = TowerEncoding.from_json(json.loads((folder / ENCODINGS).read_text("utf-8"))[cls.side])
            session = opened(folder / f"{cls.side}_tower.onnx")
        except (*FAULTS, OSError, ValueError, KeyError, TypeError) as fault:
            raise RunError.of(
                "E6455", f"the {cls.side} tower in `{folder}` cannot be loaded: {fault}", help="train the model again"
            ) from fault
        return cls(session, encoding)

    def vector(self, row: Mapping[str, Any]) -> NDArray[np.float32]:
        """Return the vector [dimension] of one row, a value by feature; absent is null. Raises RunError E6453."""
        vector: NDArray[np.float32] = self.vectors(self.encoding.encode_one(row))[0]
        return vector

    def vectors(self, rows: Encoded) -> NDArray[np.float32]:
        """Return the vectors of encoded rows: [rows, dimension]."""
        given = {"codes": rows.codes, "values": rows.values}
        found: NDArray[np.float32] = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        return found


class UserTower(OnnxTower):
    """The tower of users."""

    side = "user"


def in_batches(tower: OnnxTower, rows: Encoded) -> NDArray[np.float32]:
    """Return the vectors of many rows, some thousands at a time: [rows, dimension]."""
    return np.concatenate(
        [
            tower.vectors(Encoded(rows.codes[start : start + _SLICE], rows.values[start : start + _SLICE]))
            for start in range(0, max(len(rows), 1), _SLICE)
        ]
    )
