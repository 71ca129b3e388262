"""Quantities: what is read, what is refused, and that what is written is read back the same."""

from datetime import timedelta
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mlsd_framework.spec.quantities import (
    Count,
    Duration,
    Fraction,
    OneOrMore,
    Rate,
    Size,
    parse_duration,
    write_duration,
)

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
FRACTION: TypeAdapter[float] = TypeAdapter(Fraction)
RATE: TypeAdapter[float] = TypeAdapter(Rate)
COUNT: TypeAdapter[int] = TypeAdapter(Count)
SIZE: TypeAdapter[int] = TypeAdapter(Size)


@given(st.timedeltas(timedelta(0), timedelta(days=36500)))
@settings(max_examples=200, deadline=None)
def test_a_duration_that_is_written_is_read_back(length: timedelta) -> None:
    """Writing and reading a length of time loses no microsecond."""
    assert parse_duration(write_duration(length)) == length
    assert DURATION.validate_python(DURATION.dump_python(length)) == length


@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.sampled_from(("us", "ms", "s", "m", "h", "d", "w"))), min_size=1, max_size=5
    )
)
@settings(max_examples=200, deadline=None)
def test_parts_of_a_duration_add_up(parts: list[tuple[int, str]]) -> None:
    """`1h30m` is an hour and thirty minutes, in whatever order."""
    sizes = {
        "us": 1,
        "ms": 10**3,
        "s": 10**6,
        "m": 60 * 10**6,
        "h": 3600 * 10**6,
        "d": 86400 * 10**6,
        "w": 7 * 86400 * 10**6,
    }
    total = timedelta(microseconds=sum(count * sizes[unit] for count, unit in parts))
    assert parse_duration("".join(f"{count}{unit}" for count, unit in parts)) == total


@given(st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_a_percentage_is_its_share(hundredths: int) -> None:
    """`12.5%` and 0.125 are one number, without the dust of division."""
    share = round(hundredths / 10_000, 12)
    assert FRACTION.validate_python(f"{hundredths / 100:.2f}%") == share
    assert FRACTION.validate_python(share) == share


@given(st.integers(0, 2**50))
@settings(max_examples=100, deadline=None)
def test_a_size_and_a_count_that_are_written_are_read_back(number: int) -> None:
    """Bytes and numbers of things keep their value."""
    assert SIZE.validate_python(SIZE.dump_python(number)) == number
    assert COUNT.validate_python(number) == number


@given(st.floats(0.01, 1e9))
@settings(max_examples=200, deadline=None)
def test_a_rate_that_is_written_is_read_back(rate: float) -> None:
    """A rate loses no more than its sixth digit."""
    assert RATE.validate_python(RATE.dump_python(rate)) == pytest.approx(rate, rel=1e-5)


@pytest.mark.parametrize(
    ("adapter", "text", "value"),
    [
        (DURATION, "1h30m", timedelta(minutes=90)),
        (DURATION, "1.5h", timedelta(minutes=90)),
        (DURATION, 0, timedelta(0)),
        (FRACTION, "70%", 0.7),
        (FRACTION, 1, 1.0),
        (RATE, "2000/s", 2000.0),
        (RATE, "10k/m", 10_000 / 60),
        (RATE, "8.64M/d", 100.0),
        (COUNT, "142k", 142_000),
        (COUNT, "1.5M", 1_500_000),
        (SIZE, "64KB", 65_536),
        (SIZE, "0.5GB", 2**29),
    ],
)
def test_quantities_are_read_as_people_write_them(adapter: TypeAdapter[Any], text: object, value: object) -> None:
    """The examples of the reference."""
    assert adapter.validate_python(text) == value


@pytest.mark.parametrize(
    ("adapter", "text"),
    [
        *((DURATION, text) for text in ("", "7", "7 d", "d", "-1d", "1x", "1D", "1e3s", "٣d", "1d\n", "1d" * 30)),
        *((DURATION, value) for value in ("9" * 30 + "d", 7, 0.5, True, None, [])),
        *((FRACTION, text) for text in ("", "70", "101%", "-1%", "%", "٣%")),
        *((FRACTION, value) for value in (1.01, -0.1, True, None, float("nan"), float("inf"))),
        *((RATE, text) for text in ("2000", "/s", "2000/y", "-1/s", 2000, None, "9" * 400 + "T/s", "2K/s")),
        *((COUNT, text) for text in ("", "-1", -1, 1.5, True, None, "1.0005k", "k", "9" * 400 + "T")),
        *((SIZE, text) for text in ("64", 64, "-1KB", "1PB", "KB", None, True, "64kb", "9" * 400 + "TB")),
    ],
)  # fmt: skip
def test_what_is_no_quantity_is_refused(adapter: TypeAdapter[Any], text: object) -> None:
    """Whatever could be read in two ways is not read at all."""
    with pytest.raises(ValidationError):
        adapter.validate_python(text)


def test_a_list_may_be_written_as_its_only_item() -> None:
    """`key: card_id` is short for `key: [card_id]`."""
    adapter: TypeAdapter[list[str]] = TypeAdapter(Annotated[list[str], OneOrMore])
    assert adapter.validate_python("card_id") == adapter.validate_python(["card_id"]) == ["card_id"]
