"""Novelty: an isolation forest fitted without labels, exported to ONNX, its scores ranked against the training part.

The ONNX graph is one node: float32 (rows, features), nulls as NaN, in, and `score` out, larger for stranger rows.
`calibration.json` holds the curve from score to novelty: the share of training rows that are less strange. Training
predicts with the exported graph, so that the service gives the same novelty to the last bit.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.serving.calibration import Isotonic
from mlsd_framework.runtime.training import calibration

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession
    from sklearn.ensemble import IsolationForest
    from sklearn.pipeline import Pipeline
    from sklearn.tree import ExtraTreeRegressor

FloatArray = NDArray[np.float64]
Features = NDArray[np.float32]
_STEPS = 1000
_SAMPLE = 2000
_TOLERANCE = 1e-4
_FLOAT32_BITS = 24


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted forest: scikit-learn's, the features' names, the medians that fill nulls, its graph, and its ranks."""

    pipeline: "Pipeline"
    features: tuple[str, ...]
    medians: tuple[float, ...]
    graph: bytes
    novelty: Isotonic

    def score(self, features: Features) -> FloatArray:
        """Return the raw score of each row, larger for stranger ones: log2 of the anomaly score from 0 to 1.

        It is -(mean path length) / (mean path length of a search in as many rows), computed by the exported graph.
        """
        return _run(_session(self.graph), features)


