"""Exporting a trained CatBoost model as arrays (`trees.safetensors`) that the service scores without CatBoost."""

import hashlib
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.tree_file import MAX_DEPTH, TreeArrays, TreeNames, write_trees
from mlsd_framework.runtime.training.tree_shapley import MAX_SHAP_DEPTH, shap_tables

if TYPE_CHECKING:
    from catboost import CatBoost, Pool

Categories = Mapping[str, Sequence[str]]

_LINKS: Final = {
    "Logloss": "sigmoid",
    "CrossEntropy": "sigmoid",
    "MultiClassOneVsAll": "sigmoid",
    "MultiLogloss": "sigmoid",
    "MultiCrossEntropy": "sigmoid",
    "MultiClass": "softmax",
    "Poisson": "exp",
    "Tweedie": "exp",
    "LogLinQuantile": "exp",
}
_CATEGORY, _NAN_ABOVE = 1, 2
_PROBES = 64
_MISSING = 0.1  # share of missing values in the probing rows
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class _Split:
    """One question of a tree: a float32 border, or the hash of a category."""

    feature: int
    answer: float | int


@dataclass(frozen=True, slots=True)
class _Structure:
    """CatBoost's own description of a model, typed; features are counted over all kinds."""

    trees: tuple[tuple[_Split, ...], ...]
    category_features: tuple[int, ...]
    nan_above: tuple[int, ...]
    outputs: tuple[str, ...]
    link: str
    scale: float
    bias: tuple[float, ...]
    leaf_values: NDArray[np.float64]  # [leaves of all trees, outputs]
    leaf_weights: NDArray[np.float64]  # [leaves of all trees], or empty


def export_trees(
    cbm: Path, target: Path, *, categories: Categories | None = None, null_category: str = "", shap: bool = True
) -> None:
    """Write the model in the file `cbm` as `target`, and check that both score alike.

    `categories` lists, for each category feature that the trees ask about, every category seen in training;
    `null_category` is the text that stood for null. With `shap`, SHAP values of all leaves are included (trees deeper
    than 10 are left without).

    Raises:
        RunError: E6351 where the model uses category statistics (a caller may then serve CatBoost itself), E6352 where
        it is no forest of
            oblivious trees on numbers and categories, E6353 where a category list is missing or incomplete, E6354
            where the scores differ.
    """
    from catboost import CatBoost  # noqa: PLC0415 - heavy, and only needed here

    model = CatBoost()
    model.load_model(str(cbm))
    structure = _structure(model)
    features = tuple(str(name) for name in model.feature_names_)
    asked = {split.feature for tree in structure.trees for split in tree} & set(structure.category_features)
    listed = {
        features[place]: tuple(dict.fromkeys((categories or {}).get(features[place], ()))) for place in sorted(asked)
    }
    codes = _codes_of_hashes(model, structure, features, listed)
    arrays = _arrays(structure, len(features), codes, shap=shap)
    names = TreeNames(
        features=features,
        outputs=structure.outputs,
        link=structure.link,
        categories={features[place]: listed.get(features[place], ()) for place in structure.category_features},
        null_category=null_category,
        model_sha256=hashlib.sha256(cbm.read_bytes()).hexdigest(),
    )
    _compare(model, names, arrays)
    write_trees(target, names, arrays)


def _structure(model: "CatBoost") -> _Structure:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    info = described["features_info"]
    numeric = {feature["feature_index"]: feature["flat_feature_index"] for feature in info.get("float_features", ())}
    category = {
        feature["feature_index"]: feature["flat_feature_index"] for feature in info.get("categorical_features", ())
    }
    _refuse_what_cannot_be_compiled(
        described, {place: str(model.feature_names_[flat]) for place, flat in category.items()}
    )
    trees = described["oblivious_trees"]
    scale, bias = described["scale_and_bias"]
    outputs = _outputs(described, len(bias))
    return _Structure(
        trees=tuple(tuple(_split(split, numeric, category) for split in tree["splits"] or ()) for tree in trees),
        category_features=tuple(sorted(category.values())),
        nan_above=tuple(
            f["flat_feature_index"] for f in info.get("float_features", ()) if f["nan_value_treatment"] == "AsTrue"
        ),
        outputs=outputs,
        link=_LINKS.get(_loss(described), "identity"),
        scale=float(scale),
        bias=tuple(map(float, bias)),
        # From the text and not `get_leaf_weights`, which refuses models of several outputs; doubles are written with
        # all their digits.
        leaf_values=_joined(trees, "leaf_values").reshape(-1, len(outputs)),
        leaf_weights=_joined(trees, "leaf_weights"),
    )


