"""Boosts change scores as their formula says, and order by the new ones."""

import numpy as np
import pytest
from hypothesis import given, settings

from mlsd_framework.runtime.reranking import boosts
from mlsd_framework.runtime.retrieval.candidates import Candidates
from tests.runtime.reranking.drawn import LENGTHS, SEEDS, check_batch, drawn


def _ordered(candidates: Candidates) -> bool:
    scores = np.nan_to_num(candidates.columns["score"], nan=-1)
    within = np.diff(candidates.request_of) == 0
    return bool((np.diff(scores)[within] <= 0).all())


@settings(deadline=None)
@given(LENGTHS, SEEDS)
def test_a_boost_is_where_its_condition_holds(lengths: list[int], seed: int) -> None:
    """Score * times + plus there, the score elsewhere, NaN as it was."""
    candidates = drawn(lengths, seed)
    where = np.random.default_rng(seed).choice(np.array([True, False, None], object), len(candidates.items))
    found = check_batch(lambda c, rows, _: boosts.boosted(c, where[rows], times=1.5, plus=0.1), candidates)
    assert _ordered(found)
    scores = candidates.columns["score"]
    expected = [score * 1.5 + 0.1 if held else score for score, held in zip(scores, where, strict=True)]
    pairs = candidates.request_of * 100 + candidates.items
    found_pairs = found.request_of * 100 + found.items
    np.testing.assert_allclose(
        found.columns["score"][np.argsort(found_pairs)], np.array(expected)[np.argsort(pairs)], rtol=1e-12
    )


@settings(deadline=None)
@given(LENGTHS, SEEDS)
def test_freshness_halves_by_its_half_life(lengths: list[int], seed: int) -> None:
    """One request alone has the same, and rows are in the new order."""
    candidates = drawn(lengths, seed)
    ages = np.random.default_rng(seed).choice([0.0, 3.0, 6.0, np.nan], len(candidates.items))
    found = check_batch(lambda c, rows, _: boosts.freshened(c, ages[rows], 3.0, floor=0.2), candidates)
    assert _ordered(found)


def test_what_age_leaves_of_a_score() -> None:
    """Half at the half-life, a quarter at twice that, all before birth, the floor where the age is unknown."""
    candidates = Candidates(np.array([0, 5]), np.arange(5, dtype=np.int32), {"score": np.ones(5)})
    ages = boosts.ages_of(candidates, np.array([100, 90, 80, 105, boosts.UNKNOWN_TIME]), np.array([100]))
    found = boosts.freshened(candidates, ages, 10.0)
    assert dict(zip(found.items.tolist(), found.columns["score"].tolist(), strict=True)) == {
        0: 1.0,
        3: 1.0,
        1: 0.5,
        2: 0.25,
        4: 0.0,
    }
    assert boosts.freshened(candidates, ages, 10.0, floor=0.2).columns["score"][-1] == pytest.approx(0.2)


def test_a_half_life_and_factors_that_are_none_are_refused() -> None:
    """A half-life of 0, a floor above 1 and a boost without end are told."""
    candidates = Candidates(np.array([0, 1]), np.zeros(1, np.int32), {"score": np.ones(1)})
    with pytest.raises(ValueError, match="above 0, not 0"):
        boosts.freshened(candidates, np.ones(1), 0)
    with pytest.raises(ValueError, match="from 0 to 1, not 2"):
        boosts.freshened(candidates, np.ones(1), 1, floor=2)
    with pytest.raises(ValueError, match="a factor above 0, not 0"):
        boosts.boosted(candidates, np.ones(1), times=0, logarithmic=True)
    with pytest.raises(ValueError, match="finite numbers"):
        boosts.boosted(candidates, np.ones(1), times=np.inf)


@settings(deadline=None)
@given(LENGTHS, SEEDS)
def test_a_boost_of_logarithms_is_one_of_what_they_are_of(lengths: list[int], seed: int) -> None:
    """Orders and exponentials are those of plain scores; a factor above 1 raises scores below 0 too."""
    plain = drawn(lengths, seed)
    plain = plain.with_columns(score=plain.columns["score"] + 0.01)
    logs = plain.with_columns(score=np.log(plain.columns["score"]))
    random = np.random.default_rng(seed)
    where = random.random(len(plain.items)) < 0.5
    ages = random.choice([0.0, 3.0, 6.0, np.nan], len(plain.items))
    pairs = [
        (boosts.boosted(plain, where, times=1.3), boosts.boosted(logs, where, times=1.3, logarithmic=True)),
        (
            boosts.freshened(plain, ages, 3.0, floor=0.2),
            boosts.freshened(logs, ages, 3.0, floor=0.2, logarithmic=True),
        ),
    ]
    for by_plain, by_logs in pairs:
        assert _ordered(by_plain)
        pairs_plain, pairs_logs = (one.request_of * 100 + one.items for one in (by_plain, by_logs))
        np.testing.assert_allclose(
            np.exp(by_logs.columns["score"])[np.argsort(pairs_logs)],
            by_plain.columns["score"][np.argsort(pairs_plain)],
            rtol=1e-12,
        )
        np.testing.assert_allclose(np.exp(by_logs.columns["score"]), by_plain.columns["score"], rtol=1e-12)


def test_nothing_is_left_of_a_logarithm_without_a_floor() -> None:
    """An unknown age and no floor are a score of minus infinity, which stands before no score at all."""
    candidates = Candidates(np.array([0, 3]), np.arange(3, dtype=np.int32), {"score": np.array([np.nan, 0.0, -9.0])})
    found = boosts.freshened(candidates, np.array([1.0, np.nan, 1.0]), 1.0, logarithmic=True)
    assert found.items.tolist() == [2, 1, 0]
    assert found.columns["score"].tolist()[:2] == [-9.0 + np.log(0.5), -np.inf]


def test_ages_of_a_feature_are_those_of_times() -> None:
    """A column of floats with NaN gives the ages that whole numbers give, to the microsecond."""
    candidates = Candidates(np.array([0, 1, 3]), np.arange(3, dtype=np.int32), {})
    born = np.array([1_700_000_000_123_456, boosts.UNKNOWN_TIME, 1_600_000_000_000_001])
    as_feature = np.array([1_700_000_000_123_456, np.nan, 1_600_000_000_000_001])
    at = np.array([1_700_000_000_123_457, 1_800_000_000_000_000])
    ages = boosts.ages_of(candidates, as_feature, at)
    np.testing.assert_array_equal(ages, boosts.ages_of(candidates, born, at))
    np.testing.assert_array_equal(ages, [1.0, np.nan, 199_999_999_999_999.0])
