"""Exploration shows each item as often as it logs, replays by request, and changes nothing but its slots."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.reranking import epsilon_greedy as epsilon
from mlsd_framework.runtime.reranking import posteriors, thompson
from mlsd_framework.runtime.reranking.seeds import seeds_of
from mlsd_framework.runtime.reranking.slots import Slots, unlogged
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from tests.runtime.reranking.drawn import LENGTHS, SEEDS, alone, check_batch, drawn

SLOTS = st.builds(
    lambda ranks, more: Slots(sorted(ranks), max(ranks, default=1) + more),
    st.sets(st.integers(1, 6), max_size=4),
    st.integers(0, 3),
)
Draw = Callable[[Candidates, np.ndarray, np.ndarray], Candidates]


def _evidence(rows: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    showings = random.choice([0.0, 3.0, 40.0, 900.0, np.nan], rows)
    return posteriors.posteriors_of(np.floor(showings * random.random(rows) / 3), showings, (1.0, 10.0))


@settings(deadline=None)
@given(LENGTHS, SEEDS, SLOTS, st.sampled_from([0.0, 0.3, 1.0]), st.booleans())
def test_what_is_logged_is_the_chance_of_what_is_shown(
    lengths: list[int], seed: int, slots: Slots, share: float, by_posterior: bool
) -> None:
    """Each rank's chances sum to 1, propensities are among them, ranks outside slots stay, one by one as together."""
    candidates = drawn(lengths, seed)
    explorable = np.random.default_rng(seed).random(len(candidates.items)) < 0.6
    seeds, known = seeds_of(map(str, range(len(lengths))), str(seed)), _evidence(len(candidates.items), seed)

    def stage(some: Candidates, rows: np.ndarray, requests: np.ndarray) -> Candidates:
        if by_posterior:
            return thompson.thompson(some, explorable[rows], known[:, rows], seeds[requests], slots)
        return epsilon.epsilon_greedy(some, explorable[rows], seeds[requests], slots, share)

    found = check_batch(stage, candidates)
    for request in range(candidates.requests):
        one, rows = alone(candidates, request)
        shown = alone(found, request)[0]
        may = explorable[rows]
        chances = (
            thompson.chances(one, may, known[:, rows], slots)
            if by_posterior
            else epsilon.chances(one, may, slots, share)
        )
        np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-6)
        assert (chances >= 0).all()
        assert sorted(shown.items.tolist()) == sorted(one.items.tolist())
        assert np.isnan(shown.columns["propensity"][slots.k :]).all()
        for place in range(len(chances)):
            row = one.items.tolist().index(shown.items[place])
            assert shown.columns["propensity"][place] == pytest.approx(chances[place, row], abs=1e-12)
            assert shown.columns["propensity"][place] > 0
            assert shown.columns["explored"][place] == (row != place)
        gave_way = sorted(
            set(one.items[: slots.k].tolist()) - set(shown.items[: slots.k].tolist()), key=one.items.tolist().index
        )
        assert shown.items[slots.k : slots.k + len(gave_way)].tolist() == gave_way


def _frequencies(draw: Draw, chances: np.ndarray, explorable: np.ndarray, rounds: int = 20_000) -> float:
    """Return the largest difference of a frequency and its chance, in standard errors."""
    rows = len(explorable)
    items = np.tile(np.arange(rows, dtype=np.int32), rounds)
    many = Candidates(offsets_of(np.full(rounds, rows)), items, {})
    found = draw(many, np.tile(explorable, rounds), seeds_of(map(str, range(rounds)), "test"))
    shown = found.items.reshape(rounds, rows)[:, : len(chances)]
    seen = np.stack([np.bincount(shown[:, place], minlength=rows) for place in range(len(chances))]) / rounds
    error = np.sqrt(chances * (1 - chances) / rounds) + 1e-9
    return float((np.abs(seen - chances) / error).max())


@pytest.mark.parametrize("pool", [1, 2, 9], ids=["runs out at once", "runs out", "is enough"])
def test_epsilon_greedy_shows_as_often_as_it_logs(pool: int) -> None:
    """Simulated frequencies of each item at each rank are its chances, also where the pool runs out."""
    explorable = np.arange(14) >= 14 - pool
    slots, rows = Slots([2, 3, 5], 5), np.arange(14, dtype=np.int32)
    chances = epsilon.chances(Candidates(np.array([0, 14]), rows), explorable, slots, 0.4)
    assert _frequencies(lambda c, e, s: epsilon.epsilon_greedy(c, e, s, slots, 0.4), chances, explorable) < 4.5


