"""A linear ranker: a softmax over the candidates of a request of what weights make of their columns.

What is learned is that of ListNet (Cao et al. 2007) with the positives of a request sharing its mass. It is convex, so
that Newton's method finds the one optimum, and the same data gives the same weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics import accuracy
from mlsd_framework.runtime.ranking_metrics.relevance import Judged, Relevant
from mlsd_framework.runtime.retrieval.candidates import Offsets, offsets_of
from mlsd_framework.runtime.tensor_file import TensorFileError, read_tensors, write_tensors

_FORMAT: Final = "mlsd linear ranker 1"
_ARRAYS: Final = ("means", "deviations", "by", "weights")
# At a time: a whole table is held once, in single precision.
_REQUESTS: Final = 256
_ROWS: Final = 32_768
_STEPS: Final = 60
_STILL: Final = 1e-7
"""A step that changes no weight by more ends the search."""
_EXACT: Final = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearRanker:
    """`weights` [1 + B, F]: those of the columns, then for each of the columns `by` how they change with it.

    Columns are standardised by `means` and `deviations` [F], those `by` on a logarithmic scale; a missing value counts
    as the mean.
    """

    means: Floats
    deviations: Floats
    by: NDArray[np.int64]
    weights: Floats

    @classmethod
    def fit(
        cls,
        table: NDArray[np.floating],
        offsets: Offsets,
        label: NDArray[np.bool_],
        *,
        l2: float,
        by: Sequence[int] = (),
    ) -> "LinearRanker":
        """Learn from requests, of which `i` has the rows `offsets[i]:offsets[i + 1]` of the table [rows, F].

        `l2` is the regularisation of weights; a request without a positive, or with nothing else, teaches nothing.
        """
        scaled = _scaled(table, np.asarray(by, np.int64))
        means, deviations = _moments(scaled)
        blank = cls(means, deviations, np.asarray(by, np.int64), np.zeros((1 + len(by), table.shape[1])))
        lengths = np.diff(offsets)
        positives = np.bincount(np.repeat(np.arange(len(lengths)), lengths), label, len(lengths))
        teaching = np.flatnonzero((positives > 0) & (positives < lengths))
        taught = np.isin(np.repeat(np.arange(len(lengths)), lengths), teaching)
        begins = offsets_of(lengths[teaching])
        weights = _newton(blank.design(table[taught]), begins, label[taught], l2)
        return cls(means, deviations, blank.by, weights.reshape(blank.weights.shape))

    def score(self, columns: Sequence[Any], rows: int) -> Floats:
        """Return the scores [rows] of columns in the order of the features.

        A column is an array [rows] of numbers, or one value for all rows; NaN and None are missing values.
        """
        if len(columns) != len(self.means):
            raise RunError.of("E6453", f"a table has {len(columns)} columns", expected=f"{len(self.means)} of them")
        table = np.empty((rows, len(columns)))
        for place, column in enumerate(columns):
            table[:, place] = np.nan if column is None else np.asarray(column, np.float64)
        return self.scores(table)

    def scores(self, table: NDArray[np.floating]) -> Floats:
        """Return the scores of rows: [rows, F] to [rows]."""
        plain, changes = self._standardised(table)
        found = np.zeros(len(plain))
        for change, weights in zip(changes.T, self.weights, strict=True):
            # Not a product of matrices, whose last bits depend on how many rows there are.
            found += change * (plain * weights).sum(axis=1)
        return found

    def save(self, path: Path) -> None:
        """Write it to one safetensors file; the same content gives the same bytes."""
        write_tensors(path, {"format": _FORMAT}, {name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, path: Path) -> "LinearRanker":
        """Read what `save` wrote; raises RunError E6455 where it is missing, damaged, or contradicts itself."""
        try:
            _, arrays = read_tensors(path, _ARRAYS, _FORMAT)
            made = cls(**{name: arrays[name] for name in _ARRAYS})
        except (TensorFileError, OSError, KeyError) as fault:
            raise _damaged(path, str(fault)) from fault
        if made.weights.shape != (1 + len(made.by), len(made.means)) or not np.isfinite(made.weights).all():
            raise _damaged(path, f"its weights have the shape {made.weights.shape}, or are not finite")
        return made

    def _standardised(self, table: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Return the columns, [rows, F], and by what each row of weights counts, [rows, 1 + B]."""
        plain = np.nan_to_num((_scaled(table, self.by) - self.means) / self.deviations, nan=0.0, posinf=0.0, neginf=0.0)
        return plain, np.column_stack([np.ones(len(plain)), plain[:, self.by]])

    def design(self, table: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return what the weights are multiplied with: [rows, F] to [rows, (1 + B) * F]."""
        found = np.empty((len(table), self.weights.size), np.float32)
        for first in range(0, len(table), _ROWS):
            plain, changes = self._standardised(table[first : first + _ROWS])
            found[first : first + _ROWS] = (changes[:, :, None] * plain[:, None, :]).reshape(len(plain), -1)
        return found


def ndcg(scores: Floats, label: NDArray[np.bool_], offsets: Offsets, top: int) -> float:
    """Return the mean NDCG of the first `top` of each request with a positive, of those that it has."""
    lengths = np.diff(offsets)
    request_of = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((-scores, request_of))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(offsets[:-1], lengths) + 1
    positives = np.flatnonzero(label)
    relevant = Relevant.of_pairs(request_of[positives], positives.astype(np.int32), len(lengths))
    values = accuracy.ndcg(Judged(relevant, ranks[positives], lengths), top)
    return float(np.nanmean(values)) if len(positives) else float("nan")


def offsets_of_requests(request: NDArray[np.integer]) -> Offsets:
    """Return where each request begins in rows that stand request by request, and where the last one ends."""
    begins = np.flatnonzero(np.diff(request, prepend=request[:1] - 1)) if len(request) else np.zeros(0, np.int64)
    return np.append(begins, len(request)).astype(np.int64)


def _damaged(path: Path, fault: str) -> RunError:
    return RunError.of("E6455", f"the ranker `{path}` cannot be loaded: {fault}", help="train the model again")


def _scaled(table: NDArray[np.floating], by: NDArray[np.int64]) -> Floats:
    found = np.array(table, np.float64)
    found[:, by] = np.sign(found[:, by]) * np.log1p(np.abs(found[:, by]))
    return found


def _moments(table: Floats) -> tuple[Floats, Floats]:
    """Return the mean and the standard deviation of each column's values; 0 and 1 where it has none, or one alone."""
    there = np.isfinite(table)
    count = np.maximum(there.sum(axis=0), 1)
    means = np.where(there, table, 0.0).sum(axis=0) / count
    deviations = np.sqrt((np.where(there, table - means, 0.0) ** 2).sum(axis=0) / count)
    return means, np.where(deviations > _EXACT * np.maximum(np.abs(means), 1.0), deviations, 1.0)


def _newton(design: NDArray[np.float32], offsets: Offsets, label: NDArray[np.bool_], l2: float) -> Floats:
    """Return the weights at the optimum; a step that does not help is halved."""
    weights = np.zeros(design.shape[1])

    def at(found: Floats) -> tuple[float, Floats, Floats]:
        loss, slope = 0.5 * l2 * float(found @ found), l2 * found
        curve = l2 * np.eye(len(found))
        for first in range(0, len(offsets) - 1, _REQUESTS):
            some = offsets[first : first + _REQUESTS + 1]
            rows = slice(some[0], some[-1])
            block = _softmax(design[rows].astype(np.float64), some[:-1] - some[0], label[rows], found)
            loss, slope, curve = loss + block[0], slope + block[1], curve + block[2]
        return loss, slope, curve

    loss, slope, curve = at(weights)
    for _ in range(_STEPS):
        step = np.linalg.solve(curve, slope)
        length = 1.0
        while True:
            tried = weights - length * step
            found = at(tried)
            if found[0] <= loss or length < _EXACT:
                break
            length /= 2
        weights, (loss, slope, curve) = tried, found
        if np.abs(length * step).max(initial=0.0) < _STILL:
            break
    return weights


def _softmax(
    rows: Floats, begins: NDArray[np.int64], label: NDArray[np.bool_], weights: Floats
) -> tuple[float, Floats, Floats]:
    """Return the loss of some requests with its first and second derivatives by the weights."""
    lengths = np.diff(np.append(begins, len(rows)))
    scores = rows @ weights
    scores -= np.repeat(np.maximum.reduceat(scores, begins), lengths)
    odds = np.exp(scores)
    sums = np.add.reduceat(odds, begins)
    share = odds / np.repeat(sums, lengths)
    wanted = label / np.repeat(np.add.reduceat(label.astype(np.float64), begins), lengths)
    loss = float((wanted * (np.repeat(np.log(sums), lengths) - scores)).sum())
    centre = np.add.reduceat(rows * share[:, None], begins, axis=0)
    return loss, rows.T @ (share - wanted), (rows * share[:, None]).T @ rows - centre.T @ centre
