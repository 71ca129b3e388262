"""Scoring and explaining rows with compiled trees: what the service runs in place of CatBoost, with its results."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.serving.tree_file import TreeArrays, TreeNames, read_trees
from mlsd_framework.runtime.serving.tree_kernels import explain_row, sum_row, sum_rows

Value = float | int | bool | str | None

UNSEEN = -1.0  # code of a category that the model does not know: it equals none
_TANH_LIMIT = 700.0  # beyond it `exp` overflows


class Explanation(NamedTuple):
    """SHAP values of one row, [features] or [features, outputs], and `bias` [outputs]; they sum to the raw value."""

    values: NDArray[np.float64]
    bias: NDArray[np.float64]


class CompiledTrees:
    """A forest of oblivious trees, ready to score; any number of threads may share it.

    A row is a sequence in the order of `features`. A number is taken as float32, as CatBoost takes it; None is a
    missing value. For a category feature a str or int is the category itself, a float the code that `codes` gives it,
    and None the category that stood for null in training; a category that the model does not know equals none. In
    arrays categories are codes.
    """

    def __init__(self, names: TreeNames, arrays: TreeArrays) -> None:
        """Take what `read_trees` has checked."""
        self.features = names.features
        self.outputs = names.outputs
        self.model_sha256 = names.model_sha256
        self._link = names.link
        self._scale = float(arrays.scale[0])
        self._bias = arrays.bias
        self._single_bias = float(arrays.bias[0])
        self._forest = (arrays.borders, arrays.border_offsets, arrays.flags, arrays.depths, arrays.splits)
        self._leaf_values = arrays.leaf_values.reshape(-1)
        self._shap = (arrays.shap_offsets, arrays.shap_features, arrays.shap_values)
        self._shap_bias = arrays.shap_bias
        self._explains = arrays.shap_features.size > 0 or not arrays.depths.any()
        self._tables = tuple(
            (place, _table(names.categories[feature], names.null_category))
            for place, feature in enumerate(names.features)
            if feature in names.categories
        )

    @classmethod
    def load(cls, path: Path) -> "CompiledTrees":
        """Read and check `trees.safetensors`; raises RunError E6451 or E6452."""
        trees = cls(*read_trees(path))
        trees._warm()
        return trees

    def _warm(self) -> None:
        """Call each kernel once: the first call of a process imports parts of numpy, which a request would wait for."""
        missing = [None] * len(self.features)
        self.score_batch(self.encode([missing]))
        if len(self.outputs) == 1:
            self.score(missing)
        if self._explains:
            self.explain(missing)

    def codes(self, feature: str) -> dict[str, float]:
        """Return the code of every category of `feature`; any other category has the code `UNSEEN`."""
        table = dict(self._tables)[self.features.index(feature)]
        return {category: code for category, code in table.items() if isinstance(category, str)}

    def raw(self, values: Sequence[Value]) -> float:
        """Return the raw value of one row by a model of one output; raises RunError E6453 on one that does not fit."""
        if len(self.outputs) != 1:
            raise RunError.of(
                "E6453",
                f"the model has {len(self.outputs)} outputs, not one",
                help="score rows of it with `score_batch`",
            )
        return sum_row(self._row(values), *self._forest, self._leaf_values) * self._scale + self._single_bias

    def score(self, values: Sequence[Value]) -> float:
        """Return the prediction for one row: its raw value through the link, so a probability for a classifier."""
        return _SCALAR_LINKS[self._link](self.raw(values))

    def probability(self, values: Sequence[Value]) -> float:
        """Return the sigmoid of the raw value, whatever the model's link."""
        return _sigmoid(self.raw(values))

    def raw_batch(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return raw values [rows], or [rows, outputs], of [rows, features] with NaN for missing and codes."""
        totals = self._totals(rows)
        return totals[:, 0] if len(self.outputs) == 1 else totals

    def score_batch(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions [rows], or [rows, outputs]: raw values through the model's link."""
        scores = _link_arrays(self._link, self._totals(rows))
        return scores[:, 0] if len(self.outputs) == 1 else scores

    def encode(self, rows: Sequence[Sequence[Value]]) -> NDArray[np.float64]:
        """Return rows as the array that the batch methods take."""
        encoded = np.empty((len(rows), len(self.features)))
        for place, row in enumerate(rows):
            encoded[place] = self._row(row)
        return encoded

    def table(self, columns: Sequence["NDArray[Any] | Value"], rows: int) -> NDArray[np.float64]:
        """Return columns in the order of `features` as the array that the batch methods take: [rows, features].

        A column is an array [rows] of numbers with NaN for missing, or of objects for categories, or one value for all.
        """
        encoded = np.empty((rows, len(self.features)))
        if len(columns) != len(self.features):
            raise RunError.of(
                "E6453",
                f"a table has {len(columns)} columns",
                expected=f"{len(self.features)}: {', '.join(self.features)}",
            )
        tables = dict(self._tables)
        for place, column in enumerate(columns):
            if place not in tables:
                encoded[:, place] = np.nan if column is None else column
            elif isinstance(column, np.ndarray):
                codes = tables[place]
                encoded[:, place] = [codes.get(category, UNSEEN) for category in column.tolist()]
            else:
                encoded[:, place] = tables[place].get(column, UNSEEN)
        return encoded

    def explain(self, values: Sequence[Value]) -> Explanation:
        """Return the exact SHAP values of one row, as CatBoost has them; raises RunError E6454 without."""
        if not self._explains:
            raise RunError.of(
                "E6454",
                "the compiled trees hold no SHAP values",
                help="export them with `shap=True` and a depth of at most 10",
            )
        contributions = np.zeros((len(self.features), len(self.outputs)))
        explain_row(self._row(values), *self._forest, *self._shap, contributions)
        return Explanation(contributions[:, 0] if len(self.outputs) == 1 else contributions, self._shap_bias)

    def _totals(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        # Kernels take writable arrays only: a read-only one, such as polars gives, is copied.
        block = np.require(rows, np.float64, ["C", "W"])
        if block.ndim != 2 or block.shape[1] != len(self.features):  # noqa: PLR2004 - rows and features
            raise RunError.of(
                "E6453", f"the rows have the shape {block.shape}", expected=f"(rows, {len(self.features)})"
            )
        totals = np.zeros((block.shape[0], len(self.outputs)))
        sum_rows(block, *self._forest, self._leaf_values, totals)
        totals *= self._scale
        totals += self._bias
        return totals

    def _row(self, values: Sequence[Value]) -> NDArray[np.float64]:
        if self._tables:
            values = list(values)
            if len(values) == len(self.features):
                for place, table in self._tables:
                    category = values[place]
                    # 1.0 would find the category 1: floats are codes, and do not look.
                    if not isinstance(category, float):
                        values[place] = table.get(category, UNSEEN)
        try:
            row = np.array(values, dtype=np.float64)
        except (ValueError, TypeError, OverflowError) as error:
            raise RunError.of("E6453", f"a row has a value that is no number: {error}") from error
        if row.shape != (len(self.features),):
            raise RunError.of(
                "E6453",
                f"a row has the shape {row.shape}",
                expected=f"{len(self.features)} values: {', '.join(self.features)}",
            )
        return row


def _table(categories: Sequence[str], null_category: str) -> dict[Value, float]:
    table: dict[Value, float] = {category: float(code) for code, category in enumerate(categories)}
    for code, category in enumerate(categories):
        # CatBoost reads an integer category as its decimal text.
        if category.removeprefix("-").isdecimal() and str(int(category)) == category:
            table[int(category)] = float(code)
    table[None] = table.get(null_category, UNSEEN)
    return table


def _sigmoid(raw: float) -> float:
    return 1.0 / (1.0 + math.exp(-raw)) if raw > -_TANH_LIMIT else 0.0


_SCALAR_LINKS: dict[str, Callable[[float], float]] = {
    "identity": float,
    "sigmoid": _sigmoid,
    "softmax": _sigmoid,
    "exp": math.exp,
}


def _link_arrays(link: str, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    if link == "identity":
        return raw
    if link == "exp":
        return np.exp(raw)
    if link == "sigmoid":
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-raw))
    shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
