"""Compiled trees: the same scores as plain Python over the arrays, and no bad file or row that reaches a kernel."""

import dataclasses
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import caching
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.compiled import compiled, compiled_when_called
from mlsd_framework.runtime.serving.tree_file import TreeArrays, TreeNames, read_trees, write_trees
from mlsd_framework.runtime.serving.trees import UNSEEN, CompiledTrees


def forest(seed: int, depths: list[int], outputs: int = 1) -> tuple[TreeNames, TreeArrays]:
    """Draw a forest on two numbers (the second with missing values above) and a category of three."""
    draw = np.random.default_rng(seed)
    leaves = sum(1 << depth for depth in depths)
    names = TreeNames(
        ("amount", "age", "country"),
        tuple(f"o{i}" for i in range(outputs)),
        "sigmoid",
        {"country": ("DE", "FR", "7")},
        "DE",
        "0" * 64,
    )
    arrays = TreeArrays(
        borders=np.array([-1.5, 0.1, 2.0, 0.1, 3.4028235e38, 0.0, 2.0], np.float32),
        border_offsets=np.array([0, 3, 5, 7], np.int32),
        flags=np.array([0, 2, 1], np.uint8),
        depths=np.array(depths, np.uint8),
        splits=draw.integers(0, 7, sum(depths)).astype(np.uint32),
        leaf_values=draw.normal(size=(leaves, outputs)),
        leaf_weights=np.ones(leaves),
        scale=np.array([0.5]),
        bias=draw.normal(size=outputs),
        shap_offsets=np.zeros(len(depths) + 1, np.int32),
        shap_features=np.empty(0, np.int32),
        shap_values=np.empty(0),
        shap_bias=np.zeros(outputs),
    )
    return names, arrays


def plain(arrays: TreeArrays, row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score one encoded row as the format's description says, slowly."""
    feature_of = np.searchsorted(arrays.border_offsets, np.arange(arrays.borders.size), side="right") - 1
    total, split, first = np.zeros(arrays.bias.size), 0, 0
    for depth in arrays.depths.tolist():
        leaf = 0
        for level in range(depth):
            place = int(arrays.splits[split + level])
            with np.errstate(over="ignore"):
                value = np.float32(row[feature_of[place]])
            flag = arrays.flags[feature_of[place]]
            if flag == 1:
                yes = value == arrays.borders[place]
            else:
                yes = math.isnan(value) if flag == 2 and math.isnan(value) else value > arrays.borders[place]
            leaf |= int(yes) << level
        total += arrays.leaf_values[first + leaf]
        split, first = split + depth, first + (1 << depth)
    return np.asarray(total * arrays.scale[0] + arrays.bias)


numbers = st.one_of(
    st.sampled_from([-1.5, 0.1, float(np.float32(0.1)), 2.0, math.inf, -math.inf, math.nan, 1e300, -1e300, 0.0, -0.0]),
    st.floats(width=64),
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    depths=st.lists(st.integers(0, 12), max_size=5),
    outputs=st.integers(1, 3),
    drawn=st.lists(st.tuples(numbers, numbers, st.sampled_from([0.0, 1.0, 2.0, UNSEEN])), min_size=1, max_size=5),
    repeat=st.sampled_from([1, 40, 150]),
)
def test_scores_are_those_of_plain_python(
    seed: int, depths: list[int], outputs: int, drawn: list[tuple[float, float, float]], repeat: int
) -> None:
    """One row and any number of rows score bit for bit as a loop in Python does, whatever the depths and values."""
    names, arrays = forest(seed, depths, outputs)
    rows = np.array(drawn * repeat)
    trees = CompiledTrees(names, arrays)
    expected = np.array([plain(arrays, row) for row in rows[: len(drawn)]])
    found = trees.raw_batch(rows).reshape(len(rows), outputs)
    np.testing.assert_array_equal(found, np.tile(expected, (repeat, 1)))
    if outputs == 1:
        assert [trees.raw(row) for row in drawn] == expected[:, 0].tolist()


def test_categories_are_taken_as_text_whole_number_or_code() -> None:
    """A str or int is a category, a float a code, None the category of null; an unknown category equals none."""
    trees = CompiledTrees(*forest(1, [6, 5]))
    assert trees.encode([[1, True, "FR"], [1, None, 1.0]])[:, 2].tolist() == [1.0, 1.0]
    assert trees.encode([[0, 0, value] for value in ("DE", None, "7", 7, "XX", 8, 5.0)])[:, 2].tolist() == [
        0,
        0,
        2,
        2,
        UNSEEN,
        UNSEEN,
        5,
    ]
    assert trees.codes("country") == {"DE": 0.0, "FR": 1.0, "7": 2.0}


def test_score_is_the_probability_of_a_classifier() -> None:
    """The sigmoid link is applied to one row and to many alike, and never overflows."""
    names, arrays = forest(3, [4])
    trees = CompiledTrees(names, arrays)
    row = (0.5, None, "FR")
    assert trees.score(row) == trees.probability(row) == pytest.approx(1 / (1 + math.exp(-trees.raw(row))), rel=1e-15)
    assert trees.score_batch(trees.encode([row]))[0] == pytest.approx(trees.score(row), rel=1e-15)
    steep = CompiledTrees(names, dataclasses.replace(arrays, bias=np.array([-1e6])))
    assert steep.score(row) == 0.0 == steep.score_batch(steep.encode([row]))[0]


@pytest.mark.parametrize("link", ["identity", "exp", "softmax"])
def test_links_of_other_models(link: str) -> None:
    """Regressors give the raw value or its exponential, several classes their softmax."""
    names, arrays = forest(3, [4], outputs=3)
    trees = CompiledTrees(dataclasses.replace(names, link=link), arrays)
    rows = trees.encode([(0.5, None, "FR"), (None, 2, None)])
    raw = trees.raw_batch(rows)
    expected = {"identity": raw, "exp": np.exp(raw), "softmax": np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)}[
        link
    ]
    np.testing.assert_allclose(trees.score_batch(rows), expected, rtol=1e-14)
    with pytest.raises(RunError, match="E6453"):
        trees.score((0.5, None, "FR"))


