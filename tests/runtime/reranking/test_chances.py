"""The chances that a pipeline shows an item in a place are those of the function of one request, and of many draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.reranking import epsilon_greedy, thompson
from mlsd_framework.runtime.reranking.chances import Chances
from mlsd_framework.runtime.reranking.posteriors import posteriors_of
from mlsd_framework.runtime.reranking.seeds import seeds_of
from mlsd_framework.runtime.reranking.slots import Slots
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of

LISTS = st.lists(st.lists(st.integers(0, 9), unique=True, max_size=8), min_size=1, max_size=4)


def candidates(lists: list[list[int]]) -> Candidates:
    """Return lists of items as the candidates of requests."""
    return Candidates(offsets_of([len(one) for one in lists]), np.array([i for one in lists for i in one], np.int32))


@given(LISTS, st.floats(0, 1), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_of_many_requests_are_those_of_each(lists: list[list[int]], epsilon: float, seed: int) -> None:
    """Every item in every place of every request has the probability that the table of the one request has."""
    found = candidates(lists)
    explorable = np.random.default_rng(seed).random(len(found.items)) < 0.7
    slots = Slots((1, 3), k=3, pool=2)
    every = epsilon_greedy.all_chances(found, explorable, slots, epsilon)
    for request in range(found.requests):
        rows = slice(found.offsets[request], found.offsets[request + 1])
        table = epsilon_greedy.chances(found.between(request, request + 1), explorable[rows], slots, epsilon)
        for place in range(4):
            wanted = dict(zip(lists[request], table[place], strict=True)) if place < len(table) else {}
            items = np.arange(-1, 10, dtype=np.int32)
            said = every.at(np.full(11, request), np.full(11, place), items)
            assert said == pytest.approx([wanted.get(item, 0.0) for item in range(-1, 10)])
            values = np.arange(len(every.items)) * 1.0
            mean = every.expected(np.array([request]), np.array([place]), values)
            own = (every.requests == request) & (every.places == place)
            assert mean[0] == pytest.approx(float((every.chances * values)[own].sum()))


@given(LISTS)
def test_without_draws_an_item_stands_where_it_stands(lists: list[list[int]]) -> None:
    """Its probability is 1 there and 0 anywhere else."""
    found = Chances.certain(candidates(lists))
    for request, items in enumerate(lists):
        for place in range(9):
            at = found.at(np.full(10, request), np.full(10, place), np.arange(10, dtype=np.int32))
            assert at.tolist() == [float(place < len(items) and items[place] == item) for item in range(10)]


def test_chances_of_thompson_are_how_often_it_draws() -> None:
    """Over many draws each item stands in each place about as often as it is said to."""
    lists = [[3, 1, 4, 0, 5, 9], [2, 6, 8]]
    found = candidates(lists)
    explorable, slots = np.ones(9, np.bool_), Slots((2, 3), k=3)
    known = posteriors_of(np.arange(9.0), np.full(9, 10.0))
    every = thompson.all_chances(found, explorable, known, slots)
    counts = np.zeros((2, 3, 10))
    for draw in range(2000):
        shown = thompson.thompson(found, explorable, known, seeds_of([f"{draw} a", f"{draw} b"]), slots).top(3)
        counts[shown.request_of, shown.place_of, shown.items] += 1
    for (request, place, item), count in np.ndenumerate(counts):
        said = every.at(np.array([request]), np.array([place]), np.array([item], np.int32))[0]
        assert count / 2000 == pytest.approx(said, abs=0.05)
