"""Exported models give CatBoost's own raw values and SHAP values; what cannot be compiled is refused with a way out."""

import hashlib
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catboost import CatBoost, CatBoostClassifier, CatBoostRegressor, Pool
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.tree_file import read_trees
from mlsd_framework.runtime.serving.trees import CompiledTrees
from mlsd_framework.runtime.training.tree_shapley import shapley_of_tree
from mlsd_framework.runtime.training.trees import export_trees

NAMES = ["x", "y", "flat", "country", "mcc"]
CATEGORIES = {"country": ["", "de", "fr", "é", "x y"], "mcc": ["1", "2", "30"]}
QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 1, "one_hot_max_size": 9, "random_seed": 0}


def table(seed: int, rows: int = 120) -> NDArray[Any]:
    """Draw rows with missing numbers, a constant and two categories, one of them of whole numbers."""
    draw = np.random.default_rng(seed)
    values = np.round(draw.normal(size=(rows, 3)), 1)
    values[draw.random((rows, 3)) < 0.1] = np.nan
    values[:, 2] = 4.0
    if seed % 2:  # a feature that misses nothing in training may miss values later
        values[:, 1] = np.nan_to_num(values[:, 1])
    drawn = values.astype(object)
    return np.column_stack([drawn, draw.choice(CATEGORIES["country"], rows).astype(object), draw.choice([1, 2, 30], rows).astype(object)])


def pool(rows: NDArray[Any], label: NDArray[Any] | None = None) -> Pool:
    """Hand rows to CatBoost."""
    return Pool(rows, label, cat_features=[3, 4], feature_names=NAMES)


