"""Lightning's checkpoints as safetensors with JSON inside: reading one never runs code."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import CheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic

_TREE = "tree"


class KeptWeights(ModelCheckpoint):
    """Keeps `best.safetensors` by a metric, and `last.safetensors`, the whole state after each epoch."""

    FILE_EXTENSION = ".safetensors"

    def __init__(self, folder: Path, monitor: str) -> None:
        """Take the folder of both files, and the name of the metric, of which more is better."""
        super().__init__(
            folder,
            "best",
            monitor=monitor,
            mode="max",
            save_last=True,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )


class SafetensorsIO(CheckpointIO):
    """Writes a checkpoint as one file, whole or not at all; tensors by name, all else as JSON in its header."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write it; raises TypeError on a value that is neither a tensor nor data for JSON."""
        del storage_options
        tensors: dict[str, Tensor] = {}
        tree = json.dumps(_taken_apart(checkpoint, "", tensors, {}), sort_keys=True)
        with atomic.replacing(Path(path)) as part:
            save_file(tensors, part, {_TREE: tree})

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: object = None,
        weights_only: bool | None = None,  # noqa: FBT001 - Lightning's
    ) -> dict[str, Any]:
        """Read it to the CPU; raises RunError E6336 where it is missing or damaged."""
        del map_location, weights_only
        return read(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove it, if it is there."""
        Path(path).unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Return the checkpoint in a file; raises RunError E6336 where it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tree = json.loads((file.metadata() or {})[_TREE])
            whole: dict[str, Any] = _put_together(tree, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as fault:
        raise RunError.of("E6336", f"`{path}` is not a checkpoint that can be read: {fault}") from fault
    return whole


def place(folder: Path, *of: object) -> Path:
    """Return the folder below `folder` for the state of a training `of` these things, whose text tells them apart.

    What another training left there is removed: a state goes on only with what it began with.
    """
    own = folder / f"training-{hashlib.sha256(repr(of).encode()).hexdigest()[:16]}"
    for other in folder.glob("training-*"):
        if other != own:
            shutil.rmtree(other)
    own.mkdir(parents=True, exist_ok=True)
    return own


def newest(folder: Path) -> Path | None:
    """Return the state from which a training in the folder goes on, or None where it begins."""
    path = folder / "last.safetensors"
    return path if path.is_file() else None


def load_best(module: torch.nn.Module, folder: Path) -> None:
    """Give the module the best weights in the folder; raises RunError E6336 where there are none that fit."""
    path = folder / "best.safetensors"
    try:
        module.load_state_dict(read(path)["state_dict"])
    except (KeyError, RuntimeError) as fault:
        raise RunError.of("E6336", f"`{path}` has the weights of another model: {fault}") from fault


def _taken_apart(node: object, path: str, tensors: dict[str, Tensor], names: dict[tuple[int, ...], str]) -> Any:  # noqa: ANN401 - JSON
    """Return the tree as JSON, its tensors put into `tensors`; one that stands at several places is kept once."""
    match node:
        case Tensor():
            key = (node.data_ptr(), *node.shape, *node.stride()) if node.numel() else (0, len(names))
            if key not in names:
                names[key] = path
                tensors[path] = node.detach().cpu().contiguous().clone()
            return {"tensor": names[key]}
        case Mapping():
            pairs = [[name, _taken_apart(one, f"{path}/{name}", tensors, names)] for name, one in node.items()]
            return {"dict": pairs}
        case list() | tuple():
            kind = "list" if isinstance(node, list) else "tuple"
            return {kind: [_taken_apart(one, f"{path}/{i}", tensors, names) for i, one in enumerate(node)]}
        case Path():
            return {"value": str(node)}
        case None | bool() | int() | float() | str():
            return {"value": node}
    raise TypeError(f"`{path}` is of type {type(node).__name__}, which a checkpoint does not keep")


def _put_together(tree: dict[str, Any], tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401 - any value
    ((kind, node),) = tree.items()
    if kind == "tensor":
        return tensors[node]
    if kind == "dict":
        return {name: _put_together(one, tensors) for name, one in node}
    if kind in {"list", "tuple"}:
        made = [_put_together(one, tensors) for one in node]
        return made if kind == "list" else tuple(made)
    return node
