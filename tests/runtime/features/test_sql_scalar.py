"""The scalar home against brute force: the calendar, patterns, rounding and Kleene's tables."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.features import sql
from mlsd_framework.runtime.features.sql_calendar import civil, days_before

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is beside it


@settings(max_examples=200, deadline=None)
@given(moment=MOMENTS)
def test_the_calendar_is_that_of_datetime(moment: datetime) -> None:
    """Every part of a moment, before 1970 too, is what Python's datetime says."""
    ts = (moment - EPOCH) // timedelta(microseconds=1)
    parts = (sql.year(ts), sql.month(ts), sql.day(ts), sql.hour(ts), sql.minute(ts), sql.second(ts))
    assert parts == moment.timetuple()[:6]
    assert (sql.day_of_week(ts), sql.day_of_year(ts)) == (moment.isoweekday(), moment.timetuple().tm_yday)
    assert sql.date_trunc("month", ts) == (
        moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - EPOCH
    ) // (timedelta(microseconds=1))


@given(days=st.integers(-(10**8), 10**8))
def test_days_and_dates_go_back_and_forth(days: int) -> None:
    """A date far outside datetime's range is still one and the same day."""
    year, month, day = civil(days)
    assert days_before(year, month) + day - 1 == days


def matches(text: str, pattern: str) -> bool:
    """Match by trying everything."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(matches(text[k:], pattern[1:]) for k in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and matches(text[1:], pattern[1:])


@settings(max_examples=300, deadline=None)
@given(text=st.text("ab.\n*", max_size=7), pattern=st.text("ab.%_*\n", max_size=6))
def test_like_is_the_pattern_tried_everywhere(text: str, pattern: str) -> None:
    """`%` and `_` match as SQL says, and characters special to regular expressions are plain."""
    assert sql.like(text, pattern) == matches(text, pattern)


def test_like_does_not_try_again_and_again() -> None:
    """A pattern of many wildcards over a long text ends; backtracking would take years."""
    assert sql.like("a" * 20_000, "%a" * 20 + "%b") is False


@pytest.mark.parametrize("a", [True, False, None])
@pytest.mark.parametrize("b", [True, False, None])
def test_logic_is_kleenes(*, a: bool | None, b: bool | None) -> None:
    """A known operand decides where it can, else null is unknown."""
    unknown = {True, False}
    left, right = ({a} if a is not None else unknown), ({b} if b is not None else unknown)
    both, either = {x and y for x in left for y in right}, {x or y for x in left for y in right}
    assert sql.and_(a, b) == (both.pop() if len(both) == 1 else None)
    assert sql.or_(a, b) == (either.pop() if len(either) == 1 else None)


def test_integers_stay_at_the_ends_of_int64() -> None:
    """Sums and products that do not fit stay at the end on their side."""
    top, bottom = sql.INT64_MAX, sql.INT64_MIN
    assert sql.add(top, 1) == top
    assert sql.mul(bottom, 2) == bottom
    assert sql.neg(bottom) == top
    assert sql.abs_(bottom) == top
    assert sql.mod(bottom, -1) == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None, 0.0, -0.0, 1e308, -1e308, 5e-324])
def test_no_function_of_numbers_raises(value: float | None) -> None:
    """Whatever a request brings, a function gives a number or null."""
    one = (sql.sqrt, sql.exp, sql.ln, sql.log10, sql.sin, sql.cos, sql.tan, sql.asin, sql.acos, sql.atan, sql.radians)
    kept = (sql.abs_, sql.round_, sql.floor, sql.ceil, sql.sign, sql.neg, sql.to_int64, sql.to_float64, sql.to_bool)
    for function in (*one, *kept):
        function(value)
    for pair in (sql.div, sql.mod, sql.power, sql.atan2, sql.add, sql.mul):
        pair(value, 3)
        pair(3.0, value)
