"""Candidates: rows of several requests keep together whatever is done with them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of

REQUESTS = st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), max_size=6), min_size=1, max_size=4)


def _made(scores: list[list[float]]) -> Candidates:
    flat = [score for one in scores for score in one]
    items = np.array([place for one in scores for place in range(len(one))], np.int32)
    return Candidates(offsets_of(np.array([len(one) for one in scores])), items, {"score": np.array(flat, np.float64)})


@given(REQUESTS)
def test_each_request_is_ordered_by_itself(scores: list[list[float]]) -> None:
    """Rows are ordered within their request, largest first, NaN last, equal ones as they were."""
    ordered = _made(scores).ordered("score")
    for request, one in enumerate(scores):
        expected = sorted(range(len(one)), key=lambda i: (np.isnan(one[i]), -one[i] if not np.isnan(one[i]) else 0.0))
        assert ordered.of(request).tolist() == expected


@given(REQUESTS, st.integers(0, 5))
def test_the_first_rows_of_each_request_are_taken(scores: list[list[float]], number: int) -> None:
    """No request has more rows than asked for, and each has its first."""
    taken = _made(scores).top(number)
    assert [taken.of(i).tolist() for i in range(taken.requests)] == [list(range(min(len(s), number))) for s in scores]
    assert len(taken.columns["score"]) == len(taken.items)