def _refuse_what_cannot_be_compiled(described: dict[str, Any], categories: Mapping[int, str]) -> None:
    info = described["features_info"]
    if (
        "trees" in described
        or "oblivious_trees" not in described
        or info.get("text_features")
        or info.get("embedding_features")
    ):
        raise RunError.of(
            "E6352",
            "the model is no forest of oblivious trees on numbers and categories",
            help="leave `grow_policy` at `SymmetricTree`, and leave text and embedding features out",
        )
    if not described["oblivious_trees"]:
        raise RunError.of(
            "E6352",
            "the model has no trees",
            help="train at least one iteration; CatBoost cannot score this model either",
        )
    if info.get("ctrs"):
        parts = {
            part["cat_feature_index"] for ctr in info["ctrs"] for part in ctr["elements"] if "cat_feature_index" in part
        }
        used = ", ".join(f"`{categories[place]}`" for place in sorted(parts))
        raise RunError.of(
            "E6351",
            f"the model uses statistics of categories, which cannot be compiled: {used}",
            help="set `one_hot_max_size` to at least their number of categories, group rare ones, or serve CatBoost",
        )


def _joined(trees: list[dict[str, Any]], key: str) -> NDArray[np.float64]:
    return np.concatenate([np.empty(0), *(np.array(tree.get(key) or (), np.float64) for tree in trees)])


def _split(split: dict[str, Any], numeric: dict[int, int], category: dict[int, int]) -> _Split:
    if split["split_type"] == "FloatFeature":
        return _Split(numeric[split["float_feature_index"]], float(np.float32(split["border"])))
    if split["split_type"] == "OneHotFeature":
        return _Split(category[split["cat_feature_index"]], int(split["value"]))
    raise RunError.of(
        "E6352",
        f"the model has a split of the kind `{split['split_type']}`",
        expected="splits on numbers and single categories",
    )


def _loss(described: dict[str, Any]) -> str:
    return str(described["model_info"].get("params", {}).get("loss_function", {}).get("type", ""))


def _outputs(described: dict[str, Any], count: int) -> tuple[str, ...]:
    classes = described["model_info"].get("class_params", {}).get("class_names") or ()
    if count == 1:
        return (str(classes[-1]) if classes else "prediction",)
    return tuple(str(classes[place]) if len(classes) == count else f"output_{place}" for place in range(count))


def _codes_of_hashes(
    model: "CatBoost", structure: _Structure, features: Sequence[str], listed: Categories
) -> dict[_Split, int]:
    """Return the code of the category that each one-hot split asks about.

    The model knows categories by hash only. Each listed category is sent through the model, and the leaves it falls
    into tell which splits it answers.
    """
    wanted = {split for tree in structure.trees for split in tree if split.feature in structure.category_features}
    if not wanted:
        return {}
    rows = max(1, *(len(values) for values in listed.values()))
    leaves = model.calc_leaf_indexes(_pool(structure, features, rows, listed))
    codes: dict[_Split, int] = {}
    for tree, splits in enumerate(structure.trees):
        for level, split in enumerate(splits):
            if split in wanted:
                yes = np.flatnonzero(leaves[: len(listed[features[split.feature]]), tree] >> level & 1)
                codes.update({split: int(yes[0])} if yes.size else {})
    missing = sorted({features[split.feature] for split in wanted - set(codes)})
    if missing:
        raise RunError.of(
            "E6353",
            f"the trees ask about categories that are not listed: {', '.join(f'`{name}`' for name in missing)}",
            expected="every category seen in training",
            help="pass the categories of the training part to `export_trees`",
        )
    return codes


def _pool(structure: _Structure, features: Sequence[str], rows: int, listed: Categories) -> "Pool":
    from catboost import Pool  # noqa: PLC0415 - heavy

    table = np.zeros((rows, len(features)), object)
    for place in structure.category_features:
        values = [*listed.get(features[place], ()), ""]
        table[:, place] = [values[row % len(values)] for row in range(rows)]
    return Pool(table, cat_features=list(structure.category_features), feature_names=list(features))