def target(rows: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """Draw a label that hangs on numbers and categories."""
    noise = np.random.default_rng(seed).normal(size=len(rows))
    return np.asarray(np.nan_to_num(rows[:, 0].astype(float)) + 2.0 * (rows[:, 3] == "de") + (rows[:, 4] == 30) + 0.5 * noise)


def probes(trees_file: Path, seed: int) -> NDArray[Any]:
    """Draw rows with values on the borders, beside them, missing, infinite and beyond float32, and with unknown categories."""
    names, arrays = read_trees(trees_file)
    draw = np.random.default_rng(seed)
    rows = table(seed + 1, 60)
    for place in range(2):
        borders = arrays.borders[arrays.border_offsets[place] : arrays.border_offsets[place + 1]].astype(float)
        beside = np.concatenate([np.nextafter(borders, math.inf), np.nextafter(borders, -math.inf)])
        choices = np.concatenate([borders, beside, [math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, -0.0]])
        rows[:40, place] = draw.choice(choices, 40)
    rows[::9, 3] = "unknown"
    rows[::11, 4] = 999
    assert names.features == tuple(NAMES)
    return rows


def check(model: CatBoost, folder: Path, seed: int) -> CompiledTrees:
    """Export, and compare raw values and SHAP values with CatBoost's on probing rows."""
    model.save_model(str(folder / "model.cbm"))
    export_trees(folder / "model.cbm", folder / "trees.safetensors", categories=CATEGORIES)
    trees = CompiledTrees.load(folder / "trees.safetensors")
    rows = probes(folder / "trees.safetensors", seed)
    expected = np.asarray(model.predict(pool(rows), prediction_type="RawFormulaVal"))
    np.testing.assert_array_equal(trees.raw_batch(trees.encode(rows.tolist())), expected)
    if len(trees.outputs) == 1:
        assert [trees.raw(row) for row in rows.tolist()] == expected.tolist()
    explained = [trees.explain(row) for row in rows.tolist()]
    found = np.array([np.concatenate([one.values, np.atleast_2d(one.bias) if one.values.ndim == 2 else one.bias]) for one in explained])
    shap = np.asarray(model.get_feature_importance(pool(rows), type="ShapValues"))
    np.testing.assert_allclose(np.swapaxes(found, 1, 2) if shap.ndim == 3 else found, shap, rtol=1e-9, atol=1e-11)
    return trees


@settings(max_examples=30, deadline=None)
@given(
    depth=st.integers(1, 8),
    nan_mode=st.sampled_from(["Min", "Max"]),
    borders=st.sampled_from([1, 4, 254]),
    weighted=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_classifiers_score_and_explain_as_catboost(
    tmp_path_factory: pytest.TempPathFactory, *, depth: int, nan_mode: str, borders: int, weighted: bool, seed: int
) -> None:
    """Any small binary classifier gives CatBoost's raw values bit for bit and its SHAP values to 1e-9."""
    rows = table(seed)
    label = target(rows, seed) > 1.0
    weights = {"auto_class_weights": "Balanced"} if weighted else {}
    model = CatBoostClassifier(iterations=8, depth=depth, nan_mode=nan_mode, border_count=borders, **weights, **QUIET).fit(pool(rows, label))
    trees = check(model, tmp_path_factory.mktemp("model"), seed)
    row = rows[0].tolist()
    assert trees.score(row) == pytest.approx(model.predict_proba(pool(rows[:1]))[0, 1], rel=1e-14)
    assert trees.outputs == ("True",)


@pytest.mark.parametrize("loss", ["RMSE", "Poisson", "MultiRMSE", "MultiClass", "MultiLogloss"])
def test_other_losses_score_and_explain_as_catboost(tmp_path: Path, loss: str) -> None:
    """Regressors, several classes and several outputs give CatBoost's values too, also after the link."""
    rows = table(7)
    value = target(rows, 7)
    label = {
        "RMSE": value,
        "Poisson": np.clip(np.round(value), 0, None),
        "MultiRMSE": np.column_stack([value, value**2]),
        "MultiClass": np.digitize(value, [0.0, 1.0]),
        "MultiLogloss": np.column_stack([value > 0, value > 1]).astype(int),
    }[loss]
    model = CatBoost({"loss_function": loss, "iterations": 8, "depth": 4, **QUIET}).fit(pool(rows, label))
    trees = check(model, tmp_path, 7)
    kind = {"Poisson": "Exponent", "MultiClass": "Probability", "MultiLogloss": "Probability"}.get(loss, "RawFormulaVal")
    expected = model.predict(pool(rows), prediction_type=kind)
    np.testing.assert_allclose(trees.score_batch(trees.encode(rows.tolist())), expected, rtol=1e-12)


def test_a_model_without_splits_is_its_mean(tmp_path: Path) -> None:
    """A model that found nothing to split on scores its bias and explains nothing."""
    model = CatBoostRegressor(iterations=2, **QUIET).fit(np.arange(8.0)[:, None], np.arange(8.0))
    model.shrink(0)
    model.save_model(str(tmp_path / "m.cbm"))
    export_trees(tmp_path / "m.cbm", tmp_path / "t")
    trees = CompiledTrees.load(tmp_path / "t")
    assert trees.raw((5.0,)) == model.predict([[5.0]])[0]
    assert trees.explain((5.0,)).values.tolist() == [0.0]


def test_the_file_says_what_it_was_made_from(tmp_path: Path) -> None:
    """The header holds the fingerprint of the `.cbm`, and two exports of one model are the same file."""
    rows = table(3)
    model = CatBoostClassifier(iterations=3, **QUIET).fit(pool(rows, target(rows, 3) > 1))
    check(model, tmp_path, 3)
    export_trees(tmp_path / "model.cbm", tmp_path / "again", categories=CATEGORIES)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "trees.safetensors").read_bytes()
    names, _ = read_trees(tmp_path / "again")
    assert names.model_sha256 == hashlib.sha256((tmp_path / "model.cbm").read_bytes()).hexdigest()


def test_category_statistics_are_refused_with_a_way_out(tmp_path: Path) -> None:
    """A model with category statistics names the features and `one_hot_max_size`, and leaves no file."""
    rows = table(3)
    model = CatBoostClassifier(iterations=5, **{**QUIET, "one_hot_max_size": 2}).fit(pool(rows, target(rows, 3) > 1))
    model.save_model(str(tmp_path / "m.cbm"))
    with pytest.raises(RunError, match="E6351.*`country`") as caught:
        export_trees(tmp_path / "m.cbm", tmp_path / "t", categories=CATEGORIES)
    assert "one_hot_max_size" in str(caught.value.diagnostics[0].help)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("listed", [None, {"country": ["fr"], "mcc": ["1", "2", "30"]}])
def test_categories_that_are_not_listed_are_named(tmp_path: Path, listed: dict[str, list[str]] | None) -> None:
    """A missing or short list of categories is refused with the feature's name."""
    rows = table(3)
    model = CatBoostClassifier(iterations=8, **QUIET).fit(pool(rows, target(rows, 3) > 1))
    model.save_model(str(tmp_path / "m.cbm"))
    with pytest.raises(RunError, match="E6353.*`country`"):
        export_trees(tmp_path / "m.cbm", tmp_path / "t", categories=listed)


def test_trees_of_another_shape_are_refused(tmp_path: Path) -> None:
    """A model that is not of oblivious trees is refused with the setting to change."""
    draw = np.random.default_rng(0)
    model = CatBoostRegressor(iterations=2, grow_policy="Lossguide", **QUIET).fit(draw.normal(size=(90, 2)), draw.normal(size=90))
    model.save_model(str(tmp_path / "m.cbm"))
    with pytest.raises(RunError, match="E6352"):
        export_trees(tmp_path / "m.cbm", tmp_path / "t")


@settings(max_examples=25, deadline=None)
@given(slots=st.lists(st.integers(0, 2), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_shapley_values_are_those_of_all_orders(slots: list[int], seed: int) -> None:
    """The table equals the average over all orders in which features become known, with weights of zero among the leaves."""
    players = {slot: place for place, slot in enumerate(sorted(set(slots)))}
    levels = np.array([players[slot] for slot in slots])
    draw = np.random.default_rng(seed)
    leaves = 1 << levels.size
    weights = np.where(draw.random(leaves) < 0.2, 0.0, draw.random(leaves))
    weights[0] = 1.0
    values = np.where(weights > 0, draw.normal(size=leaves), 0.0)

    def expected(known: frozenset[int], leaf: int, level: int, node: int) -> float:
        if level < 0:
            return float(values[node])
        children = [node, node | 1 << level]
        if levels[level] in known:
            return expected(known, leaf, level - 1, children[leaf >> level & 1])
        below = [sum(weights[i] for i in range(leaves) if i >> level == child >> level) for child in children]
        total = sum(below)
        return sum(share / total * expected(known, leaf, level - 1, child) for share, child in zip(below, children, strict=True) if share > 0)

    table_found = shapley_of_tree(levels.astype(np.int64), values, weights, len(players))
    orders = list(itertools.permutations(range(len(players))))
    wanted = np.zeros_like(table_found)
    for leaf, order in itertools.product(range(leaves), orders):
        known: frozenset[int] = frozenset()
        for player in order:
            before = expected(known, leaf, levels.size - 1, 0)
            known |= {player}
            wanted[leaf, player] += (expected(known, leaf, levels.size - 1, 0) - before) / len(orders)
    np.testing.assert_allclose(table_found, wanted, rtol=1e-12, atol=1e-12)
