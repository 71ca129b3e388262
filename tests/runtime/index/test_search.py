"""Searches, exact and to a recall, over all items and over those that are allowed."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.door import Kind, Vectors
from mlsd_framework.runtime.index.exact import exact_search
from mlsd_framework.runtime.index.tuning import choose, recall_of, tuned_index
from mlsd_framework.runtime.index.vector_index import VectorIndex, build_index
from tests.runtime.index.vectors import items_and_users

ITEMS, USERS = items_and_users(12_000, 300)
KINDS: tuple[Kind, ...] = ("exact", "scann", "faiss-ivfpq", "faiss-hnsw")


@pytest.fixture(scope="module", params=KINDS)
def index(request: pytest.FixtureRequest) -> VectorIndex:
    """Return an index of each kind, tuned for a recall of 0.95, with some items deleted and some fresh."""
    size = (16,) if request.param == "faiss-hnsw" else (120,)
    built = tuned_index(
        np.arange(len(ITEMS)), ITEMS, USERS[:150], fingerprint="m", kinds=(request.param,), leaves=size, recall=0.95
    )
    built.delete(np.arange(0, 12_000, 100))
    built.upsert(np.arange(0, 12_000, 200), ITEMS[::200])
    return built


def brute(vectors: Vectors, queries: Vectors, k: int, kept: np.ndarray) -> np.ndarray:
    """Return ids by a full sort."""
    scores = np.where(kept, queries @ vectors.T, -np.inf)
    order = np.argsort(-scores, axis=1)[:, :k]
    return np.where(np.take_along_axis(scores, order, axis=1) > -np.inf, order, -1)


def alive() -> np.ndarray:
    """Return which items are in the index of the fixture."""
    kept = np.ones(len(ITEMS), np.bool_)
    kept[100::200] = False
    return kept


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3_000),
    st.integers(1, 9),
    st.integers(1, 40),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_exact_search_is_a_full_sort(rows: int, queries: int, k: int, share: float, seed: int) -> None:
    """Whatever the blocks and folds are, the scores are those of a full sort, -1 where there is no more."""
    random = np.random.default_rng(seed)
    vectors = random.integers(-3, 4, (rows, 5)).astype(np.float32)
    asked = random.integers(-3, 4, (queries, 5)).astype(np.float32)
    keep = random.random(rows) < share
    found, scores = exact_search(vectors, asked, k, keep)
    truth = np.where(keep, asked @ vectors.T, -np.inf)
    wanted = -np.sort(-truth, axis=1)[:, :k]
    assert np.array_equal(scores[:, : wanted.shape[1]], wanted)
    assert (scores[:, wanted.shape[1] :] == -np.inf).all()
    assert np.array_equal(found >= 0, scores > -np.inf)
    held = np.take_along_axis(truth, np.maximum(found, 0), axis=1)
    assert np.array_equal(held[found >= 0], scores[found >= 0])
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in found)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    share=st.sampled_from([0, 0.0005, 0.003, 0.01, 0.03, 0.1, 0.3, 0.7, 0.99]),
    k=st.integers(1, 30),
    seed=st.integers(0, 999),
)
def test_filters_cost_no_recall(index: VectorIndex, share: float, k: int, seed: int) -> None:
    """Over random filters of every selectivity, none allowed included, the recall is about the declared one."""
    random = np.random.default_rng(seed)
    mask = random.random(len(ITEMS)) < share
    asked = USERS[150:]
    given = mask if seed % 2 else np.flatnonzero(mask)
    ids, scores = index.search(asked, k, given)
    truth = brute(ITEMS, asked, k, mask & alive())
    assert ids.shape == scores.shape == (150, k)
    assert ids.dtype == np.int64
    assert mask[ids[ids >= 0]].all()
    assert alive()[ids[ids >= 0]].all()
    assert np.array_equal((ids >= 0).sum(axis=1), (truth >= 0).sum(axis=1))
    assert recall_of(ids, truth) >= 0.92


def test_a_filter_that_contradicts_the_query_is_answered(index: VectorIndex) -> None:
    """Where only the farthest items are allowed, they are found."""
    query = USERS[150:151]
    far = np.argsort(ITEMS @ query[0])[:2_000]
    mask = np.zeros(len(ITEMS), np.bool_)
    mask[far] = True
    ids, _ = index.search(query, 10, mask)
    assert recall_of(ids, brute(ITEMS, query, 10, mask & alive())) >= 0.9


def test_the_declared_recall_is_reached(index: VectorIndex) -> None:
    """Users that were not tuned on find nearly as much; the trace names what was taken."""
    ids, scores = index.search(USERS[150:], 10)
    assert recall_of(ids, brute(ITEMS, USERS[150:], 10, alive())) >= 0.94
    assert (np.diff(scores, axis=1) <= 0).all()
    assert [one.kind for one in index.about.trace if one.taken] == [index.about.kind]


def test_rebalancing_keeps_what_is_in_it(index: VectorIndex) -> None:
    """After it no row is fresh, and the same is found."""
    index.rebalance()
    assert index.fresh == 0
    assert len(index) == alive().sum()
    assert recall_of(index.search(USERS[150:], 10)[0], brute(ITEMS, USERS[150:], 10, alive())) >= 0.92


@pytest.mark.parametrize("kind", KINDS)
def test_cosine_ignores_lengths(kind: Kind) -> None:
    """Scores are cosines; a vector of zeros is near to nothing and breaks nothing."""
    vectors = ITEMS[:2_000].copy()
    vectors[7] = 0
    wide = {} if kind == "exact" else {"leaves": 16, "breadth": 200 if kind == "faiss-hnsw" else 16, "depth": 400}
    built = build_index(np.arange(2_000), vectors, fingerprint="m", kind=kind, distance="cosine", settings=wide)
    ids, scores = built.search(vectors[:20] * 5, 1)
    same = np.delete(np.arange(20), 7)
    assert (ids[same, 0] == same).mean() > 0.9
    assert np.allclose(scores[same, 0][ids[same, 0] == same], 1, atol=1e-5)


def test_small_catalogues_are_searched_exactly() -> None:
    """Of few items, exact search is chosen or stands in, and more neighbours than items are filled up."""
    built = choose(np.arange(50), ITEMS[:50], USERS[:20], fingerprint="m", kinds=("exact",))
    assert built.engine.kind == "exact"
    assert build_index(np.arange(50), ITEMS[:50], fingerprint="m", kind="scann").engine.kind == "exact"
    ids, scores = built.search(USERS[:2], 60)
    assert ((ids >= 0).sum(axis=1) == 50).all()
    assert (scores[:, 50:] == -np.inf).all()


def test_a_recall_beyond_reach_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting that misses the recall is taken."""
    monkeypatch.setattr("mlsd_framework.runtime.index.tuning.DEPTHS", (1,))
    with pytest.raises(RunError, match="E6809"):
        tuned_index(
            np.arange(12_000), ITEMS, USERS, fingerprint="m", kinds=("scann",), leaves=(100,), recall=0.999, k=10
        )


