"""Novelty, diversity, serendipity and exposure are what their definitions say, item by item."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.ranking_metrics import beyond_relevance, exposure
from mlsd_framework.runtime.retrieval.candidates import Candidates
from tests.runtime.ranking_metrics.plain_metrics import GAINS, ITEMS, RANKED, candidates, relevant

RANKINGS = st.lists(RANKED, min_size=1, max_size=5)
SEEN = st.lists(st.integers(0, 20), min_size=ITEMS, max_size=ITEMS)
DEPTH = st.integers(1, ITEMS)
EXPOSURES = st.lists(st.integers(0, 9), min_size=1, max_size=12)


@settings(deadline=None)
@given(RANKINGS, SEEN, DEPTH)
def test_novelty_is_the_mean_self_information(rankings: list[list[int]], seen: list[int], k: int) -> None:
    """Bits of surprise an item, an item nobody met as one that one user met; NaN without candidates."""
    found = beyond_relevance.novelty(candidates(rankings), k, np.array(seen), 20)
    for value, ranked in zip(found, rankings, strict=True):
        bits = [-math.log2(max(seen[item], 1) / 20) for item in ranked[:k]]
        assert value == pytest.approx(np.mean(bits) if bits else np.nan, nan_ok=True)


@settings(deadline=None)
@given(RANKINGS, DEPTH, st.integers(1, 4), st.integers(0, 99))
def test_diversity_is_one_minus_the_mean_cosine_of_all_pairs(
    rankings: list[list[int]], k: int, dimensions: int, seed: int
) -> None:
    """Pair by pair, in parts or at once; a vector of length 0 is like none; fewer than two items have no pairs."""
    vectors = np.random.default_rng(seed).normal(size=(ITEMS, dimensions)).astype(np.float32)
    vectors[3] = 0
    ranked = candidates(rankings)
    found = beyond_relevance.intra_list_diversity(ranked, k, vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beyond_relevance, "_CELLS", 5)
        np.testing.assert_allclose(beyond_relevance.intra_list_diversity(ranked, k, vectors), found, atol=1e-12)
    units = [one / (np.linalg.norm(one) or 1) for one in vectors.astype(np.float64)]
    for value, one in zip(found, rankings, strict=True):
        cosines = [float(units[a] @ units[b]) for a, b in combinations(one[:k], 2)]
        assert value == pytest.approx(1 - np.mean(cosines) if cosines else np.nan, nan_ok=True, abs=1e-9)


@settings(deadline=None)
@given(RANKED, GAINS, RANKED, DEPTH)
def test_serendipity_is_relevant_and_not_expected(
    ranked: list[int], gains: dict[int, float], expected: list[int], k: int
) -> None:
    """The share of the first k, k the divisor; NaN where nothing is relevant."""
    found = beyond_relevance.serendipity(candidates([ranked]), relevant([gains]), candidates([expected]), k)[0]
    wanted = {item for item, gain in gains.items() if gain > 0}
    surprising = wanted.intersection(ranked[:k]) - set(expected)
    assert found == pytest.approx(len(surprising) / k if wanted else np.nan, nan_ok=True)


@settings(deadline=None)
@given(RANKINGS, DEPTH)
def test_exposure_counts_showings_and_discounts_ranks(rankings: list[list[int]], k: int) -> None:
    """Item by item; the coverage is the share of items that are shown at all."""
    plain, discounted = np.zeros(ITEMS), np.zeros(ITEMS)
    for ranked in rankings:
        for rank, item in enumerate(ranked[:k], 1):
            plain[item] += 1
            discounted[item] += 1 / math.log2(1 + rank)
    np.testing.assert_allclose(exposure.exposure(candidates(rankings), k, ITEMS), plain)
    np.testing.assert_allclose(exposure.exposure(candidates(rankings), k, ITEMS, discounted=True), discounted)
    shown = {item for ranked in rankings for item in ranked[:k]}
    assert exposure.catalogue_coverage(plain) == pytest.approx(len(shown) / ITEMS)


@settings(deadline=None)
@given(EXPOSURES)
def test_gini_is_half_the_mean_difference_over_the_mean(shown: list[int]) -> None:
    """Against all pairs; it does not change with the scale of exposure; NaN where nothing is shown."""
    values = np.array(shown, np.float64)
    found = exposure.gini(values)
    if not values.sum():
        assert math.isnan(found)
        return
    assert found == pytest.approx(np.abs(values[:, None] - values).mean() / (2 * values.mean()), abs=1e-12)
    assert exposure.gini(values * 7) == pytest.approx(found)


def test_gini_at_its_ends() -> None:
    """All alike is 0; one of ten taking all is 0.9."""
    assert exposure.gini(np.full(10, 3.0)) == pytest.approx(0)
    assert exposure.gini(np.eye(10)[0]) == pytest.approx(0.9)


@settings(deadline=None)
@given(EXPOSURES, st.integers(0, 99))
def test_shares_of_groups_sum_to_one_and_fall(shown: list[int], seed: int) -> None:
    """Each group has its part of all exposure, the largest first, items without a group in `null`."""
    groups = np.random.default_rng(seed).choice(np.array(["major", "indie", None], object), len(shown))
    found = exposure.shares(np.array(shown, np.float64), groups)
    total = sum(shown)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for name, share in found.items():
        mine = sum(
            one for one, group in zip(shown, groups, strict=True) if ("null" if group is None else group) == name
        )
        assert share == pytest.approx(mine / total if total else 0)


def test_popularity_is_compared_with_what_users_took_themselves() -> None:
    """A user of niche items who is shown hits has a lift; one without a history has none."""
    popularity = np.array([100, 50, 1])
    shown = exposure.average_popularity(candidates([[0, 1], [2], [0]]), 2, popularity)
    assert shown.tolist() == [75, 1, 100]
    lift = exposure.popularity_lift(shown, np.array([50.0, 1.0, np.nan]))
    assert lift[:2].tolist() == [0.5, 0]
    assert math.isnan(lift[2])


def test_no_candidates_at_all_have_no_values() -> None:
    """Requests without rows give NaN, not an error."""
    nothing = Candidates(np.zeros(3, np.int64), np.zeros(0, np.int32))
    assert np.isnan(beyond_relevance.intra_list_diversity(nothing, 5, np.ones((4, 2)))).tolist() == [True, True]
    assert exposure.catalogue_coverage(exposure.exposure(nothing, 5, 4)) == 0
