"""From a trained two-tower model to what is served: both towers as ONNX, their encodings, the vectors of all items."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.tabular.encoding import Encoded
from mlsd_framework.runtime.tabular.onnx_export import compare, onnx_bytes
from mlsd_framework.runtime.tensor_file import write_tensors
from mlsd_framework.runtime.towers.module import TwoTower
from mlsd_framework.runtime.towers.user_tower import ENCODINGS, VECTORS, VECTORS_FORMAT, OnnxTower, UserTower

FILES: Final = (ENCODINGS, VECTORS, "item_tower.onnx", "user_tower.onnx")
"""What `export` writes."""


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
    encoded = Encoded(catalogue.codes.numpy(), catalogue.values.numpy())
    compare("the user tower gives vectors", module.user, UserTower.load(folder).vectors, users)
    compare("the item tower gives vectors", module.item, items.vectors, encoded)
    vectors = items.vectors(encoded)
    write_tensors(folder / VECTORS, {"format": VECTORS_FORMAT}, {"vectors": vectors})
    return vectors