def _arrays(structure: _Structure, features: int, codes: dict[_Split, int], *, shap: bool) -> TreeArrays:
    borders = {split: float(codes.get(split, split.answer)) for tree in structure.trees for split in tree}
    ordered = sorted(borders, key=lambda split: (split.feature, borders[split]))
    place = {split: index for index, split in enumerate(ordered)}
    flags = np.zeros(features, np.uint8)
    flags[list(structure.category_features)] = _CATEGORY
    flags[list(structure.nan_above)] = _NAN_ABOVE
    depths = np.array([len(tree) for tree in structure.trees], np.uint8)
    if depths.size and depths.max() > MAX_DEPTH:
        raise RunError.of("E6352", f"a tree is {depths.max()} levels deep", expected=f"at most {MAX_DEPTH}")
    leaf_values, leaf_weights = structure.leaf_values, structure.leaf_weights
    trees = [np.array([split.feature for split in tree], np.int64) for tree in structure.trees]
    explained = (
        shap and leaf_weights.size == len(leaf_values) and (not depths.size or int(depths.max()) <= MAX_SHAP_DEPTH)
    )
    nothing = np.zeros(depths.size + 1, np.int32), np.empty(0, np.int32), np.empty(0)
    offsets, shap_features, shap_values = (
        shap_tables(trees, leaf_values, leaf_weights, structure.scale) if explained else nothing
    )
    if leaf_weights.size != len(leaf_values):
        leaf_weights = np.zeros(len(leaf_values))
    return TreeArrays(
        borders=np.array([borders[split] for split in ordered], np.float32),
        border_offsets=np.searchsorted([split.feature for split in ordered], np.arange(features + 1)).astype(np.int32),
        flags=flags,
        depths=depths,
        splits=np.array([place[split] for tree in structure.trees for split in tree], np.uint32),
        leaf_values=leaf_values,
        leaf_weights=leaf_weights,
        scale=np.array([structure.scale]),
        bias=np.array(structure.bias),
        shap_offsets=offsets,
        shap_features=shap_features,
        shap_values=shap_values,
        shap_bias=_mean_raw(structure, leaf_values, leaf_weights),
    )


def _mean_raw(
    structure: _Structure, leaf_values: NDArray[np.float64], leaf_weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean raw value of each output over the training rows.

    Sums are exactly rounded: those of a matrix product differ in the last bit with where the arrays lie in memory.
    """
    means: list[list[float]] = [[] for _ in structure.outputs]
    first = 0
    for tree in structure.trees:
        part = slice(first, first + (1 << len(tree)))
        total = math.fsum(leaf_weights[part])
        if total > 0.0:
            for output, values in enumerate(leaf_values[part].T):
                means[output].append(math.fsum(leaf_weights[part] * values) / total)
        first = part.stop
    return np.asarray(np.array([math.fsum(mean) for mean in means]) * structure.scale + np.array(structure.bias))


def _compare(model: "CatBoost", names: TreeNames, arrays: TreeArrays) -> None:
    """Score probing rows, with values on the borders and missing ones, with CatBoost and with the arrays."""
    from catboost import Pool  # noqa: PLC0415 - heavy

    from mlsd_framework.runtime.serving.trees import CompiledTrees  # noqa: PLC0415 - compiles kernels

    draw = np.random.default_rng(0)
    rows = draw.normal(size=(_PROBES, len(names.features)))
    for feature in range(len(names.features)):
        borders = arrays.borders[arrays.border_offsets[feature] : arrays.border_offsets[feature + 1]].astype(np.float64)
        if borders.size and arrays.flags[feature] != _CATEGORY:
            rows[::2, feature] = draw.choice(borders, rows[::2].shape[0])
            # Above the largest float32 comes infinity.
            with np.errstate(over="ignore"):
                rows[1::4, feature] = np.nextafter(
                    draw.choice(borders, rows[1::4].shape[0]).astype(np.float32), np.float32(np.inf)
                )
    rows[draw.random(rows.shape) < _MISSING] = np.nan
    table = rows.astype(object)
    for place, name in enumerate(names.features):
        if name in names.categories:
            table[:, place] = draw.choice([*names.categories[name], "\x00unseen"], _PROBES)
    pool = Pool(
        table,
        cat_features=[names.features.index(feature) for feature in names.categories],
        feature_names=list(names.features),
    )
    expected = np.asarray(model.predict(pool, prediction_type="RawFormulaVal")).reshape(_PROBES, -1)
    compiled = CompiledTrees(names, arrays)
    found = compiled.raw_batch(compiled.encode(table.tolist())).reshape(_PROBES, -1)
    if not np.allclose(found, expected, rtol=_CLOSE, atol=_CLOSE):
        raise RunError.of(
            "E6354",
            f"the compiled trees and CatBoost differ by up to {np.abs(found - expected).max():.3g}",
            help="serve the model with CatBoost itself, and report this with the versions of both packages",
        )
