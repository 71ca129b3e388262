"""The stage that retrieves: who is asked for what, and what is said of each candidate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.ease import Ease
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.recent import Recent
from mlsd_framework.runtime.retrieval.retrieval import Ask, Retrieval, standardised
from mlsd_framework.runtime.retrieval.source import Source
from tests.runtime.retrieval.drawn import DAY, ITEMS, asked, history, logs

RETRIEVAL = Retrieval({"last": Ask(3), "like": Ask(2, new=True), "popular": Ask(4)}, n=6)


def sources_of(log: Interactions) -> dict[str, Source]:
    """Return three sources; the popular one answers whoever asks."""
    at = int(log.times[-1]) + 1 if len(log.times) else DAY
    return {
        "last": Recent.fit(),
        "like": Ease.fit(log, l2=5.0),
        "popular": Popularity.fit(log, at=at, window=90 * DAY),
    }


def held(histories: Histories, request: int) -> set[int]:
    """Return the items of a request's history."""
    return set(histories.request(request).items.tolist())


@given(logs(), st.integers(0, 12), st.integers(0, 5), st.booleans())
@settings(max_examples=30, deadline=None)
def test_many_requests_get_what_each_gets_alone(log: Interactions, n: int, quota: int, new: bool) -> None:
    """A batch is its requests one by one, in items, order and columns."""
    sources, histories = sources_of(log), asked(log)
    retrieval = Retrieval(
        {"popular": Ask(quota, new=new), "last": Ask(2), "like": Ask(3, new=True)}, n, standardise=new
    )
    together = retrieval.candidates(sources, histories)
    for request in range(histories.requests):
        alone = retrieval.candidates(sources, histories.request(request))
        rows = slice(together.offsets[request], together.offsets[request + 1])
        assert together.items[rows].tolist() == alone.items.tolist()
        assert list(together.columns) == list(alone.columns)
        for name, column in alone.columns.items():
            np.testing.assert_array_equal(together.columns[name][rows], column)


@given(logs(least=1))
@settings(max_examples=40, deadline=None)
def test_each_source_brings_what_it_is_asked_for(log: Interactions) -> None:
    """No more than its quota, and nothing of the history where new items are asked for."""
    sources, histories = sources_of(log), asked(log)
    found = RETRIEVAL.found(sources, histories)
    assert list(found) == ["last", "like", "popular"]
    for request in range(histories.requests):
        assert len(found["last"].of(request)) == min(3, len(held(histories, request)))
        assert len(found["popular"].of(request)) <= 4
        assert len(found["like"].of(request)) <= 2
        assert not held(histories, request) & set(found["like"].of(request).tolist())
    calls = RETRIEVAL.asking(sources, histories)
    for name, ask in calls.items():
        assert ask().items.tolist() == found[name].items.tolist()


@given(st.lists(st.lists(st.one_of(st.just(np.nan), st.integers(-3, 3).map(float)), max_size=6), max_size=5))
@settings(max_examples=80, deadline=None)
def test_a_standardised_score_is_off_the_mean_of_its_request(lists: list[list[float]]) -> None:
    """In standard deviations of the request's scores; NaN stays and does not count, and scores that are alike are 0."""
    lengths = [len(one) for one in lists]
    items = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths] or [np.empty(0, np.int32)])
    found = standardised(Candidates(offsets_of(lengths), items), np.concatenate([np.empty(0), *map(np.array, lists)]))
    expected: list[float] = []
    for one in lists:
        known = [score for score in one if not np.isnan(score)]
        spread = np.std(known) if known else 0.0
        expected += [np.nan if np.isnan(score) else (score - np.mean(known)) / (spread or 1.0) for score in one]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_source_alone_is_asked_as_the_pipeline_asks() -> None:
    """What it would recommend by itself leaves the history out where every source does, and not where one has it."""
    log = Interactions(np.array([0, 0, 1], np.int32), np.array([0, 1, 1], np.int32), np.arange(3) * DAY, 2, ITEMS)
    sources, asking = {"popular": Popularity.fit(log, at=4 * DAY)}, history((1, 1))
    for new, expected in ((True, [0]), (False, [1, 0])):
        assert Retrieval({"popular": Ask(2, new=new)}, n=5).alone(sources, asking)["popular"].of(0).tolist() == expected


