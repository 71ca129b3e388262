"""A network in the service, on one thread of ONNX Runtime, without torch."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.onnx_session import FAULTS, opened
from mlsd_framework.runtime.tabular.encoding import Encoded, RowEncoding

_SLICE: Final = 8_192  # rows at a time


class OnnxNetwork:
    """A network over encoded rows; any number of threads may share it."""

    def __init__(self, session: onnxruntime.InferenceSession, encoding: RowEncoding) -> None:
        """Take what `read_network` has read."""
        self.encoding = encoding
        self._session = session
        self._inputs = frozenset(one.name for one in session.get_inputs())  # without one that no feature fills

    def run(self, rows: Encoded) -> NDArray[np.float32]:
        """Return the output of encoded rows, some thousands at a time: [rows], or [rows, dimension]."""
        given = {"codes": rows.codes, "values": rows.values}
        found: list[NDArray[np.float32]] = [
            self._session.run(None, {name: given[name][start : start + _SLICE] for name in self._inputs})[0]
            for start in range(0, max(len(rows), 1), _SLICE)
        ]
        return found[0] if len(found) == 1 else np.concatenate(found)


def read_network(
    path: Path, encoding: Path, what: str, side: str | None = None
) -> tuple[onnxruntime.InferenceSession, RowEncoding]:
    """Return a network and how its rows are encoded, which is the part `side` of its file where there is one.

    Raises RunError E6455, which says that `what` cannot be loaded, where a file is missing or damaged.
    """
    try:
        written = json.loads(encoding.read_text("utf-8"))
        return opened(path), RowEncoding.from_json(written if side is None else written[side])
    except (*FAULTS, OSError, ValueError, KeyError, TypeError) as fault:
        raise RunError.of("E6455", f"{what} cannot be loaded: {fault}", help="train the model again") from fault