def fit(features: Features, names: Sequence[str], *, trees: int = 200, sample: int = 256, seed: int = 0) -> Fitted:
    """Fit to (rows, len(names)) float32 of the training part; NaN is a null, a feature of nulls only counts as 0."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - heavy
    from sklearn.impute import SimpleImputer  # noqa: PLC0415 - heavy
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - heavy

    filler = SimpleImputer(strategy="median", keep_empty_features=True)
    forest = IsolationForest(n_estimators=trees, max_samples=min(sample, len(features)), random_state=seed)
    pipeline = Pipeline([("fill", filler), ("forest", forest)]).fit(features)
    medians = filler.statistics_.astype(np.float32)
    graph = to_onnx(forest, medians).SerializeToString(deterministic=True)
    curve = _ranks(_run(_session(graph), features))
    return Fitted(pipeline, tuple(names), tuple(medians.tolist()), graph, curve)


def save(folder: Path, fitted: Fitted, sample: Features) -> tuple[str, ...]:
    """Write `model.onnx`, `calibration.json` and `medians.json` to `folder` and return their names.

    Scores some rows of `sample` with scikit-learn first and raises E6335 where the graph's scores differ.
    """
    _check_parity(fitted, sample[:_SAMPLE])
    medians = dict(zip(fitted.features, fitted.medians, strict=True))
    atomic.write_bytes(folder / "model.onnx", fitted.graph)
    atomic.write_text(folder / "medians.json", json.dumps(medians, indent=2) + "\n")
    calibration.write(folder / "calibration.json", fitted.novelty)
    return ("calibration.json", "medians.json", "model.onnx")


@dataclass(frozen=True, slots=True)
class _Trees:
    """The nodes of all trees, as `TreeEnsembleRegressor` lists them; `path` is the path length in leaves."""

    tree: NDArray[np.int64]
    node: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaf: NDArray[np.bool_]
    path: FloatArray


def to_onnx(forest: "IsolationForest", medians: Features) -> "onnx.ModelProto":
    """Return the graph `features` -> `score`, one node, the same bytes for the same forest.

    Nulls go where the feature's median goes: each question knows its answer to a null.
    """
    import onnx  # noqa: PLC0415 - heavy

    nodes = _nodes(forest)
    leaves = np.flatnonzero(nodes.leaf)
    modes = np.where(nodes.leaf, "LEAF", "BRANCH_LEQ").tolist()
    ensemble = onnx.helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["score"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        nodes_treeids=nodes.tree,
        nodes_nodeids=nodes.node,
        nodes_featureids=nodes.feature,
        nodes_values=nodes.threshold,
        nodes_modes=modes,
        nodes_truenodeids=nodes.left,
        nodes_falsenodeids=nodes.right,
        nodes_missing_value_tracks_true=((medians[nodes.feature] <= nodes.threshold) & ~nodes.leaf).astype(np.int64),
        target_treeids=nodes.tree[leaves],
        target_nodeids=nodes.node[leaves],
        target_ids=np.zeros(len(leaves), np.int64),
        target_weights=_summands(nodes, forest),
    )
    graph = onnx.helper.make_graph(
        [ensemble],
        "novelty",
        [onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, [None, len(medians)])],
        [onnx.helper.make_tensor_value_info("score", onnx.TensorProto.FLOAT, [None, 1])],
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    model: onnx.ModelProto = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="mlsd")
    onnx.checker.check_model(model)
    return model


def _nodes(forest: "IsolationForest") -> _Trees:
    """Collect the nodes of all trees, thresholds rounded down to float32: x <= t says the same for every float32 x."""
    trees = [
        _tree(tree, features) for tree, features in zip(forest.estimators_, forest.estimators_features_, strict=True)
    ]
    numbers = np.concatenate([np.full(len(tree[0]), number) for number, tree in enumerate(trees)])
    node, feature, threshold, left, right, path = (np.concatenate(column) for column in zip(*trees, strict=True))
    nearest = threshold.astype(np.float32)
    below = np.where(nearest > threshold, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    return _Trees(numbers, node, feature, below, left, right, np.isfinite(path), path)


def _tree(estimator: "ExtraTreeRegressor", features: NDArray[np.int64]) -> tuple[NDArray[np.generic], ...]:
    """Return node, feature, threshold, left and right of one tree, and the path length, infinite where it goes on."""
    tree = estimator.tree_
    depth = np.zeros(tree.node_count)
    leaf = tree.children_left < 0
    for node in np.flatnonzero(~leaf):  # a parent is numbered before its children
        depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    path = np.where(leaf, depth + _search_length(tree.n_node_samples), np.inf)
    asked = np.where(leaf, 0, features[tree.feature])
    threshold = np.where(leaf, 0.0, tree.threshold)
    left, right = (np.where(leaf, 0, child) for child in (tree.children_left, tree.children_right))
    return np.arange(tree.node_count), asked, threshold, left, right, path


def _summands(nodes: _Trees, forest: "IsolationForest") -> Features:
    """Return the leaves' shares in the score, rounded so that any sum of one leaf a tree is exact in float32.

    An exact sum has no order: one row and many, on any machine, score alike to the last bit.
    """
    length = float(_search_length(np.array([forest.max_samples_]))[0]) * len(forest.estimators_)
    shares = -nodes.path[nodes.leaf] / max(length, 1.0)
    worst = np.zeros(len(forest.estimators_))
    np.maximum.at(worst, nodes.tree[nodes.leaf], -shares)
    # One bit less than there are: rounding may lift each share by half a step.
    unit = 2.0 ** (_FLOAT32_BITS - 1 - math.ceil(math.log2(max(worst.sum(), 1e-6))))
    rounded: Features = (np.round(shares * unit) / unit).astype(np.float32)
    return rounded


def _search_length(rows: NDArray[np.int64]) -> FloatArray:
    """Return the mean length of an unsuccessful search in a binary tree of `rows`, as Liu, Ting and Zhou give it."""
    many = np.maximum(rows, 3).astype(np.float64)
    long = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, long))  # noqa: PLR2004 - one comparison parts two rows


def _session(graph: bytes) -> "InferenceSession":
    import onnxruntime  # noqa: PLC0415 - heavy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _run(session: "InferenceSession", features: Features) -> FloatArray:
    rows = np.ascontiguousarray(features, np.float32)
    score: Features = session.run(["score"], {"features": rows})[0]
    return score.reshape(len(rows)).astype(np.float64)


def _check_parity(fitted: Fitted, sample: Features) -> None:
    if not len(sample):
        return
    expected = -fitted.pipeline.score_samples(sample)
    difference = np.abs(np.exp2(fitted.score(sample)) - expected).max()
    if not difference <= _TOLERANCE:
        raise RunError.of(
            "E6335",
            f"the ONNX model differs from scikit-learn's by {difference:.2g} in {len(sample):,} rows",
            expected=f"scores within {_TOLERANCE:g}",
        )


def _ranks(scores: FloatArray) -> Isotonic:
    """Return the curve from score to the share of `scores` below it, at most `_STEPS` breakpoints."""
    ordered = np.sort(scores)
    at = np.unique(np.linspace(0, len(ordered) - 1, min(_STEPS, len(ordered))).round().astype(np.int64))
    points, first = np.unique(ordered[at], return_index=True)
    share = at[first] / max(len(ordered) - 1, 1)
    return Isotonic(tuple(points.tolist()), tuple(share.tolist()))
