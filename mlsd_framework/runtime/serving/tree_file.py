"""The file `trees.safetensors`: a forest of oblivious trees as arrays and names, checked on reading.

Training writes it, the service reads it; the two meet here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tensor_file import TensorFileError, read_tensors, write_tensors

FORMAT: Final = "mlsd-trees/1"
MAX_DEPTH: Final = 16
LINKS: Final = ("identity", "sigmoid", "softmax", "exp")

_TYPES: Final[dict[str, type[np.generic]]] = {
    "borders": np.float32,
    "border_offsets": np.int32,
    "flags": np.uint8,
    "depths": np.uint8,
    "splits": np.uint32,
    "leaf_values": np.float64,
    "leaf_weights": np.float64,
    "scale": np.float64,
    "bias": np.float64,
    "shap_offsets": np.int32,
    "shap_features": np.int32,
    "shap_values": np.float64,
    "shap_bias": np.float64,
}


@dataclass(frozen=True, slots=True)
class TreeNames:
    """What the file says in words: names, link, category tables and the model it was made from.

    A category's code is its place in `categories[feature]`; a feature whose categories no tree asks for has an empty
    tuple.
    """

    features: tuple[str, ...]
    outputs: tuple[str, ...]
    link: str
    categories: Mapping[str, tuple[str, ...]]
    null_category: str
    model_sha256: str


@dataclass(frozen=True, slots=True)
class TreeArrays:
    """The arrays of a forest with F features, B borders, T trees, L leaves over all trees and O outputs.

    `borders` [B] of feature f lie at `border_offsets[f] : border_offsets[f + 1]` (`border_offsets` [F + 1]); `flags`
    [F] as in `tree_kernels`. `splits` [sum of `depths`] are places in `borders`, tree after tree, first the one that
    makes the leaf's lowest bit. `leaf_values` [L, O], `leaf_weights` [L]. The raw value is `scale` [1] times the sum
    of leaves, plus `bias` [O]. `shap_features` of tree t lie at `shap_offsets[t] : shap_offsets[t + 1]`; `shap_values`
    holds [leaf, feature of the tree, output] tree after tree, scaled; `shap_bias` [O] is the mean raw value. A file
    without explanations has empty `shap_features` and `shap_values`.
    """

    borders: NDArray[np.float32]
    border_offsets: NDArray[np.int32]
    flags: NDArray[np.uint8]
    depths: NDArray[np.uint8]
    splits: NDArray[np.uint32]
    leaf_values: NDArray[np.float64]
    leaf_weights: NDArray[np.float64]
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    shap_offsets: NDArray[np.int32]
    shap_features: NDArray[np.int32]
    shap_values: NDArray[np.float64]
    shap_bias: NDArray[np.float64]


def write_trees(path: Path, names: TreeNames, arrays: TreeArrays) -> None:
    """Write the file; the same content gives the same bytes."""
    header = {
        "format": FORMAT,
        "features": names.features,
        "outputs": names.outputs,
        "link": names.link,
        "categories": {feature: list(values) for feature, values in names.categories.items()},
        "null_category": names.null_category,
        "model_sha256": names.model_sha256,
    }
    write_tensors(path, header, {name: getattr(arrays, name) for name in _TYPES})


def read_trees(path: Path) -> tuple[TreeNames, TreeArrays]:
    """Read and check the file.

    Raises:
        RunError: E6451 where it cannot be read as such a file, E6452 where its arrays contradict each other.
    """
    try:
        header, found = read_tensors(path, _TYPES, FORMAT)
    except TensorFileError as error:
        raise _unreadable(path, str(error)) from error
    names = _names(path, header)
    for name, kind in _TYPES.items():
        if name not in found:
            raise _unreadable(path, f"the array `{name}` is missing")
        if found[name].dtype != kind:
            raise _unreadable(path, f"the array `{name}` holds `{found[name].dtype}`")
    arrays = TreeArrays(**found)
    fault = _fault(names, arrays)
    if fault is not None:
        raise RunError.of("E6452", f"`{path}` contradicts itself: {fault}", help="train the model again")
    return names, arrays


def _unreadable(path: Path, reason: str) -> RunError:
    return RunError.of("E6451", f"`{path}` is not a file of compiled trees: {reason}", help="train the model again")


def _names(path: Path, header: Mapping[str, Any]) -> TreeNames:
    strings = [header.get(key) for key in ("link", "null_category", "model_sha256")]
    categories = header.get("categories")
    if not (
        _are_strings(header.get("features"))
        and _are_strings(header.get("outputs"))
        and _are_strings(strings)
        and isinstance(categories, dict)
        and all(map(_are_strings, categories.values()))
    ):
        raise _unreadable(path, "its header lacks a name or a list of names")
    return TreeNames(
        features=tuple(header["features"]),
        outputs=tuple(header["outputs"]),
        link=header["link"],
        categories={feature: tuple(values) for feature, values in categories.items()},
        null_category=header["null_category"],
        model_sha256=header["model_sha256"],
    )


def _are_strings(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in cast("list[object]", values))


def _fault(names: TreeNames, arrays: TreeArrays) -> str | None:
    """Return the first contradiction; the checks of sizes come first because those of values lean on them."""
    features, outputs, trees = len(names.features), len(names.outputs), arrays.depths.size
    if any(getattr(arrays, name).ndim != (2 if name == "leaf_values" else 1) for name in _TYPES):
        return "an array has the wrong number of dimensions"
    depths = arrays.depths.astype(np.int64)
    if trees and depths.max() > MAX_DEPTH:
        return f"a tree is deeper than {MAX_DEPTH}"
    leaves = int((1 << depths).sum())
    sizes = {
        "flags": features,
        "border_offsets": features + 1,
        "splits": int(depths.sum()),
        "leaf_weights": leaves,
        "scale": 1,
        "bias": outputs,
        "shap_bias": outputs,
        "shap_offsets": trees + 1,
    }
    for name, size in sizes.items():
        if getattr(arrays, name).size != size:
            return f"`{name}` has {getattr(arrays, name).size} values where the rest asks for {size}"
    if arrays.leaf_values.shape != (leaves, outputs) or not outputs or leaves * outputs >= 1 << 31:
        return f"`leaf_values` has the shape {arrays.leaf_values.shape} where the rest asks for ({leaves}, {outputs})"
    if names.link not in LINKS:
        return f"the link `{names.link}` is not known"
    return _fault_in_values(names, arrays) or _fault_in_explanations(arrays, features, outputs)


def _fault_in_values(names: TreeNames, arrays: TreeArrays) -> str | None:
    if not _are_offsets(arrays.border_offsets, arrays.borders.size):
        return "`border_offsets` do not partition `borders`"
    if arrays.splits.size and arrays.splits.max() >= arrays.borders.size:
        return "`splits` point outside `borders`"
    if arrays.flags.size and arrays.flags.max() > 2:  # noqa: PLR2004 - the largest flag of `tree_kernels`
        return "`flags` hold an unknown flag"
    if {feature for feature, flag in zip(names.features, arrays.flags, strict=True) if flag == 1} != set(
        names.categories
    ):
        return "the category tables do not belong to the category features"
    for name in ("borders", "leaf_values", "leaf_weights", "scale", "bias", "shap_values", "shap_bias"):
        if not np.isfinite(getattr(arrays, name)).all():
            return f"`{name}` holds a value that is not finite"
    return None


def _fault_in_explanations(arrays: TreeArrays, features: int, outputs: int) -> str | None:
    if not _are_offsets(arrays.shap_offsets, arrays.shap_features.size):
        return "`shap_offsets` do not partition `shap_features`"
    if arrays.shap_features.size and not 0 <= arrays.shap_features.min() <= arrays.shap_features.max() < features:
        return "`shap_features` name a feature that is not there"
    wanted = int(((1 << arrays.depths.astype(np.int64)) * np.diff(arrays.shap_offsets)).sum()) * outputs
    if arrays.shap_values.size != wanted:
        return f"`shap_values` has {arrays.shap_values.size} values where the rest asks for {wanted}"
    return None


def _are_offsets(offsets: NDArray[np.int32], size: int) -> bool:
    return bool(offsets[0] == 0 and offsets[-1] == size and (np.diff(offsets.astype(np.int64)) >= 0).all())
