"""MMR chooses at each rank what its definition chooses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.beyond_relevance import intra_list_diversity
from mlsd_framework.runtime.reranking.mmr import diversified, scaled_scores, units_of, unlike_all
from mlsd_framework.runtime.retrieval.candidates import Candidates
from tests.runtime.reranking.drawn import CATALOGUE, LENGTHS, SEEDS, alone, check_batch, drawn


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / norms) if norms > 0 and np.isfinite(norms) else 0.0


@settings(deadline=None)
@given(LENGTHS, SEEDS, st.integers(1, 14), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_each_choice_is_the_best_by_definition(lengths: list[int], seed: int, k: int, balance: float) -> None:
    """No row left would have been worth more than the chosen one, within float32; the rest keeps its order."""
    candidates = drawn(lengths, seed)
    vectors = np.random.default_rng(seed).normal(size=(CATALOGUE, 3))
    vectors[:4], vectors[4], vectors[5] = 0, np.nan, vectors[6]
    units = units_of(vectors)
    found = check_batch(lambda c, _, __: diversified(c, units, k, balance), candidates)
    for request in range(candidates.requests):
        given_, shown = alone(candidates, request)[0], alone(found, request)[0]
        score = dict(zip(given_.items.tolist(), given_.columns["score"].tolist(), strict=True))
        left = given_.items.tolist()
        for place in range(min(k, len(left))):
            before = shown.items[:place].tolist()

            def worth(item: int, before: list[int] = before, score: dict[int, float] = score) -> float:
                if np.isnan(score[item]):
                    return -np.inf
                nearest = max((_cosine(vectors[item], vectors[one]) for one in before), default=0.0)
                return balance * score[item] - (1 - balance) * nearest

            pick = int(shown.items[place])
            assert worth(pick) >= max(worth(item) for item in left) - 1e-6
            left.remove(pick)
        assert shown.items[k:].tolist() == left


@settings(deadline=None)
@given(LENGTHS, SEEDS)
def test_a_balance_of_one_is_the_order_of_scores(lengths: list[int], seed: int) -> None:
    """Equal scores and rows without one keep their order too."""
    candidates = drawn(lengths, seed)
    units = units_of(np.random.default_rng(seed).normal(size=(CATALOGUE, 3)))
    assert diversified(candidates, units, 5, 1.0).items.tolist() == candidates.items.tolist()


@settings(deadline=None)
@given(LENGTHS, SEEDS, st.integers(0, CATALOGUE))
def test_items_that_came_later_bring_their_vectors(lengths: list[int], seed: int, made: int) -> None:
    """With the vectors of the items beyond from elsewhere, the order is that with all of them at once."""
    candidates = drawn(lengths, seed)
    vectors = np.random.default_rng(seed).normal(size=(CATALOGUE, 3)).astype(np.float32)
    whole = diversified(candidates, units_of(vectors), 5, 0.4)
    grown = diversified(candidates, units_of(vectors[:made]), 5, 0.4, later=lambda items: vectors[items])
    assert grown.items.tolist() == whole.items.tolist()
    vectors[made:] = 0
    unlike = diversified(candidates, units_of(vectors[:made]), 5, 0.4, later=unlike_all)
    assert unlike.items.tolist() == diversified(candidates, units_of(vectors), 5, 0.4).items.tolist()


def test_less_balance_is_more_diversity() -> None:
    """Intra-list diversity of the first k rises as scores weigh less."""
    candidates = drawn([12] * 20, 1, nulls=False)
    vectors = np.random.default_rng(1).normal(size=(CATALOGUE, 4))
    found = [
        np.nanmean(intra_list_diversity(diversified(candidates, units_of(vectors), 4, balance), 4, vectors))
        for balance in (1.0, 0.7, 0.3)
    ]
    assert found == sorted(found)
    assert found[-1] > found[0] + 0.2


def test_an_item_without_a_vector_is_told() -> None:
    """A place beyond the vectors is an error with a code; so are places below 0."""
    candidates = drawn([12], 0)
    with pytest.raises(RunError, match="has no vector"):
        diversified(candidates, np.zeros((5, 2), np.float32), 3, 0.5)
    with pytest.raises(ValueError, match="from 0 to 1, not 2"):
        diversified(candidates, np.zeros((CATALOGUE, 2), np.float32), 3, 2)


@settings(deadline=None)
@given(LENGTHS, SEEDS, st.sampled_from([0.01, 1.0, 300.0]), st.sampled_from([-50.0, 0.0, 7.0]))
def test_scaled_scores_run_from_0_to_1_in_each_request(
    lengths: list[int], seed: int, factor: float, shift: float
) -> None:
    """By the plain formula, whatever the scale; MMR by them is MMR by the column that holds them."""
    candidates = drawn(lengths, seed)
    scores = candidates.columns["score"]
    raw = candidates.with_columns(score=scores * factor + shift)
    scaled = scaled_scores(raw, "score")
    for first, last in zip(candidates.offsets[:-1], candidates.offsets[1:], strict=True):
        part = scores[first:last]
        known = part[~np.isnan(part)]
        span = known.max() - known.min() if len(known) else 0.0
        expected = [one if np.isnan(one) or not span else (one - known.min()) / span for one in part]
        expected = [1.0 if not span and not np.isnan(one) else one for one in expected]
        np.testing.assert_allclose(scaled[first:last], expected, atol=1e-9)
    units = units_of(np.random.default_rng(seed).normal(size=(CATALOGUE, 3)))
    found = check_batch(lambda c, _, __: diversified(c, units, 5, 0.7, scaled=True), raw)
    assert found.items.tolist() == diversified(raw.with_columns(score=scaled), units, 5, 0.7).items.tolist()
    np.testing.assert_array_equal(np.sort(found.columns["score"]), np.sort(raw.columns["score"]))


def test_infinite_scores_scale_to_the_ends() -> None:
    """They do not stretch the scale of the others; a request of them alone has one too."""
    scores = np.array([np.inf, 3.0, 1.0, -np.inf, np.nan, -np.inf])
    candidates = Candidates(np.array([0, 5, 6]), np.arange(6, dtype=np.int32), {"score": scores})
    np.testing.assert_array_equal(scaled_scores(candidates, "score"), [1.0, 1.0, 0.0, 0.0, np.nan, 0.0])
