"""From a trained two-tower model to what is served: both towers as ONNX, their encodings, the vectors of all items."""

import io
import json
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.tensor_file import write_tensors
from mlsd_framework.runtime.towers.batches import Rows
from mlsd_framework.runtime.towers.encoding import Encoded
from mlsd_framework.runtime.towers.module import TwoTower
from mlsd_framework.runtime.towers.tower import Tower
from mlsd_framework.runtime.towers.user_tower import (
    ENCODINGS,
    VECTORS,
    VECTORS_FORMAT,
    OnnxTower,
    UserTower,
    in_batches,
)

FILES: Final = (ENCODINGS, VECTORS, "item_tower.onnx", "user_tower.onnx")
"""What `export` writes."""

_OPSET = 17
_CLOSE = 1e-5
_PROBES = 256  # rows that are held against torch


def export(module: TwoTower, users: Encoded, folder: Path) -> NDArray[np.float32]:
    """Write the model as it is to `folder` and return the vectors of the catalogue: [items, dimension].

    `users` are some rows, such as those of the validation, on which ONNX Runtime is held against torch.
    Raises RunError E6335 where a tower's vectors differ by 1e-5 or more.
    """
    module = module.cpu().eval()
    encodings = {"user": module.encoding.user.to_json(), "item": module.encoding.item.to_json()}
    atomic.write_text(folder / ENCODINGS, json.dumps(encodings, ensure_ascii=False, sort_keys=True))
    catalogue = module.catalogue.to(torch.device("cpu"))
    for side, tower in (("user", module.user), ("item", module.item)):
        atomic.write_bytes(folder / f"{side}_tower.onnx", onnx_bytes(tower, tower.encoding.widths, "vectors"))
    items = OnnxTower.load(folder)
    _compare("user", module.user, UserTower.load(folder), Encoded(users.codes[:_PROBES], users.values[:_PROBES]))
    encoded = Encoded(catalogue.codes.numpy(), catalogue.values.numpy())
    _compare("item", module.item, items, Encoded(encoded.codes[:_PROBES], encoded.values[:_PROBES]))
    vectors = in_batches(items, encoded)
    write_tensors(folder / VECTORS, {"format": VECTORS_FORMAT}, {"vectors": vectors})
    return vectors


def onnx_bytes(network: torch.nn.Module, widths: tuple[int, int], output: str) -> bytes:
    """Return a network as ONNX: `codes` int32 [rows, codes] and `values` float32 [rows, values] to its output."""
    codes, values = widths
    given = (torch.ones(2, codes, dtype=torch.int32), torch.zeros(2, values))
    written = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing, which is deprecated: the newer one needs onnxscript, and no network here branches.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            given,
            written,  # type: ignore[arg-type]
            input_names=["codes", "values"],
            output_names=[output],
            dynamic_axes={name: {0: "rows"} for name in ("codes", "values", output)},
            opset_version=_OPSET,
            dynamo=False,
        )
    return written.getvalue()


def _compare(side: str, tower: Tower, exported: OnnxTower, rows: Encoded) -> None:
    with torch.no_grad():
        expected = tower(*Rows.of(rows)).numpy()
    apart = float(np.abs(expected - exported.vectors(rows)).max(initial=0.0))
    if not apart < _CLOSE:
        raise RunError.of("E6335", f"the {side} tower gives vectors that differ by {apart:g}", expected=f"< {_CLOSE:g}")
