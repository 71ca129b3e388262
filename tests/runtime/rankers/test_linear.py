"""A linear ranker: the optimum of a softmax over candidates, one scale for all columns, and files that are whole."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.rankers.linear import LinearRanker, ndcg, offsets_of_requests
from mlsd_framework.runtime.retrieval.candidates import offsets_of


def made(seed: int, requests: int = 40, columns: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a table, offsets and labels of requests of several sizes, some empty; the first column tells most."""
    draw = np.random.default_rng(seed)
    offsets = offsets_of(draw.integers(0, 9, requests))
    table = draw.normal(size=(offsets[-1], columns)) * [1.0, 100.0, 0.01][:columns] + 5.0
    return table, offsets, table[:, 0] + draw.normal(size=len(table)) > 5.5


def loss(ranker: LinearRanker, table: np.ndarray, offsets: np.ndarray, label: np.ndarray, l2: float) -> float:
    """Return what is minimised, worked out request by request."""
    total = 0.5 * l2 * float((ranker.weights**2).sum())
    for first, last in pairwise(offsets.tolist()):
        right = label[first:last]
        if 0 < right.sum() < len(right):
            scores = ranker.scores(table[first:last])
            total -= float((scores[right] - np.log(np.exp(scores).sum())).mean())
    return total


@given(st.integers(0, 50), st.sampled_from([0.5, 5.0]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_no_other_weights_are_better(seed: int, l2: float, crossed: bool) -> None:
    """The loss is convex: whatever small step is taken from its weights is up."""
    table, offsets, label = made(seed)
    ranker = LinearRanker.fit(table, offsets, label, l2=l2, by=[1] if crossed else [])
    best, draw = loss(ranker, table, offsets, label, l2), np.random.default_rng(seed)
    for _ in range(5):
        step = 1e-3 * draw.normal(size=ranker.weights.shape)
        other = LinearRanker(ranker.means, ranker.deviations, ranker.by, ranker.weights + step)
        assert loss(other, table, offsets, label, l2) > best


@given(st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_neither_scale_nor_what_requests_share_changes_an_order(seed: int) -> None:
    """A column in another unit, or with its mean elsewhere, orders alike; so does one more that says nothing."""
    table, offsets, label = made(seed)
    scores = LinearRanker.fit(table, offsets, label, l2=1.0).scores(table)
    other = np.column_stack([table * [3.0, 0.2, 7.0] - 11.0, np.full(len(table), 4.0)])
    again = LinearRanker.fit(other, offsets, label, l2=1.0).scores(other)
    assert np.allclose(scores, again, atol=1e-6)


def test_what_teaches_is_learned() -> None:
    """The column that tells is weighed most; weights that change with another column follow it."""
    table, offsets, label = made(3, requests=400)
    weights = np.abs(LinearRanker.fit(table, offsets, label, l2=1.0).weights[0])
    assert weights[0] > 4 * weights[1:].max()
    draw = np.random.default_rng(1)
    offsets = offsets_of([10] * 300)
    turned = np.repeat(draw.integers(0, 2, 300) * 20.0, 10)
    column = draw.normal(size=3000)
    label = np.where(turned > 0, -column, column) > 0.8
    both = np.column_stack([column, turned])
    plain, crossed = (LinearRanker.fit(both, offsets, label, l2=1.0, by=by) for by in ((), (1,)))
    assert ndcg(plain.scores(both), label, offsets, 5) < 0.7
    assert ndcg(crossed.scores(both), label, offsets, 5) > 0.95


def test_a_missing_value_counts_as_the_mean() -> None:
    """NaN in a table, None or NaN as a column, are nothing to go by; one value stands for all rows."""
    table, offsets, label = made(5)
    ranker = LinearRanker.fit(table, offsets, label, l2=1.0)
    absent = table.copy()
    absent[:, 1] = np.nan
    mean = table.copy()
    mean[:, 1] = ranker.means[1]
    assert np.allclose(ranker.scores(absent), ranker.scores(mean))
    columns = [table[:, 0], None, table[:, 2]]
    assert ranker.score(columns, len(table)).tolist() == ranker.scores(absent).tolist()
    same = ranker.score([table[:, 0], 7.0, table[:, 2]], len(table))
    assert np.allclose(same, ranker.scores(np.column_stack([table[:, 0], np.full(len(table), 7.0), table[:, 2]])))
    with pytest.raises(RunError, match="E6453"):
        ranker.score(columns[:2], len(table))


def test_a_request_by_itself_is_scored_as_among_others() -> None:
    """To the bit, as the service and the evaluation do."""
    table, offsets, label = made(7)
    ranker = LinearRanker.fit(table, offsets, label, l2=1.0, by=[2])
    whole = ranker.scores(table)
    for first, last in pairwise(offsets.tolist()):
        assert ranker.scores(table[first:last]).tolist() == whole[first:last].tolist()


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-3, 3), st.booleans()), max_size=40), st.integers(1, 6))
@settings(max_examples=80, deadline=None)
def test_ndcg_is_that_of_its_definition(rows: list[tuple[int, float, bool]], top: int) -> None:
    """Of requests with a positive; rows stand request by request."""
    rows = sorted(rows, key=lambda row: row[0])
    offsets = offsets_of_requests(np.array([row[0] for row in rows], np.int64))
    found = ndcg(np.array([row[1] for row in rows]), np.array([row[2] for row in rows], bool), offsets, top)
    values = []
    for request in sorted({row[0] for row in rows}):
        own = sorted((row for row in rows if row[0] == request), key=lambda row: -row[1])
        right = sum(row[2] for row in own)
        gains = sum(1 / np.log2(place + 2) for place, row in enumerate(own[:top]) if row[2])
        if right:
            values.append(gains / sum(1 / np.log2(place + 2) for place in range(min(right, top))))
    assert found == pytest.approx(np.mean(values), nan_ok=True) if values else np.isnan(found)


def test_a_file_is_whole_or_refused(tmp_path: Path) -> None:
    """What was saved is loaded to the bit; what is cut, or contradicts itself, is E6455."""
    table, offsets, label = made(9)
    ranker = LinearRanker.fit(table, offsets, label, l2=1.0, by=[0])
    path = tmp_path / "weights.safetensors"
    ranker.save(path)
    assert LinearRanker.load(path).scores(table).tolist() == ranker.scores(table).tolist()
    LinearRanker(ranker.means[:2], ranker.deviations, ranker.by, ranker.weights).save(tmp_path / "other")
    path.write_bytes(path.read_bytes()[:-8])
    for broken in (path, tmp_path / "other", tmp_path / "absent"):
        with pytest.raises(RunError, match="E6455"):
            LinearRanker.load(broken)
