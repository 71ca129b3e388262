"""What sources share: a history that several of them are asked with, and candidates that it does not hold."""

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.als import Als
from mlsd_framework.runtime.retrieval.buy_again import BuyAgain
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.ease import Ease
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions
from mlsd_framework.runtime.retrieval.item_item import ItemItem
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.profile import Weighting
from mlsd_framework.runtime.retrieval.recent import Recent
from mlsd_framework.runtime.retrieval.segments import SegmentPopularity
from mlsd_framework.runtime.retrieval.source import Source, unseen
from tests.runtime.retrieval.drawn import DAY, ITEMS, asked, logs

HOW = Weighting(5 * DAY, "log")
EVERY = Candidates(np.array([0, ITEMS]), np.arange(ITEMS, dtype=np.int32))
ASKS: tuple[Callable[[Source, Histories], np.ndarray], ...] = (
    lambda source, histories: _table(source.retrieve(histories, 3)),
    lambda source, histories: _table(source.retrieve_new(histories, 3)),
    lambda source, histories: source.score(histories, EVERY),
)


def _table(found: Candidates) -> np.ndarray:
    return np.stack([found.items, found.columns["score"]])


def _sources(log: Interactions) -> list[Source]:
    """Return sources of which some weigh events alike; the last two are of one kind and differ."""
    factors = np.random.default_rng(1).normal(size=(2, ITEMS)).astype(np.float32)
    gram = np.eye(2) + factors.astype(np.float64) @ factors.T
    return [
        BuyAgain.fit(log, horizon=7 * DAY),
        Popularity.fit(log),
        Als(np.arange(ITEMS, dtype=np.int32), factors, gram, 2.0, HOW.half_life, HOW.amount),
        ItemItem.fit(log, weighting=HOW),
        Ease.fit(log, l2=1.0, weighting=HOW),
        Ease.fit(log, l2=9.0),
    ]


@given(logs(least=1), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_what_was_asked_before_changes_no_answer(log: Interactions, turns: list[tuple[int, int]]) -> None:
    """Whatever sources were asked with a history, and in whatever order, each answers as with one of its own."""
    sources = _sources(log)
    for request in range(3):
        shared = asked(log).request(request)
        for source, ask in turns:
            given_alone = ASKS[ask](sources[source], asked(log).request(request))
            np.testing.assert_array_equal(ASKS[ask](sources[source], shared), given_alone)


@given(logs(least=1), st.lists(st.booleans(), max_size=ITEMS + 2), st.integers(1, ITEMS))
@settings(max_examples=40, deadline=None)
def test_what_is_allowed_is_the_best_of_all_that_is(log: Interactions, allows: list[bool], n: int) -> None:
    """Asked for some items, a source gives the first of all that it finds that are among them, with their scores."""
    histories, allowed = asked(log), np.array(allows, np.bool_)
    by_segment = SegmentPopularity.fit(log, [str(user % 2) for user in range(log.user_count)], "kind", half_life=DAY)
    column = np.array(["0", "1", None] * histories.requests, object)[: histories.requests]
    histories = Histories(histories.offsets, histories.items, histories.times, histories.at, {"kind": column})
    for source in (*_sources(log), Recent.fit(), by_segment):
        for retrieve in (source.retrieve, source.retrieve_new):
            everything, found = retrieve(histories, ITEMS), retrieve(histories, n, allowed=allowed)
            kept = everything.where(np.isin(everything.items, np.flatnonzero(allowed))).top(n)
            assert found.offsets.tolist() == kept.offsets.tolist()
            np.testing.assert_array_equal(_table(found), _table(kept))


@given(st.lists(st.tuples(st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 12))), max_size=4))
def test_items_of_a_history_are_left_out(requests: list[tuple[list[int], list[int]]]) -> None:
    """Each request keeps the candidates that its own history does not hold, in their order."""
    items = np.array([item for found, _ in requests for item in found], np.int32)
    held = np.array([item for _, seen in requests for item in seen], np.int32)
    candidates = Candidates(offsets_of([len(found) for found, _ in requests]), items, {"place": np.arange(len(items))})
    lengths = offsets_of([len(seen) for _, seen in requests])
    histories = Histories(lengths, held, np.zeros(len(held), np.int64), np.zeros(len(requests), np.int64))
    kept = unseen(candidates, histories)
    wanted = [[item for item in found if item not in seen] for found, seen in requests]
    assert [kept.of(request).tolist() for request in range(len(requests))] == wanted
    assert items[kept.columns["place"]].tolist() == kept.items.tolist()