def test_read_only_and_transposed_rows_are_scored() -> None:
    """Arrays as polars and CatBoost hand them out, read-only or by column, score like any."""
    trees = CompiledTrees(*forest(1, [6, 5]))
    rows = np.random.default_rng(0).normal(size=(7, 3))
    frozen = rows.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(trees.raw_batch(frozen), trees.raw_batch(rows))
    np.testing.assert_array_equal(trees.raw_batch(np.asfortranarray(rows)), trees.raw_batch(rows))


@pytest.mark.parametrize(
    "row", [(), (1.0,), (1.0, 2.0, "DE", 4.0), ("many", 1.0, "DE"), (1.0, [2.0], "DE"), (10**400, 1.0, "DE")]
)
def test_a_row_that_does_not_fit_is_refused(row: Any) -> None:
    """A row of another length or with something that is no number never reaches a kernel."""
    trees = CompiledTrees(*forest(1, [3]))
    with pytest.raises(RunError, match="E6453"):
        trees.score(row)


def test_rows_of_another_width_are_refused() -> None:
    """An array with too few columns never reaches a kernel."""
    with pytest.raises(RunError, match="E6453"):
        CompiledTrees(*forest(1, [3])).score_batch(np.zeros((4, 2)))


def test_a_model_without_explanations_says_so() -> None:
    """A file without SHAP values scores, and refuses to explain."""
    with pytest.raises(RunError, match="E6454"):
        CompiledTrees(*forest(1, [3])).explain((1.0, 2.0, "DE"))


def test_a_file_comes_back_as_it_was_and_with_the_same_bytes(tmp_path: Path) -> None:
    """Writing and reading change nothing, and the same forest makes the same file."""
    names, arrays = forest(5, [3, 0, 6], outputs=2)
    write_trees(tmp_path / "a", names, arrays)
    write_trees(tmp_path / "b", names, arrays)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    read_names, read_arrays = read_trees(tmp_path / "a")
    assert read_names == names
    for field in dataclasses.fields(TreeArrays):
        np.testing.assert_array_equal(getattr(read_arrays, field.name), getattr(arrays, field.name))
    assert CompiledTrees.load(tmp_path / "a").features == names.features


@settings(max_examples=60, deadline=None)
@given(
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
    seed=st.integers(0, 50),
)
def test_a_damaged_file_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, cut: float, flips: list[tuple[float, int]], seed: int
) -> None:
    """A cut file is refused; one with flipped bytes is refused, or scores within its arrays."""
    path = tmp_path_factory.mktemp("damaged") / "trees.safetensors"
    write_trees(path, *forest(seed, [3, 5]))
    content = bytearray(path.read_bytes())
    for place, mask in flips:
        content[int(place * len(content))] ^= mask
    path.write_bytes(content[: int(cut * len(content))] if not flips else content)
    if not flips and cut < 1:
        with pytest.raises(RunError, match=r"E645[12]"):
            CompiledTrees.load(path)
        return
    try:
        trees = CompiledTrees.load(path)
    except RunError as error:
        assert error.diagnostics[0].code in {"E6451", "E6452"}  # noqa: PT017 - either outcome is right
    else:
        trees.score_batch(np.zeros((3, len(trees.features))))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("splits", np.full(8, 7, np.uint32)),
        ("splits", np.zeros(7, np.uint32)),
        ("border_offsets", np.array([0, 9, 5, 7], np.int32)),
        ("border_offsets", np.array([-1, 3, 5, 7], np.int32)),
        ("border_offsets", np.array([0, 3, 5, 8], np.int32)),
        ("flags", np.array([0, 3, 1], np.uint8)),
        ("flags", np.array([0, 2, 0], np.uint8)),
        ("depths", np.array([3, 200], np.uint8)),
        ("depths", np.array([3, 6], np.uint8)),
        ("leaf_values", np.zeros((40, 2))),
        ("leaf_values", np.zeros(40)),
        ("leaf_values", np.full((40, 1), np.nan)),
        ("leaf_weights", np.zeros(39)),
        ("bias", np.zeros(2)),
        ("shap_offsets", np.array([0, 1, 1], np.int32)),
        ("shap_values", np.zeros(3)),
        ("shap_bias", np.zeros(0)),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(tmp_path: Path, name: str, value: NDArray[Any]) -> None:
    """Whatever would make a kernel read outside an array is found on loading."""
    names, arrays = forest(2, [3, 5])
    write_trees(tmp_path / "t", names, dataclasses.replace(arrays, **{name: value}))
    with pytest.raises(RunError, match="E6452"):
        CompiledTrees.load(tmp_path / "t")


