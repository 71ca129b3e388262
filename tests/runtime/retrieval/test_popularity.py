"""Popularity: counts that fade, by segment, and those of all where a segment is unknown."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.popularity import Popularity
from tests.runtime.retrieval.drawn import DAY, ITEMS, asked, check_batch, check_file, history, logs, rows_of


@given(logs(), st.sampled_from([0, 9 * DAY]), st.sampled_from([0, 4 * DAY]), st.booleans(), st.integers(-1, 4))
@settings(max_examples=60, deadline=None)
def test_popularity_is_counted_as_by_hand(
    log: Interactions, window: int, half_life: int, shrunk: bool, segment: int
) -> None:
    """Each item's share of the segment's events, faded, windowed and begun with those of all."""
    at = 35 * DAY
    segments = log.users % 3
    shrinkage = 2.0 if shrunk else 0.0
    model = Popularity.fit(
        log, at=at, window=window, half_life=half_life, segments=segments, shrinkage=shrinkage, keep=ITEMS
    )
    of_all, own = np.zeros(ITEMS), np.zeros(ITEMS)
    for user, item, time in zip(log.users, log.items, log.times, strict=True):
        age = at - int(time)
        if age > 0 and (not window or age <= window):
            weight = 0.5 ** (age / half_life) if half_life else 1.0
            of_all[item] += weight
            own[item] += weight * (user % 3 == segment)
    share = of_all / (of_all.sum() or 1.0)
    scores = share
    if segment in set(segments.tolist()) or 0 <= segment <= max(segments.tolist(), default=-1):
        scores = (own + shrinkage * share) / ((own.sum() + shrinkage) or 1.0)
    found = rows_of(model.retrieve(history(at=35), ITEMS, np.array([segment])))
    assert {item for item, _ in found} <= set(np.flatnonzero(share).tolist())
    assert dict(found) == pytest.approx({item: scores[item] for item, _ in found})
    assert [score for _, score in found] == pytest.approx(sorted(scores[share > 0], reverse=True))


@given(logs(), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_many_requests_get_what_each_gets_alone(log: Interactions, n: int) -> None:
    """Batch equals one by one."""
    check_batch(Popularity.fit(log), asked(log), n)


def test_an_unseen_segment_gets_what_is_popular_with_all() -> None:
    """A segment without a row falls back to all, a new one and none alike."""
    log = Interactions(np.zeros(5, np.int32), np.array([0, 0, 1, 2, 2], np.int32), np.arange(5) * DAY, 1, 4)
    model = Popularity.fit(log, segments=np.array([0, 0, 1, 1, 0]), shrinkage=0.0, keep=3)
    asking = history()
    assert [item for item, _ in rows_of(model.retrieve(asking, 1, np.array([0])))] == [0]
    of_all = rows_of(model.retrieve(asking, 3))
    assert [item for item, _ in of_all] == [0, 2, 1]
    for segment in (-1, 2, 99):
        assert rows_of(model.retrieve(asking, 3, np.array([segment]))) == of_all
        found = model.retrieve(asking, 3, np.array([segment]))
        np.testing.assert_array_equal(model.score(asking, found, np.array([segment])), [score for _, score in of_all])


def test_it_comes_back_from_its_file_and_a_wrong_file_is_refused(tmp_path: Path) -> None:
    """What is saved is loaded; damaged files give E6471, contradicting ones E6472."""
    log = Interactions(np.zeros(5, np.int32), np.array([0, 0, 1, 2, 2], np.int32), np.arange(5) * DAY, 1, 4)
    check_file(Popularity.fit(log), tmp_path, "items", np.full((1, 3), -1))
