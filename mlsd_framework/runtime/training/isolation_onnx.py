"""An isolation forest as one small ONNX graph: fill nulls, add up path lengths in one tree ensemble, turn them to a score."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx
    from sklearn.ensemble import IsolationForest

_EULER = 0.5772156649015329
_OPSETS = (("", 17), ("ai.onnx.ml", 3))
_IR_VERSION = 9


def forest_to_onnx(forest: "IsolationForest", medians: NDArray[np.float64]) -> "onnx.ModelProto":
    """Return the graph `features` [rows, n] float32 -> `score` [rows, 1], larger for stranger rows; NaN counts as the median.

    The score of Liu, Ting and Zhou (2008) is 2^(-E[path] / c(samples)), shifted by scikit-learn's offset. A leaf's value
    is its depth and the mean path below it, so one ensemble of sums gives all paths; the same forest gives the same bytes.
    """
    import onnx  # noqa: PLC0415 - heavy
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    trees = len(forest.estimators_)
    scale = -math.log(2) / (trees * _mean_path(np.array([forest.max_samples_]))[0])
    constants = {
        "medians": np.asarray(medians, np.float32),
        "scale": np.array(scale, np.float32),
        "offset": np.array(forest.offset_, np.float32),
    }
    nodes = [
        helper.make_node("IsNaN", ["features"], ["missing"], name="is_missing"),
        helper.make_node("Where", ["missing", "medians", "features"], ["filled"], name="fill"),
        helper.make_node("TreeEnsembleRegressor", ["filled"], ["paths"], name="forest", domain="ai.onnx.ml", **_ensemble(forest)),
        helper.make_node("Mul", ["paths", "scale"], ["exponent"], name="scaled"),
        helper.make_node("Exp", ["exponent"], ["strangeness"], name="strangeness"),
        helper.make_node("Add", ["strangeness", "offset"], ["score"], name="shifted"),
    ]
    graph = helper.make_graph(
        nodes,
        "novelty",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(medians)])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="mlsd")
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    return model


def _ensemble(forest: "IsolationForest") -> dict[str, Any]:
    """Return the attributes of one `TreeEnsembleRegressor` whose sum is the path length over all trees."""
    found: dict[str, list[Any]] = {
        name: []
        for name in (
            "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_values", "nodes_modes", "nodes_truenodeids",
            "nodes_falsenodeids", "target_treeids", "target_nodeids", "target_ids", "target_weights",
        )
    }  # fmt: skip
    for number, estimator in enumerate(forest.estimators_):
        tree = estimator.tree_
        leaf = tree.children_left < 0
        depth = _depths(tree.children_left, tree.children_right)
        nodes = len(leaf)
        found["nodes_treeids"] += [number] * nodes
        found["nodes_nodeids"] += list(range(nodes))
        found["nodes_featureids"] += np.where(leaf, 0, tree.feature).tolist()
        found["nodes_values"] += np.where(leaf, 0.0, _not_above(tree.threshold)).tolist()
        found["nodes_modes"] += ["LEAF" if one else "BRANCH_LEQ" for one in leaf.tolist()]
        found["nodes_truenodeids"] += np.where(leaf, 0, tree.children_left).tolist()
        found["nodes_falsenodeids"] += np.where(leaf, 0, tree.children_right).tolist()
        ends = np.flatnonzero(leaf)
        found["target_treeids"] += [number] * len(ends)
        found["target_nodeids"] += ends.tolist()
        found["target_ids"] += [0] * len(ends)
        found["target_weights"] += (depth[ends] + _mean_path(tree.n_node_samples[ends])).tolist()
    return {**found, "n_targets": 1, "aggregate_function": "SUM", "post_transform": "NONE"}


def _depths(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each node's distance from the root; children come after their parent."""
    depth = np.zeros(len(left))
    for node in range(len(left)):
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth


def _mean_path(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean length of an unsuccessful search in a binary tree of so many rows."""
    count = np.asarray(samples, np.float64)
    many = np.maximum(count, 3)
    mean = 2 * (np.log(many - 1) + _EULER) - 2 * (many - 1) / many
    return np.where(count > 2, mean, np.where(count == 2, 1.0, 0.0))  # noqa: PLR2004 - two rows part at once


def _not_above(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 that is not above: a float32 feature is on the same side of it."""
    nearest = threshold.astype(np.float32)
    return np.where(nearest.astype(np.float64) > threshold, np.nextafter(nearest, np.float32(-np.inf)), nearest)
