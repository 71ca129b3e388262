"""From a trained ranker to what is served: the network as ONNX, and how rows are encoded."""

import json
from pathlib import Path
from typing import Final

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.rankers.module import Ranker
from mlsd_framework.runtime.rankers.onnx_ranker import ENCODING, GRAPH, OnnxRanker
from mlsd_framework.runtime.tabular.encoding import Encoded
from mlsd_framework.runtime.tabular.onnx_export import compare, onnx_bytes

FILES: Final = (ENCODING, GRAPH)
"""What `export` writes."""


def export(module: Ranker, rows: Encoded, folder: Path) -> OnnxRanker:
    """Write the ranker as it is to `folder` and return it as it is served.

    `rows` are some rows, such as those of the validation, on which ONNX Runtime is held against torch.
    Raises RunError E6335 where a score differs by 1e-5 or more, in parts of itself where it is above 1.
    """
    module = module.cpu().eval()
    text = json.dumps(module.encoding.to_json(), ensure_ascii=False, sort_keys=True)
    atomic.write_text(folder / ENCODING, text)
    atomic.write_bytes(folder / GRAPH, onnx_bytes(module.network, module.encoding.widths, "scores"))
    exported = OnnxRanker.load(folder / GRAPH)
    compare("the ranker gives scores", module, exported.scores, rows)
    return exported