@given(logs(least=1))
@settings(max_examples=40, deadline=None)
def test_columns_say_what_every_source_thinks(log: Interactions) -> None:
    """A score stands at each candidate that a source can score, a rank only where the source found it."""
    sources, histories = sources_of(log), asked(log)
    found = RETRIEVAL.found(sources, histories)
    merged = RETRIEVAL.merged(sources, found, histories)
    assert list(merged.columns) == [
        f"candidates.{name}_{what}" for name in ("last", "like", "popular") for what in ("score", "rank")
    ]
    assert (merged.lengths <= 6).all()
    for name, source in sources.items():
        np.testing.assert_array_equal(merged.columns[f"candidates.{name}_score"], source.score(histories, merged))
        ranks = merged.columns[f"candidates.{name}_rank"]
        for row, (request, item) in enumerate(zip(merged.request_of, merged.items, strict=True)):
            own = found[name].of(int(request)).tolist()
            assert (ranks[row] == own.index(item)) if item in own else np.isnan(ranks[row])


@pytest.mark.parametrize("missing", ["last", "like", "popular"])
def test_a_source_that_did_not_answer_has_empty_columns(missing: str) -> None:
    """The others are merged; what the missing one thinks is NaN, its score too."""
    log = Interactions(np.array([0, 0, 1, 1], np.int32), np.array([0, 1, 0, 2], np.int32), np.arange(4) * DAY, 2, ITEMS)
    sources, histories = sources_of(log), history((0, 1), (1, 2))
    found = RETRIEVAL.found(sources, histories)
    rest = {name: one for name, one in found.items() if name != missing}
    merged = RETRIEVAL.merged(sources, rest, histories)
    assert set(merged.items.tolist()) == {item for one in rest.values() for item in one.items.tolist()}
    assert len(merged.columns) == 6
    for what in ("score", "rank"):
        assert np.isnan(merged.columns[f"candidates.{missing}_{what}"]).all()
        assert all(np.isfinite(merged.columns[f"candidates.{name}_{what}"]).any() for name in rest)


def test_no_answer_at_all_is_no_candidates() -> None:
    """Without any source that answered there are no rows, and all columns."""
    merged = RETRIEVAL.merged({}, {}, history((0, 1)))
    assert (merged.requests, len(merged.items), len(merged.columns)) == (1, 0, 6)


def test_an_empty_history_is_answered_by_what_is_popular() -> None:
    """Sources that work from histories find nothing; where none else is asked nothing is found."""
    log = Interactions(np.array([0, 1, 1], np.int32), np.array([2, 2, 5], np.int32), np.arange(3) * DAY, 2, ITEMS)
    sources, nobody = sources_of(log), history()
    merged = RETRIEVAL.candidates(sources, nobody)
    assert merged.items.tolist() == [2, 5]
    assert np.isnan(merged.columns["candidates.like_score"]).all()
    alone = Retrieval({"last": Ask(3), "like": Ask(3)}, n=6).candidates(sources, nobody)
    assert (alone.requests, len(alone.items)) == (1, 0)


def test_a_source_alone_recommends_of_everything() -> None:
    """What merging has to beat holds items of the history too, and as many as the pipeline."""
    log = Interactions(np.array([0, 0, 1, 1], np.int32), np.array([0, 1, 0, 1], np.int32), np.arange(4) * DAY, 2, ITEMS)
    sources, histories = sources_of(log), history((0, 1))
    assert RETRIEVAL.found(sources, histories)["like"].items.tolist() == [1]
    assert sorted(RETRIEVAL.alone(sources, histories)["like"].items.tolist()) == [0, 1]
