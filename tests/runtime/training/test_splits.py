"""Splits: no row twice, no look ahead, the published protocol."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.training import splits

DAY = 86_400_000_000
APRIL = 1_522_540_800_000_000  # 2018-04-01


def _disjoint(parts: splits.Parts, rows: int) -> None:
    together = np.concatenate([part for _, part in parts])
    assert len(np.unique(together)) == len(together)
    assert len(together) == 0 or (together.min() >= 0 and together.max() < rows)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=30, max_size=200), st.integers(0, 5))
def test_by_time_never_looks_ahead(moments: list[int], gap: int) -> None:
    """Every part lies later than the one before by more than the gap, and no other rows are dropped."""
    time = np.array(moments) * 1_000_000
    try:
        parts = splits.by_time(time, train=0.6, validate=0.2, test=0.2, gap=timedelta(seconds=gap))
    except RunError:
        assume(False)  # a part is empty; that has its own test
    _disjoint(parts, len(time))
    assert time[parts.validate].min() - time[parts.train].max() > gap * 1_000_000
    assert time[parts.test].min() - time[parts.validate].max() > gap * 1_000_000
    dropped = np.setdiff1d(np.arange(len(time)), np.concatenate([p for _, p in parts]))
    starts = (time[parts.validate].min(), time[parts.test].min())
    assert all(any(0 <= start - time[row] <= gap * 1_000_000 + 60_000_000 for start in starts) for row in dropped)


def test_by_time_without_gap_keeps_every_row_and_the_fractions() -> None:
    """Without ties and gap, the fractions hold to the row."""
    time = np.random.default_rng(0).permutation(1000)
    parts = splits.by_time(time, train=0.7, validate=0.15, test=0.15)
    assert [len(p) for _, p in parts] == [700, 150, 150]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 24), st.integers(0, 6), st.booleans()), min_size=60, max_size=250))
def test_by_dates_leaves_out_known_positives(events: list[tuple[int, int, bool]]) -> None:
    """A test row is kept exactly if its entity has no positive from the start to before the day less the delay."""
    day, entity, fraud = (np.array(column) for column in zip(*events, strict=True))
    day = np.append(day, [0, 14])
    entity = np.append(entity, [99, 98])
    fraud = np.append(fraud, [False, False])
    parts = splits.by_dates(
        APRIL + day * DAY, start=date(2018, 4, 1), train_days=7, gap_days=7, test_days=7,
        exclude_known_positives=entity, label=fraud,
    )  # fmt: skip
    expected = [
        row
        for row in range(len(day))
        if 14 <= day[row] < 21 and not np.any((entity == entity[row]) & fraud & (day < day[row] - 7))
    ]
    assert parts.test.tolist() == expected
    assert parts.train.tolist() == np.flatnonzero(day < 7).tolist()
    assert len(parts.validate) == 0


def test_by_dates_with_validation_repeats_the_gap() -> None:
    """Train 0-3, gap 4-5, validate 6-7, gap 8-9, test 10."""
    time = APRIL + np.arange(20) * DAY
    parts = splits.by_dates(time, start=date(2018, 4, 1), train_days=4, gap_days=2, validate_days=2, test_days=1)
    assert [p.tolist() for _, p in parts] == [[0, 1, 2, 3], [6, 7], [10]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=40, max_size=150), st.integers(0, 9))
def test_by_group_keeps_groups_whole(groups: list[int], seed: int) -> None:
    """No group is in two parts, and all rows are kept."""
    group = np.array([*groups, *range(31)])
    parts = splits.by_group(group, train=0.6, validate=0.2, test=0.2, seed=seed)
    _disjoint(parts, len(group))
    assert sum(len(p) for _, p in parts) == len(group)
    held = [set(group[p].tolist()) for _, p in parts]
    assert sum(map(len, held)) == len(set().union(*held))


@settings(max_examples=25, deadline=None)
@given(st.integers(20, 60), st.integers(60, 400), st.integers(0, 9))
def test_stratified_keeps_proportions(positives: int, negatives: int, seed: int) -> None:
    """Each class is divided at the fractions to one row, the same for the same seed."""
    label = np.random.default_rng(seed).permutation(np.repeat([1, 0], [positives, negatives]))
    parts = splits.stratified(label, train=0.6, validate=0.2, test=0.2, seed=seed)
    _disjoint(parts, len(label))
    for (_, rows), fraction in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert abs(label[rows].sum() - fraction * positives) <= 1
    again = splits.stratified(label, train=0.6, validate=0.2, test=0.2, seed=seed)
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(parts, again, strict=True))


def test_a_part_without_positives_is_refused() -> None:
    """The check with labels names the part."""
    parts = splits.by_time(np.arange(10), train=0.6, validate=0.2, test=0.2)
    with pytest.raises(RunError, match="part `test` has 2 rows and no positives"):
        splits.checked(parts, label=np.array([1, 0, 0, 0, 0, 0, 1, 0, 0, 0]))


def test_an_empty_part_and_wrong_fractions_are_refused() -> None:
    """A gap that swallows the validation part, and fractions that sum to 110%."""
    with pytest.raises(RunError, match=r"E6300.*`train`"):
        splits.by_time(np.arange(10), train=0.6, validate=0.2, test=0.2, gap=timedelta(seconds=1))
    with pytest.raises(RunError, match="E6302"):
        splits.by_time(np.arange(10), train=0.7, validate=0.2, test=0.2)


def test_the_column_names_each_row_of_a_part() -> None:
    """Rows in the gap have None."""
    parts = splits.by_dates(APRIL + np.arange(4) * DAY, start=date(2018, 4, 1), train_days=1, gap_days=1, test_days=1)
    assert parts.column(4) == ["train", None, "test", None]