def test_explanations_that_point_outside_are_refused(tmp_path: Path) -> None:
    """A SHAP table of a feature that is not there is found on loading."""
    names, arrays = forest(2, [1])
    shap = {"shap_offsets": np.array([0, 1], np.int32), "shap_values": np.zeros(2)}
    write_trees(tmp_path / "t", names, dataclasses.replace(arrays, shap_features=np.array([3], np.int32), **shap))
    with pytest.raises(RunError, match="E6452"):
        CompiledTrees.load(tmp_path / "t")


def test_a_file_of_wrong_types_or_none_is_refused(tmp_path: Path) -> None:
    """Another dtype, an unknown format, a missing and an empty file each give E6451."""
    names, arrays = forest(2, [1])
    write_trees(tmp_path / "t", names, dataclasses.replace(arrays, scale=np.ones(1, np.float32)))
    (tmp_path / "empty").touch()
    for path in (tmp_path / "t", tmp_path / "empty", tmp_path / "nothing"):
        with pytest.raises(RunError, match="E6451"):
            CompiledTrees.load(path)


@pytest.mark.process
def test_the_service_scores_without_the_training_packages(tmp_path: Path) -> None:
    """Loading and scoring in a new process imports neither CatBoost nor anything else of training."""
    write_trees(tmp_path / "t", *forest(2, [4]))
    program = (
        "import sys; from pathlib import Path; from mlsd_framework.runtime.serving.trees import CompiledTrees\n"
        f"print(CompiledTrees.load(Path({str(tmp_path / 't')!r})).score((1.0, None, 'DE')))\n"
        "print([m for m in ('catboost', 'polars', 'pandas', 'sklearn', 'feast', 'scipy.linalg') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
    ).stdout.split("\n")
    assert float(answer[0]) == CompiledTrees(*forest(2, [4])).score((1.0, None, "DE"))
    assert answer[1] == "[]"


def test_kernels_compile_where_no_cache_can_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With nowhere to keep compiled code, a kernel is compiled in memory and the log says what to set."""
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])

    def twice(value: int) -> int:
        return value * 2

    for decorate in (compiled("int64(int64)"), compiled_when_called):
        caplog.clear()
        assert decorate(twice)(4) == 8
        assert "NUMBA_CACHE_DIR" in caplog.text


COUNTRIES = st.sampled_from(["DE", "FR", "7", "none", None])


@given(
    st.lists(st.tuples(numbers, numbers, COUNTRIES), max_size=6),
    st.one_of(st.none(), numbers, st.integers(-3, 3), st.booleans()),
)
@settings(max_examples=60, deadline=None)
def test_a_table_is_its_rows_encoded(rows: list[tuple[float, float, str | None]], shared: float | None) -> None:
    """Columns give what the rows give one by one; one value stands for a whole column, of categories too."""
    trees = CompiledTrees(*forest(3, [2, 1]))
    ages = np.array([age for _, age, _ in rows], np.float64)
    countries = np.empty(len(rows), object)
    countries[:] = [country for _, _, country in rows]
    amounts = np.array([amount for amount, _, _ in rows], np.float64)
    np.testing.assert_array_equal(trees.table((amounts, ages, countries), len(rows)), trees.encode(rows))
    mixed = trees.table((shared, ages, "FR"), len(rows))
    np.testing.assert_array_equal(mixed, trees.encode([(shared, age, "FR") for _, age, _ in rows]))
    absent = trees.table((None, None, None), len(rows))
    np.testing.assert_array_equal(absent, trees.encode([(None, None, None)] * len(rows)))


def test_a_column_of_whole_numbers_is_looked_up_as_rows_are() -> None:
    """A category that is an integer is its decimal text, as one value and in a column."""
    trees = CompiledTrees(*forest(3, [2, 1]))
    column = np.array([7, 8, None], object)
    assert trees.table((1.0, 1.0, column), 3)[:, 2].tolist() == [2.0, UNSEEN, 0.0]
    assert trees.table((1.0, 1.0, 7), 2)[:, 2].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("columns", [(), (1.0, 1.0), (1.0, 1.0, "DE", 1.0)])
def test_a_table_of_other_columns_is_refused(columns: tuple[Any, ...]) -> None:
    """E6453 says which features the model has."""
    with pytest.raises(RunError, match=r"E6453.*columns"):
        CompiledTrees(*forest(3, [2, 1])).table(columns, 2)
