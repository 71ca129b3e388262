"""Caps and spread give what their plain definitions give, row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.reranking.caps import Cap, capped
from mlsd_framework.runtime.reranking.conditions import codes_of
from mlsd_framework.runtime.reranking.spread import spread
from tests.runtime.reranking.drawn import LENGTHS, SEEDS, check_batch, drawn


def _plain_cap(values: list[list[int]], most: list[int], k: int, *, drop: bool) -> list[int]:
    taken: list[int] = []
    over: list[int] = []
    rows = range(len(values[0]))
    for row in rows:
        if len(taken) == k:
            break
        counts = [sum(one[at] == one[row] for at in taken) for one in values]
        fits = all(one[row] < 0 or count < m for one, count, m in zip(values, counts, most, strict=True))
        (taken if fits else over).append(row)
    return taken + [row for row in rows if row not in taken and not (drop and row in over)]


def _plain_spread(values: list[int], gap: int, k: int) -> list[int]:
    shown: list[int] = []
    left = list(range(len(values)))
    while left and len(shown) < k:
        recent = [values[row] for row in shown[-gap:][::-1]] if gap else []
        ago = {r: recent.index(values[r]) if values[r] >= 0 and values[r] in recent else gap for r in left}
        best = max(left, key=lambda r: (ago[r], -r))
        shown.append(best)
        left.remove(best)
    return shown + left


@settings(deadline=None)
@given(LENGTHS, SEEDS, st.integers(1, 14), st.booleans())
def test_caps_take_the_best_rows_that_they_allow(lengths: list[int], seed: int, k: int, drop: bool) -> None:
    """Two caps at once, nulls uncapped, k beyond the list: as by the plain definition, and one by one."""
    candidates = drawn(lengths, seed)
    values = np.random.default_rng(seed).integers(-1, 4, (2, len(candidates.items)))
    found = check_batch(
        lambda c, rows, _: capped(
            c, [Cap(values[0, rows], 2), Cap(values[1, rows], 1)], k, overflow="drop" if drop else "behind"
        ),
        candidates,
    )
    for request in range(candidates.requests):
        part = values[:, candidates.offsets[request] : candidates.offsets[request + 1]].tolist()
        order = _plain_cap(part, [2, 1], k, drop=drop)
        assert found.of(request).tolist() == candidates.of(request)[order].tolist()


@settings(deadline=None)
@given(LENGTHS, SEEDS, st.integers(1, 14), st.integers(0, 4))
def test_spread_keeps_values_apart(lengths: list[int], seed: int, k: int, gap: int) -> None:
    """As by the plain definition, and one by one; a gap of 0 leaves the order as it is."""
    candidates = drawn(lengths, seed)
    values = np.random.default_rng(seed).integers(-1, 4, len(candidates.items))
    found = check_batch(lambda c, rows, _: spread(c, values[rows], gap, k), candidates)
    for request in range(candidates.requests):
        part = values[candidates.offsets[request] : candidates.offsets[request + 1]].tolist()
        assert found.of(request).tolist() == candidates.of(request)[_plain_spread(part, gap, k)].tolist()
        if gap == 0:
            assert found.of(request).tolist() == candidates.of(request).tolist()


def test_codes_are_equal_where_values_are() -> None:
    """Texts and numbers become codes, nulls -1, also where all are null or there is none."""
    assert codes_of(np.array(["b", None, "a", "b"], object)).tolist() == [0, -1, 1, 0]
    assert codes_of(np.array([2.5, np.nan])).tolist() == [0, -1]
    assert codes_of(np.array([None], object)).tolist() == [-1]
    assert codes_of(np.zeros(0, object)).tolist() == []


def test_what_cannot_be_capped_or_spread_is_refused() -> None:
    """Ranks below 1, caps and gaps below 0, and values of other rows are told."""
    candidates = drawn([3], 0)
    codes = np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="rank 1 at least, not 0"):
        capped(candidates, [], 0)
    with pytest.raises(ValueError, match="0 or more, not -1"):
        capped(candidates, [Cap(codes, -1)], 1)
    with pytest.raises(ValueError, match="3 rows and 2 values"):
        spread(candidates, codes[:2], 1, 1)
    with pytest.raises(ValueError, match="0 or more rows, not -1"):
        spread(candidates, codes, -1, 1)
    assert capped(candidates, [], 1) is candidates
