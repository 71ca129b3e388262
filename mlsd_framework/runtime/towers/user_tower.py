"""The towers where they are served: features to vectors, without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.tabular.encoding import Encoded
from mlsd_framework.runtime.tabular.onnx_network import OnnxNetwork, read_network

ENCODINGS: Final = "encodings.json"
VECTORS: Final = "item_vectors.safetensors"
VECTORS_FORMAT: Final = "mlsd item vectors 1"


class OnnxTower(OnnxNetwork):
    """A tower as ONNX with its encoding; any number of threads may share it."""

    side = "item"

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load what `export` wrote; raises RunError E6455 where a file is missing or damaged."""
        what = f"the {cls.side} tower in `{folder}`"
        return cls(*read_network(folder / f"{cls.side}_tower.onnx", folder / ENCODINGS, what, cls.side))

    def vector(self, row: Mapping[str, Any]) -> NDArray[np.float32]:
        """Return the vector [dimension] of one row, a value by feature; absent is null. Raises RunError E6453."""
        vector: NDArray[np.float32] = self.vectors(self.encoding.encode_one(row))[0]
        return vector

    def vectors(self, rows: Encoded) -> NDArray[np.float32]:
        """Return the vectors of encoded rows: [rows, dimension]."""
        return self.run(rows)


class UserTower(OnnxTower):
    """The tower of users."""

    side = "user"
