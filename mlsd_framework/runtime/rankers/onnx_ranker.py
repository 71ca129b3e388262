"""A ranker in the service: columns of candidates to scores, without torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.rankers.columns import encoded
from mlsd_framework.runtime.tabular.encoding import Encoded
from mlsd_framework.runtime.tabular.onnx_network import OnnxNetwork, read_network

GRAPH: Final = "ranker.onnx"
ENCODING: Final = "encoding.json"


class OnnxRanker(OnnxNetwork):
    """A network with its encoding; any number of threads may share it."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a network and the encoding beside it; raises RunError E6455 where a file is missing or damaged."""
        return cls(*read_network(path, path.parent / ENCODING, f"the ranker `{path}`"))

    def score(self, columns: Sequence[Any], rows: int) -> NDArray[np.float64]:
        """Return the scores [rows] of columns in the order of the features, as `columns.encoded` takes them."""
        return self.scores(encoded(self.encoding, columns, rows))

    def scores(self, given: Encoded) -> NDArray[np.float64]:
        """Return the scores [rows] of encoded rows."""
        return self.run(given).astype(np.float64)
