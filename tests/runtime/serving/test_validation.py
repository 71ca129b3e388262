"""What is said about wrong requests, and that it agrees with msgspec about right ones."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct

from mlsd_framework.runtime.serving.moments import Moment, microseconds
from mlsd_framework.runtime.serving.validation import MalformedError, UnfitError, explain


class Device(Struct, forbid_unknown_fields=True):
    """A nested part."""

    kind: str
    risk: Annotated[float, Meta(ge=0, le=1)]


class Row(Struct, forbid_unknown_fields=True):
    """A request."""

    amount: Annotated[float, Meta(ge=0)]
    ts: Moment
    count: int = 0
    tags: list[str] = []
    kinds: Annotated[tuple[Literal["new", "used"], ...], Meta(max_length=3)] = ()
    device: Device | None = None


RIGHT = {"amount": 1.5, "ts": "2026-01-31T12:00:00+01:00"}


def faults(value: object) -> dict[str, tuple[str, str]]:
    """Return what is wrong with `value`, by path."""
    with pytest.raises(UnfitError) as found:
        explain(msgspec.json.encode(value), Row, 32)
    return {fault.path: (fault.expected, fault.got) for fault in found.value.faults}


def test_nested_paths_are_whole() -> None:
    """A fault in a nested object or a list has its whole path."""
    found = faults(RIGHT | {"device": {"kind": 1, "risk": 2}, "tags": ["a", 2]})
    assert found == {
        "tags[1]": ("string", "number 2"),
        "device.kind": ("string", "number 1"),
        "device.risk": ("number <= 1.0", "number 2"),
    }


def test_elements_of_lists_are_told_apart() -> None:
    """A value of a list that is none of its choices is named with them, and so is a list that is too long."""
    assert faults(RIGHT | {"kinds": ["new", "old"]}) == {"kinds[1]": ("one of: new, used", 'string "old"')}
    assert faults(RIGHT | {"kinds": "new"}) == {"kinds": ("array", 'string "new"')}
    assert faults(RIGHT | {"kinds": ["new"] * 4})["kinds"][0] == "array of length <= 3"


def test_numbers_in_strings_and_naive_times_are_faults() -> None:
    """A string is no number, and a time without a zone is no moment."""
    moment = "ISO 8601 date and time with zone, such as 2026-01-31T12:00:00Z"
    assert faults({"amount": "1", "ts": "2026-01-31T12:00:00", "count": 1.5}) == {
        "amount": ("number", 'string "1"'),
        "ts": (moment, 'string "2026-01-31T12:00:00"'),
        "count": ("whole number", "number 1.5"),
    }


def test_long_values_are_cut() -> None:
    """What came is shown, but not at any length."""
    assert len(faults(RIGHT | {"amount": "x" * 10_000})["amount"][1]) < 80


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{\n  "amount": NaN}', "line 2, column 13: `NaN` is not JSON"),
        (b'{"amount": -Infinity}', "`-Infinity` is not JSON"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        (b"[" * 100, "deeper than 32"),
        (b'{"amount": 1', "truncated"),
    ],
)
def test_malformed_bodies_say_where(body: bytes, says: str) -> None:
    """What is not JSON is refused with the place and the reason."""
    with pytest.raises(MalformedError) as found:
        explain(body, Row, 32)
    assert says in str(found.value)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just(RIGHT["ts"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*Row.__struct_fields__, "x"]), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(value=st.fixed_dictionaries({}, optional=dict.fromkeys((*Row.__struct_fields__, "x"), JSON)))
def test_slow_path_agrees_with_fast_path(value: dict[str, Any]) -> None:
    """There are faults exactly where msgspec refuses."""
    body = msgspec.json.encode(value)
    try:
        expected = msgspec.json.decode(body, type=Row)
    except msgspec.DecodeError:
        with pytest.raises((UnfitError, MalformedError)):
            explain(body, Row, 32)
    else:
        assert explain(body, Row, 32) == expected


@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_refused_or_right(body: bytes) -> None:
    """No body makes anything but the two refusals."""
    with pytest.raises((UnfitError, MalformedError)):
        explain(body, Row, 32)


@settings(max_examples=50, deadline=None)
@given(moment=st.datetimes(timezones=st.timezones()))
def test_microseconds_are_exact(moment: Any) -> None:
    """A moment is the same number of microseconds in every zone."""
    text = moment.isoformat()
    try:
        decoded = msgspec.convert(text, Moment)
    except (msgspec.ValidationError, OverflowError):
        return  # offsets with seconds, of before standard time, are not ISO 8601
    assert microseconds(decoded) == microseconds(moment)
