"""Filters take away what they say, count each row once, and keep the order of the rest."""

import numpy as np
import pytest
from hypothesis import given, settings

from mlsd_framework.runtime.reranking import filters
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.interactions import Histories
from tests.runtime.reranking.drawn import CATALOGUE, LENGTHS, SEEDS, alone, check_batch, drawn


def _histories(requests: int, seed: int) -> Histories:
    random = np.random.default_rng(seed)
    lengths = random.integers(0, 8, requests)
    at = random.integers(100, 120, requests)
    times = [np.sort(random.integers(at[i] - 20, at[i], lengths[i])) for i in range(requests)]
    items = random.integers(0, CATALOGUE, lengths.sum()).astype(np.int32)
    return Histories(offsets_of(lengths), items, np.concatenate(times), at)


@settings(deadline=None)
@given(LENGTHS, SEEDS)
def test_recently_interacted_is_met_within_the_duration(lengths: list[int], seed: int) -> None:
    """An item counts that its own request met less than the duration ago, and not at exactly that age."""
    candidates, histories = drawn(lengths, seed), _histories(len(lengths), seed)
    met = filters.recently_interacted(candidates, histories, 7)
    for row, request in enumerate(candidates.request_of):
        past = slice(histories.offsets[request], histories.offsets[request + 1])
        ages = histories.at[request] - histories.times[past]
        assert met[row] == bool(np.any((ages < 7) & (histories.items[past] == candidates.items[row])))


@settings(deadline=None)
@given(LENGTHS, SEEDS)
def test_a_row_is_counted_under_its_first_reason(lengths: list[int], seed: int) -> None:
    """What is left and what is counted are all rows, and one request alone has the same."""
    candidates = drawn(lengths, seed)
    masks = np.random.default_rng(seed).random((2, len(candidates.items))) < 0.4
    found = filters.remove(candidates, {"one": masks[0], "two": masks[1]})
    for request in range(candidates.requests):
        one, rows = alone(candidates, request)
        assert found.candidates.of(request).tolist() == one.items[~masks[:, rows].any(axis=0)].tolist()
        assert found.removed["one"][request] == masks[0, rows].sum()
        assert found.removed["two"][request] == (masks[1] & ~masks[0])[rows].sum()
    check_batch(lambda c, rows, _: filters.remove(c, {"one": masks[0, rows]}).candidates, candidates)


def test_nulls_pass_as_it_is_said() -> None:
    """A null flag does not pass and a null stock does, unless said otherwise; columns are of any type."""
    flags = np.array([True, False, None, float("nan")], object)
    assert filters.not_true(flags).tolist() == [False, True, True, True]
    assert filters.not_true(flags, null_passes=True).tolist() == [False, True, False, False]
    assert filters.not_true(np.array([1, 0], np.int8)).tolist() == [False, True]
    stock = np.array([3, 0, -1, np.nan])
    assert filters.out_of_stock(stock).tolist() == [False, True, True, False]
    assert filters.out_of_stock(stock, null_passes=False).tolist() == [False, True, True, True]


def test_arrays_of_other_rows_are_refused() -> None:
    """A mask that is not one a row, or histories of other requests, are told before anything is read."""
    candidates = Candidates(np.array([0, 2]), np.array([1, 2], np.int32))
    with pytest.raises(ValueError, match="2 rows and 1 values of old"):
        filters.remove(candidates, {"old": np.array([True])})
    with pytest.raises(ValueError, match="1 requests and 3 histories"):
        filters.recently_interacted(candidates, _histories(3, 0), 1)