NAN = np.full((1, 16), np.nan, np.float32)
FAULTS: list[tuple[str, Callable[[VectorIndex], object]]] = [
    ("E6801", lambda one: one.upsert(np.array([1]), NAN)),
    ("E6801", lambda one: one.upsert(np.array([1]), NAN[:, :5])),
    ("E6801", lambda one: one.upsert(np.array([1]), np.full((1, 16), np.inf))),
    ("E6802", lambda one: one.search(NAN, 3)),
    ("E6802", lambda one: one.search(USERS[:, :5], 3)),
    ("E6802", lambda one: one.search(USERS[0], 3)),
    ("E6802", lambda one: one.search(USERS[:1], 0)),
    ("E6803", lambda one: one.upsert(np.array([-1]), ITEMS[:1])),
    ("E6803", lambda one: one.upsert(np.array([1, 2]), ITEMS[:1])),
    ("E6803", lambda one: one.delete(np.array([2**40]))),
    ("E6803", lambda one: one.search(USERS[:1], 3, np.array([0.5]))),
    ("E6803", lambda _: build_index(np.array([1, 1]), ITEMS[:2], fingerprint="m")),
]


@pytest.mark.parametrize(("code", "act"), FAULTS)
def test_what_does_not_fit_is_refused(code: str, act: Callable[[VectorIndex], object]) -> None:
    """NaN, infinity, another dimension, ids of no catalogue: each has its code, and nothing is changed."""
    built = build_index(np.arange(10), ITEMS[:10], fingerprint="m")
    with pytest.raises(RunError, match=code):
        act(built)
    assert len(built) == 10
    assert built.search(USERS[:1], 1)[0][0, 0] >= 0