def test_thompson_shows_as_often_as_it_logs() -> None:
    """Simulated frequencies are the chances, with posteriors wide and narrow."""
    explorable = np.arange(10) >= 4
    known = posteriors.posteriors_of(
        np.array([0] * 5 + [1, 2, 9, 10, 300]), np.array([0] * 5 + [4, 9, 40, 60, 2000]), (1, 5)
    )
    slots = Slots([1, 3], 4)
    chances = thompson.chances(Candidates(np.array([0, 10]), np.arange(10, dtype=np.int32)), explorable, known, slots)

    def draw(many: Candidates, may: np.ndarray, seeds: np.ndarray) -> Candidates:
        return thompson.thompson(many, may, np.tile(known, many.requests), seeds, slots)

    assert _frequencies(draw, chances, explorable) < 4.5


@pytest.mark.parametrize("pair", [((1, 1), (1, 1)), ((1, 30), (2, 31)), ((0.5, 0.5), (3, 9)), ((40, 400), (41, 370))])
def test_the_grid_is_near_beta(pair: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """The chance that one rate exceeds another is Beta's within 0.002."""
    (a, b), (c, d) = pair
    mass, below = posteriors.grid_of(np.array([a, c], np.float64), np.array([b, d], np.float64))
    grid = stats.beta(c, d).ppf((np.arange(20_000) + 0.5) / 20_000)
    exact = stats.beta(a, b).sf(grid).mean()
    assert posteriors.rank_chance(mass, below, 0, 0) == pytest.approx(exact, abs=2e-3)


def test_many_narrow_posteriors_sum_to_one() -> None:
    """Fifty items that differ by less than a cell, beside one of which nothing is known."""
    alpha, beta = np.full(51, 3e6), np.full(51, 1e8)
    alpha[0] = beta[0] = 1
    mass, below = posteriors.grid_of(alpha, beta)
    for rank in (0, 2):
        total = sum(posteriors.rank_chance(mass, below, item, rank) for item in range(51))
        assert total == pytest.approx(1, abs=1e-6)


def test_a_request_replays() -> None:
    """The same id draws the same in another batch; another id or salt draws by itself."""
    assert seeds_of(["a", "b"])[1:].tolist() == seeds_of(["b"]).tolist()
    assert seeds_of(["a"]).tolist() != seeds_of(["a"], "other").tolist()
    assert len(set(seeds_of(map(str, range(1000))).tolist())) == 1000
    assert seeds_of([]).shape == (0,)


def test_what_cannot_be_explored_is_refused() -> None:
    """Counts that contradict each other, slots outside the list, a probability that is none."""
    with pytest.raises(RunError, match="item 1 of the counts has 3 successes in 2 showings"):
        posteriors.posteriors_of(np.array([0, 3]), np.array([0, 2]))
    with pytest.raises(ValueError, match="two numbers above 0"):
        posteriors.posteriors_of(np.array([0]), np.array([0]), (0, 1))
    with pytest.raises(ValueError, match="different ranks from 1 to 3"):
        Slots([1, 4], 3)
    with pytest.raises(ValueError, match="1 row at least, not 0"):
        Slots([1], 3, 0)
    candidates, flags = drawn([3], 0), np.ones(3, np.bool_)
    with pytest.raises(ValueError, match="a probability, not 2"):
        epsilon.epsilon_greedy(candidates, flags, seeds_of(["a"]), Slots([1], 1), 2)
    with pytest.raises(ValueError, match="1 requests and 2 seeds"):
        epsilon.epsilon_greedy(candidates, flags, seeds_of(["a", "b"]), Slots([1], 1), 0.1)


@settings(deadline=None)
@given(LENGTHS, SEEDS, SLOTS, st.integers(1, 4), st.booleans())
def test_a_pool_is_the_rows_nearest_behind_the_list(
    lengths: list[int], seed: int, slots: Slots, most: int, by_posterior: bool
) -> None:
    """A bound on the pool is the same as letting no row further behind be explored."""
    candidates = drawn(lengths, seed)
    explorable = np.random.default_rng(seed).random(len(candidates.items)) < 0.7
    behind = candidates.place_of >= slots.k
    nearest = np.zeros(len(explorable), np.bool_)
    for request in range(candidates.requests):
        rows = np.flatnonzero(explorable & behind & (candidates.request_of == request))
        nearest[rows[:most]] = True
    seeds, known = seeds_of(map(str, range(len(lengths))), str(seed)), _evidence(len(candidates.items), seed)
    bounded = Slots(slots.ranks, slots.k, most)

    def stage(may: np.ndarray, where: Slots) -> Candidates:
        if by_posterior:
            return thompson.thompson(candidates, may, known, seeds, where)
        return epsilon.epsilon_greedy(candidates, may, seeds, where, 0.7)

    found, expected = stage(explorable, bounded), stage(nearest, slots)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.columns["propensity"], expected.columns["propensity"])


def test_a_list_that_was_not_drawn_has_no_propensities() -> None:
    """Its order is untouched, no chance is known and nothing was explored."""
    candidates = drawn([3, 0, 2], 0)
    found = unlogged(candidates)
    assert found.items.tolist() == candidates.items.tolist()
    assert np.isnan(found.columns["propensity"]).all()
    assert not found.columns["explored"].any()
