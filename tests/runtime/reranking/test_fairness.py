"""Fair orders keep the shares whenever an order can, at the least loss, and touch nothing else."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.ranking_metrics.exposure import exposure
from mlsd_framework.runtime.reranking.fairness import exposed, fairly_exposed
from mlsd_framework.runtime.retrieval.candidates import Candidates
from tests.runtime.reranking.drawn import CATALOGUE, LENGTHS, SEEDS, alone, check_batch, drawn

SHARES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.5]), min_size=1, max_size=3).filter(lambda one: sum(one) <= 1)
ROWS = 6


def _discounts(length: int) -> np.ndarray:
    return 1 / np.log2(np.arange(length) + 2)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, ROWS), SEEDS, SHARES, st.integers(1, 5))
def test_the_order_is_the_best_of_all_that_keep_the_shares(length: int, seed: int, shares: list[float], k: int) -> None:
    """Every order of a short list is tried: none that keeps the shares loses less, and if one does, ours does."""
    random = np.random.default_rng(seed)
    scores = np.sort(random.random(length))[::-1]
    groups = random.integers(-1, len(shares), length)
    candidates = Candidates(np.array([0, length]), np.arange(length, dtype=np.int32), {"score": scores})
    found = fairly_exposed(candidates, groups, np.array(shares), k, most_steps=20_000)
    k = min(k, length)
    discounts = _discounts(k)
    orders = np.array(sorted({one[:k] for one in permutations(range(length))}))
    given_ = np.stack([((groups[orders] == g) * discounts).sum(axis=1) for g in range(len(shares))], axis=1)
    kept = (given_ >= np.array(shares) * discounts.sum() - 1e-9).all(axis=1)
    value = float(found.candidates.columns["score"][:k] @ discounts)
    assert (found.shortfall == 0).all() == kept.any()
    if kept.any():
        assert value == pytest.approx((scores[orders] @ discounts)[kept].max(), abs=1e-9)


@settings(deadline=None)
@given(LENGTHS, SEEDS, SHARES, st.integers(1, 14))
def test_shortfall_is_what_the_exposure_lacks(lengths: list[int], seed: int, shares: list[float], k: int) -> None:
    """Measured by the metric of exposure; within groups the order stays; one by one as together."""
    candidates = drawn(lengths, seed)
    groups = np.random.default_rng(seed).integers(-1, len(shares) + 1, len(candidates.items))
    asked = np.array(shares)
    found = check_batch(lambda c, rows, _: fairly_exposed(c, groups[rows], asked, k).candidates, candidates)
    shortfall = fairly_exposed(candidates, groups, asked, k).shortfall
    for request in range(candidates.requests):
        one, rows = alone(candidates, request)
        shown = alone(found, request)[0]
        got = exposure(shown, k, CATALOGUE, discounted=True)
        assert sorted(shown.items.tolist()) == sorted(one.items.tolist())
        for group, share in enumerate(shares):
            members = one.items[groups[rows] == group].tolist()
            assert [item for item in shown.items.tolist() if item in members] == members
            lack = share - got[members].sum() / got.sum() if len(one.items) else 0.0
            assert shortfall[request, group] == pytest.approx(max(lack, 0.0), abs=1e-8)


@settings(deadline=None)
@given(LENGTHS, SEEDS, st.integers(1, 14))
def test_without_a_constraint_the_order_is_untouched(lengths: list[int], seed: int, k: int) -> None:
    """Shares of 0 or none, whatever the scores are, and shares that the order keeps already."""
    candidates = drawn(lengths, seed).with_columns(score=np.random.default_rng(seed).random(sum(lengths)))
    groups = np.random.default_rng(seed).integers(-1, 2, len(candidates.items))
    for shares in (np.zeros(2), np.zeros(0)):
        found = fairly_exposed(candidates, groups, shares, k)
        assert found.candidates.items.tolist() == candidates.items.tolist()
        assert not found.shortfall.any()
    half = fairly_exposed(candidates, np.zeros(len(groups), np.int64), np.array([0.9]), k)
    assert half.candidates.items.tolist() == candidates.items.tolist()


@pytest.mark.parametrize(
    ("shares", "lack"),
    [([0.3, 0.2], 0), ([0.33, 0.33, 0.33], 0), ([0.19] * 5, 0), ([0.5, 0.5], 0.025), ([0.2] * 5, 0.01)],
)
def test_long_lists_keep_their_shares(shares: list[float], lack: float) -> None:
    """Of five hundred rows in groups far from alike: the shares hold among the first fifty, nearly where they are all.

    Shares that sum to 1 ask for ranks that add up to them exactly.
    """
    random = np.random.default_rng(7)
    groups = np.minimum(random.geometric(0.6, 500) - 1, len(shares) - 1)
    candidates = Candidates(
        np.array([0, 500]), np.arange(500, dtype=np.int32), {"score": np.sort(random.random(500))[::-1]}
    )
    found = fairly_exposed(candidates, groups, np.array(shares), 50)
    assert found.shortfall.max() <= lack


def test_shares_of_more_than_all_are_refused() -> None:
    """Shares sum to 1 at most, and none is below 0."""
    with pytest.raises(ValueError, match="sum to 1 at most"):
        fairly_exposed(drawn([3], 0), np.zeros(3, np.int64), np.array([0.6, 0.5]), 3)
    with pytest.raises(ValueError, match="from 0 to 1"):
        fairly_exposed(drawn([3], 0), np.zeros(3, np.int64), np.array([-0.1]), 3)


def test_shares_of_values_are_those_of_their_groups() -> None:
    """By values of a column, text or numbers, with nulls and values that ask for nothing."""
    candidates = drawn([9, 0, 12], 3)
    random = np.random.default_rng(3)
    for names in (["own", "other", None, "rest"], [4.0, 7.0, np.nan, 9.0]):
        drawn_names = np.where(candidates.place_of < 5, 3, random.integers(0, 3, 21))
        values = np.array(names, object if isinstance(names[0], str) else np.float64)[drawn_names]
        at_least: dict[str | int, float] = {"other": 0.3, "own": 0.2} if isinstance(names[0], str) else {7: 0.3, 4: 0.2}
        places = {names[1]: 0, names[0]: 1}
        groups = np.array([places.get(one, -1) for one in values.tolist()])
        expected = fairly_exposed(candidates, groups, np.array([0.3, 0.2]), 5).candidates
        found = exposed(candidates, values, at_least, 5)
        assert found.items.tolist() == expected.items.tolist()
        assert found.items.tolist() != candidates.items.tolist()
