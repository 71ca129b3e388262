"""From a trained ranker to what is served: the network as ONNX, and how rows are encoded."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import torch

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.rankers.module import Ranker
from mlsd_framework.runtime.rankers.onnx_ranker import ENCODING, GRAPH, OnnxRanker
from mlsd_framework.runtime.towers.batches import Rows
from mlsd_framework.runtime.towers.encoding import Encoded
from mlsd_framework.runtime.towers.export import onnx_bytes

FILES: Final = (ENCODING, GRAPH)
"""What `export` writes."""

_CLOSE = 1e-5
_PROBES = 256  # rows that are held against torch


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
    probes = Encoded(rows.codes[:_PROBES], rows.values[:_PROBES])
    with torch.no_grad():
        expected = module(*Rows.of(probes)).numpy()
    scale = np.maximum(np.abs(expected), 1.0)
    apart = float((np.abs(expected - exported.scores(probes)) / scale).max(initial=0.0))
    if not apart < _CLOSE:
        raise RunError.of("E6335", f"the ranker gives scores that differ by {apart:g}", expected=f"< {_CLOSE:g}")
    return exported
