"""The user tower in the service: a request's features to its vector, on one thread of ONNX Runtime, without torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    NotImplemented,  # noqa: A004 - ONNX Runtime's name
    RuntimeException,
)

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.towers.encoding import Encoded, TowerEncoding

ENCODINGS: Final = "encodings.json"
VECTORS: Final = "item_vectors.safetensors"
VECTORS_FORMAT: Final = "mlsd item vectors 1"
_FAULTS = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, NotImplemented, RuntimeException)
_ERRORS_ONLY = 3  # ONNX Runtime's severity scale: 3 is error


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
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _ERRORS_ONLY
        path = folder / f"{cls.side}_tower.onnx"
        try:
            encoding = TowerEncoding.from_json(json.loads((folder / ENCODINGS).read_text("utf-8"))[cls.side])
            # The bytes, not the path: a model from bytes cannot name further files to read.
            session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except (*_FAULTS, OSError, ValueError, KeyError, TypeError) as fault:
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
