"""A log as it was known at a moment."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.interactions import Interactions

EVENTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 20), st.integers(0, 8)), max_size=40)


def log_of(events: list[tuple[int, int, int, int]]) -> Interactions:
    """Return the log of events (user, item, time, delay), users coded as `interactions` codes them."""
    rows = sorted(events, key=lambda one: one[2])
    keys = tuple(sorted({user for user, *_ in rows}))
    return Interactions(
        np.array([keys.index(user) for user, *_ in rows], np.int32),
        np.array([item for _, item, *_ in rows], np.int32),
        np.array([time for *_, time, _ in rows], np.int64),
        len(keys),
        6,
        keys,
        np.array([time + delay for *_, time, delay in rows], np.int64),
    )


@given(EVENTS, EVENTS, st.integers(0, 25))
def test_what_was_known_does_not_depend_on_what_came_later(
    events: list[tuple[int, int, int, int]], others: list[tuple[int, int, int, int]], moment: int
) -> None:
    """A log as of a moment is that of the events before it, written by then, whatever else the whole log holds."""
    known = [one for one in events if one[2] < moment and one[2] + one[3] <= moment]
    later = [one for one in others if one[2] >= moment or one[2] + one[3] > moment]
    whole, alone = log_of([*events, *later]).as_of(moment), log_of(known)
    assert (whole.user_keys, whole.user_count, whole.item_count) == (alone.user_keys, alone.user_count, 6)
    assert whole.users.tolist() == alone.users.tolist()
    assert whole.items.tolist() == alone.items.tolist()
    assert whole.times.tolist() == alone.times.tolist()
    assert whole.users.dtype == np.int32
