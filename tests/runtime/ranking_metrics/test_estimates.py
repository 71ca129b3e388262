"""Means over requests, their bootstrap intervals, pairs of rankings and slices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.ranking_metrics.accuracy import per_request
from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap, difference, means, ratio, ratios
from mlsd_framework.runtime.ranking_metrics.relevance import judge
from mlsd_framework.runtime.ranking_metrics.slices import by_item, by_request
from mlsd_framework.runtime.training.metrics.slices import SliceBy
from tests.runtime.ranking_metrics.plain_metrics import REQUESTS, Request, alike, candidates, plain, relevant

VALUES = st.lists(st.floats(0, 1) | st.just(np.nan), min_size=1, max_size=30)


@settings(deadline=None)
@given(VALUES)
def test_a_mean_leaves_out_what_has_no_value_and_counts_it(values: list[float]) -> None:
    """The mean is over known values; the others are counted; with none known it is NaN."""
    found = means({"recall@3": np.array(values)})["recall@3"]
    known = [value for value in values if not np.isnan(value)]
    assert (found.requests, found.left_out) == (len(known), len(values) - len(known))
    assert found.value == pytest.approx(np.mean(known) if known else np.nan, nan_ok=True)


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 40))
def test_each_resample_draws_as_many_as_there_are(units: int, count: int) -> None:
    """Weights are whole numbers that sum to the number of units, one row a resample, equal for equal seeds."""
    drawn = np.concatenate(list(Bootstrap(count, seed=3).weights(units)))
    assert drawn.shape == (count, units)
    assert (drawn.sum(axis=1) == units).all()
    assert (drawn == np.concatenate(list(Bootstrap(count, seed=3).weights(units)))).all()


def test_an_interval_is_that_of_drawing_rows_again() -> None:
    """Drawing requests with numpy, one resample at a time, gives the same ends up to the noise of drawing."""
    random = np.random.default_rng(0)
    values = random.beta(0.5, 2, 400)
    values[::9] = np.nan
    interval = means({"m": values}, Bootstrap(4000))["m"].interval
    assert interval is not None
    plainly = [np.nanmean(random.choice(values, len(values))) for _ in range(4000)]
    width = interval.high - interval.low
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(plainly, [0.025, 0.975])), abs=width / 15)


def test_intervals_cover_the_mean_as_often_as_they_say() -> None:
    """Of 400 samples of 80 skewed values, 90% intervals cover the true mean in about 90%."""
    random = np.random.default_rng(1)
    samples = random.exponential(1.0, (80, 400))
    found = means({str(at): samples[:, at] for at in range(400)}, Bootstrap(500, level=0.9))
    covered = [one.interval is not None and one.interval.low <= 1 <= one.interval.high for one in found.values()]
    assert 0.84 < np.mean(covered) < 0.93


def test_pairs_of_rankings_are_compared_request_by_request() -> None:
    """What moves together cancels: the paired interval is narrow, and excludes 0 (1 for the ratio) by a small gain."""
    random = np.random.default_rng(2)
    second = random.random(300)
    first = second + random.normal(0.02, 0.03, 300)
    first[5], second[9] = np.nan, np.nan
    both = ~np.isnan(first - second)
    apart, times = difference(first, second, Bootstrap()), ratio(first, second, Bootstrap())
    assert (apart.requests, apart.left_out, times.requests) == (298, 2, 298)
    assert apart.value == pytest.approx(np.mean(first[both]) - np.mean(second[both]))
    assert times.value == pytest.approx(np.mean(first[both]) / np.mean(second[both]))
    assert apart.interval is not None
    assert times.interval is not None
    assert 0 < apart.interval.low < apart.value < apart.interval.high < 0.03
    assert 1 < times.interval.low < times.value < times.interval.high < 1.06


def test_ratios_of_several_pairs_are_those_of_each() -> None:
    """Value, counts and interval, though all come from one set of draws; without a bootstrap no interval."""
    random = np.random.default_rng(4)
    first, second, third = random.random((3, 40))
    first[3], third[:5] = np.nan, np.nan
    users = np.repeat(np.arange(20), 2)
    pairs = {"a": (first, second), "b": (third, first)}
    found = ratios(pairs, Bootstrap(50), users)
    assert list(found) == list(pairs)
    assert all(alike(found[name], ratio(*pair, Bootstrap(50), users)) for name, pair in pairs.items())
    assert ratios(pairs)["a"].interval is None
    assert ratios({}) == {}


def test_units_are_drawn_whole() -> None:
    """Ten equal requests of each user tell no more than one: the interval is as wide as that of users."""
    users = np.random.default_rng(3).random(60)
    repeated = np.repeat(users, 10)
    one, ten = (
        means({"m": users}, Bootstrap())["m"],
        means({"m": repeated}, Bootstrap(), np.repeat(np.arange(60), 10))["m"],
    )
    apart = means({"m": repeated}, Bootstrap())["m"]
    assert one.interval is not None
    assert ten.interval is not None
    assert apart.interval is not None
    assert (ten.interval.low, ten.interval.high) == pytest.approx((one.interval.low, one.interval.high))
    assert apart.interval.high - apart.interval.low < 0.5 * (one.interval.high - one.interval.low)


def test_one_request_has_no_interval_and_no_quotient_is_nan() -> None:
    """One request says nothing about another; a ratio to 0 and a mean of nothing are NaN, without a warning."""
    assert means({"m": np.array([0.5])}, Bootstrap())["m"].interval is None
    zero = ratio(np.ones(3), np.zeros(3), Bootstrap(20))
    assert np.isnan(zero.value)
    assert zero.interval is not None
    assert np.isnan(zero.interval.low)
    assert means({}) == {}


@settings(deadline=None, max_examples=50)
@given(REQUESTS, st.data())
def test_slices_of_requests_and_of_items_are_those_parts_alone(requests: list[Request], data: st.DataObject) -> None:
    """A slice of requests has their mean; in a slice of items only those are relevant, in the whole ranking."""
    labels = np.array(data.draw(st.lists(st.sampled_from("ab"), min_size=len(requests), max_size=len(requests))))
    ranked, wanted = candidates([one for one, _ in requests]), relevant([gains for _, gains in requests])
    values = {"ndcg@3": per_request("ndcg@3", judge(ranked, wanted))}
    for part in by_request(values, labels, SliceBy("country", min_rows=1)):
        mine = [plain("ndcg", one, 3) for one, label in zip(requests, labels, strict=True) if label == part.value]
        known = [value for value in mine if not np.isnan(value)]
        assert part.size == len(mine)
        assert part.values["ndcg@3"].value == pytest.approx(np.mean(known) if known else np.nan, nan_ok=True)
    kinds = np.array(["new", "old"] * 6)
    for part in by_item(["recall@2"], ranked, wanted, kinds, SliceBy("kind", min_rows=1)):
        kept = [
            (one, {item: gain for item, gain in gains.items() if kinds[item] == part.value}) for one, gains in requests
        ]
        mine = [plain("recall", one, 2) for one in kept]
        assert part.values["recall@2"].value == pytest.approx(np.nanmean(mine))
        assert part.size == sum(gain > 0 for _, gains in kept for gain in gains.values())


def test_small_slices_are_left_out() -> None:
    """Three requests of `b` are too few where five are asked for."""
    labels = np.array(["a"] * 6 + ["b"] * 3)
    parts = by_request({"m": np.arange(9.0)}, labels, SliceBy("country", min_rows=5), Bootstrap(50))
    assert [(part.column, part.value, part.size) for part in parts] == [("country", "a", 6)]
    assert parts[0].values["m"].interval is not None
