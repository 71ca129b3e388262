"""The best of many scores, beside sorting them all."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.best import best

SCORES = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan, -np.inf]), max_size=40)


@given(SCORES, st.integers(0, 45), st.sampled_from([-np.inf, 0.0]))
@settings(deadline=None)
def test_the_best_are_those_of_sorting(scores: list[float], number: int, floor: float) -> None:
    """The largest first, of equal ones the lower code, none at or below the floor, never NaN."""
    codes = np.arange(len(scores), dtype=np.int32) * 2 + 1
    items, found = best(np.array(scores, np.float64), codes, number, floor)
    order = sorted(
        (place for place, one in enumerate(scores) if one > floor), key=lambda place: (-scores[place], place)
    )
    assert items.tolist() == [codes[place] for place in order[:number]]
    assert found.tolist() == [scores[place] for place in order[:number]]
