"""SQL's scalar operators and functions for one request, on plain Python values; None is null.

Timestamps are microseconds since the epoch in UTC, durations microseconds, dates days since the epoch.
`sql_polars` has the same names with the same meaning for whole columns; a test compares the two.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar, overload

from mlsd_framework.runtime.features.sql_calendar import DAY, civil, days_before, truncated
from mlsd_framework.runtime.features.sql_patterns import like_pieces

Value = bool | int | float | str | None
Number = int | float | None
Int = int | None
Float = float | None
Bool = bool | None
Text = str | None
Known = TypeVar("Known", bool, int, float, str)
IntOrNull = TypeVar("IntOrNull", int, int | None)  # null only where null went in
TextOrNull = TypeVar("TextOrNull", str, str | None)

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_SECOND = 1_000_000.0
_INTEGER_TEXT = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER_TEXT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def _held(value: float) -> float:
    """Keep an integer within int64: beyond its ends it stays at the end, as a float stays at infinity."""
    return min(max(value, INT64_MIN), INT64_MAX) if isinstance(value, int) else value


def _finite(value: float) -> Float:
    return value if math.isfinite(value) else None


# Arithmetic


def add(a: Number, b: Number) -> Number:
    """Return a + b."""
    return None if a is None or b is None else _held(a + b)


def sub(a: Number, b: Number) -> Number:
    """Return a - b."""
    return None if a is None or b is None else _held(a - b)


def mul(a: Number, b: Number) -> Number:
    """Return a * b."""
    return None if a is None or b is None else _held(a * b)


def neg(a: Number) -> Number:
    """Return -a."""
    return None if a is None else _held(-a)


def div(a: Number, b: Number) -> Float:
    """Return a / b as a float; null where b is zero or the quotient is too large."""
    if a is None or b is None or b == 0:
        return None
    return _finite(float(a) / float(b))


def mod(a: Number, b: Number) -> Number:
    """Return the remainder with the sign of a; null where b is zero."""
    if a is None or b is None or b == 0:
        return None
    if isinstance(a, int) and isinstance(b, int):
        rest = abs(a) % abs(b)
        return -rest if a < 0 else rest
    return math.fmod(a, b) if math.isfinite(a) else None


# Comparison: two values of one type


def eq(a: Value, b: Value) -> Bool:
    """Return a = b."""
    return None if a is None or b is None else a == b


def ne(a: Value, b: Value) -> Bool:
    """Return a <> b."""
    return None if a is None or b is None else a != b


def lt(a: Value, b: Value) -> Bool:
    """Return a < b."""
    return None if a is None or b is None else a < b  # type: ignore[operator]  # the compiler checked the types


def le(a: Value, b: Value) -> Bool:
    """Return a <= b."""
    return None if a is None or b is None else a <= b  # type: ignore[operator]  # the compiler checked the types


def gt(a: Value, b: Value) -> Bool:
    """Return a > b."""
    return lt(b, a)


def ge(a: Value, b: Value) -> Bool:
    """Return a >= b."""
    return le(b, a)


def between(a: Value, low: Value, high: Value) -> Bool:
    """Return low <= a and a <= high."""
    return and_(le(low, a), le(a, high))


def in_(a: Value, items: tuple[Value, ...]) -> Bool:
    """Return whether a is among the items, none of which is null."""
    return None if a is None else a in items


def in_list(a: Value, items: Sequence[Value] | None) -> Bool:
    """Return whether a is in a list; null where it is not, and the list has a null."""
    return None if a is None or items is None or (None in items and a not in items) else a in items


# Logic, Kleene's


def and_(a: Bool, b: Bool) -> Bool:
    """Return a and b: false wins over null."""
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def or_(a: Bool, b: Bool) -> Bool:
    """Return a or b: true wins over null."""
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def not_(a: Bool) -> Bool:
    """Return not a."""
    return None if a is None else not a


# Choice


@overload
def coalesce(value: Known | None, other: Known, /) -> Known: ...  # type: ignore[overload-overlap]  # the general case
@overload
def coalesce(*values: Known | None) -> Known | None: ...
def coalesce(*values: Known | None) -> Known | None:
    """Return the first value that is not null."""
    return next((value for value in values if value is not None), None)


def nullif(a: Known | None, b: Value) -> Known | None:
    """Return null where a = b, else a."""
    return None if a == b else a


def greatest(*values: Known | None) -> Known | None:
    """Return the largest value, nulls passed over."""
    return max((value for value in values if value is not None), default=None)


def least(*values: Known | None) -> Known | None:
    """Return the smallest value, nulls passed over."""
    return min((value for value in values if value is not None), default=None)


# Mathematics


def abs_(x: Number) -> Number:
    """Return the magnitude."""
    return None if x is None else _held(x if x >= 0 else -x)


def round_(x: Number, digits: int = 0) -> Number:
    """Round to a number of decimals, halves away from zero."""
    if x is None or isinstance(x, int):
        return x
    scale = 10.0**digits
    scaled = x * scale
    if not math.isfinite(scaled):
        return x
    whole = math.trunc(scaled)
    if abs(scaled - whole) >= 0.5:  # noqa: PLR2004 - a half
        whole += 1 if scaled > 0 else -1
    return float(whole) / scale


def floor(x: Number) -> Number:
    """Return the largest whole number not above x, in x's own type."""
    return float(math.floor(x)) if isinstance(x, float) and math.isfinite(x) else x


def ceil(x: Number) -> Number:
    """Return the smallest whole number not below x, in x's own type."""
    return float(math.ceil(x)) if isinstance(x, float) and math.isfinite(x) else x


def sign(x: Number) -> Int:
    """Return -1, 0 or 1."""
    return None if x is None else (x > 0) - (x < 0)


def sqrt(x: Number) -> Float:
    """Return the square root; null below zero."""
    return None if x is None or x < 0 else _finite(math.sqrt(x))


def exp(x: Number) -> Float:
    """Return e to the power of x; null where too large."""
    try:
        return None if x is None else _finite(math.exp(x))
    except OverflowError:
        return None


def ln(x: Number) -> Float:
    """Return the natural logarithm; null at zero and below."""
    return None if x is None or x <= 0 else _finite(math.log(x))


def log10(x: Number) -> Float:
    """Return the logarithm to base ten; null at zero and below."""
    return None if x is None or x <= 0 else _finite(math.log10(x))


def power(x: Number, y: Number) -> Float:
    """Return x to the power of y; null where undefined or too large."""
    if x is None or y is None:
        return None
    try:
        return _finite(math.pow(x, y))
    except (OverflowError, ValueError):
        return None


def sin(x: Number) -> Float:
    """Return the sine of an angle in radians."""
    return None if x is None or not math.isfinite(x) else math.sin(x)


def cos(x: Number) -> Float:
    """Return the cosine of an angle in radians."""
    return None if x is None or not math.isfinite(x) else math.cos(x)


def tan(x: Number) -> Float:
    """Return the tangent of an angle in radians."""
    return None if x is None or not math.isfinite(x) else math.tan(x)


def asin(x: Number) -> Float:
    """Return the angle whose sine is x; null outside -1 to 1."""
    return None if x is None or not -1 <= x <= 1 else math.asin(x)


def acos(x: Number) -> Float:
    """Return the angle whose cosine is x; null outside -1 to 1."""
    return None if x is None or not -1 <= x <= 1 else math.acos(x)


def atan(x: Number) -> Float:
    """Return the angle whose tangent is x."""
    return None if x is None else math.atan(x)


def atan2(y: Number, x: Number) -> Float:
    """Return the angle of the point (x, y)."""
    return None if x is None or y is None else math.atan2(y, x)


def radians(x: Number) -> Float:
    """Return degrees as radians."""
    return None if x is None else math.radians(x)


# Text


def join_text(a: Text, b: Text) -> Text:
    """Return a || b."""
    return None if a is None or b is None else a + b


def concat(*parts: Text) -> str:
    """Join the parts, nulls passed over."""
    return "".join(part for part in parts if part is not None)


def lower(s: TextOrNull) -> TextOrNull:
    """Return the text in lower case."""
    return None if s is None else s.lower()


def upper(s: TextOrNull) -> TextOrNull:
    """Return the text in upper case."""
    return None if s is None else s.upper()


def length(s: Text) -> Int:
    """Return the number of characters."""
    return None if s is None else len(s)


def trim(s: TextOrNull) -> TextOrNull:
    """Return the text without spaces at both ends."""
    return None if s is None else s.strip(" ")


def ltrim(s: TextOrNull) -> TextOrNull:
    """Return the text without spaces at the start."""
    return None if s is None else s.lstrip(" ")


def rtrim(s: TextOrNull) -> TextOrNull:
    """Return the text without spaces at the end."""
    return None if s is None else s.rstrip(" ")


_TO_THE_END = 2**62


def substr(s: Text, start: Int, count: Int = _TO_THE_END) -> Text:
    """Return `count` characters from position `start`, which counts from 1; null where count is negative."""
    if s is None or start is None or count is None or count < 0:
        return None
    first = max(start, 1) - 1
    return s[first : max(start - 1 + count, first)]


def replace(s: TextOrNull, old: str, new: str) -> TextOrNull:
    """Return the text with every `old` replaced by `new`; an empty `old` replaces nothing."""
    return s if s is None or not old else s.replace(old, new)


def starts_with(s: Text, part: Text) -> Bool:
    """Return whether s begins with the part."""
    return None if s is None or part is None else s.startswith(part)


def ends_with(s: Text, part: Text) -> Bool:
    """Return whether s ends with the part."""
    return None if s is None or part is None else s.endswith(part)


def contains(s: Text, part: Text) -> Bool:
    """Return whether the part occurs in s."""
    return None if s is None or part is None else part in s


def split_part(s: Text, separator: str, n: int) -> Text:
    """Return the nth part between separators, from 1; empty where there are fewer."""
    if s is None:
        return None
    parts = s.split(separator)
    return parts[n - 1] if n <= len(parts) else ""


@lru_cache(maxsize=1024)
def _matcher(pattern: str, escape: str | None) -> re.Pattern[str]:
    """Compile a LIKE pattern so that each piece is found once: no text makes it try again and again."""
    first, *rest = like_pieces(pattern, escape)
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    atomic = "".join(f"(?>.*?{piece})" for piece in middle)
    return re.compile(f"{first}{atomic}.*{last}", re.DOTALL)


def like(s: Text, pattern: str, escape: str | None = None) -> Bool:
    """Return whether the whole text matches: `%` is any run of characters, `_` any one."""
    return None if s is None else _matcher(pattern, escape).fullmatch(s) is not None


def ilike(s: Text, pattern: str, escape: str | None = None) -> Bool:
    """Return whether the text in lower case is like the pattern in lower case."""
    return None if s is None else like(s.lower(), pattern.lower(), escape.lower() if escape else None)


# Time


def second(ts: IntOrNull) -> IntOrNull:
    """Return the second of the minute."""
    return None if ts is None else ts // 1_000_000 % 60


def minute(ts: IntOrNull) -> IntOrNull:
    """Return the minute of the hour."""
    return None if ts is None else ts // 60_000_000 % 60


def hour(ts: IntOrNull) -> IntOrNull:
    """Return the hour of the day, UTC."""
    return None if ts is None else ts // 3_600_000_000 % 24


def day_of_week(ts: IntOrNull) -> IntOrNull:
    """Return the day of the week, 1 for Monday to 7 for Sunday."""
    return None if ts is None else (ts // DAY + 3) % 7 + 1


def day(ts: IntOrNull) -> IntOrNull:
    """Return the day of the month."""
    return None if ts is None else civil(ts // DAY)[2]


def day_of_year(ts: IntOrNull) -> IntOrNull:
    """Return the day of the year, from 1."""
    if ts is None:
        return None
    days = ts // DAY
    return days - days_before(civil(days)[0], 1) + 1


def month(ts: IntOrNull) -> IntOrNull:
    """Return the month."""
    return None if ts is None else civil(ts // DAY)[1]


def year(ts: IntOrNull) -> IntOrNull:
    """Return the year."""
    return None if ts is None else civil(ts // DAY)[0]


def date_trunc(unit: str, ts: IntOrNull) -> IntOrNull:
    """Return the moment at which the unit around ts began; weeks begin on Monday."""
    return None if ts is None else truncated(unit, ts)


def epoch(ts: Int) -> Float:
    """Return seconds since 1970-01-01."""
    return None if ts is None else float(ts) / _SECOND


def seconds_between(start: Int, end: Int) -> Float:
    """Return the seconds from start to end."""
    return None if start is None or end is None else float(end - start) / _SECOND


def seconds(d: Int) -> Float:
    """Return a duration in seconds."""
    return None if d is None else float(d) / _SECOND


# Casts: null where the value has no counterpart


def to_int64(x: Value) -> Int:
    """Cast to int64: floats towards zero, text if it is a whole number."""
    if isinstance(x, str):
        whole = int(x) if _INTEGER_TEXT.fullmatch(x) else None
    elif isinstance(x, float):
        whole = int(x) if math.isfinite(x) else None
    else:
        return None if x is None else int(x)
    return whole if whole is not None and INT64_MIN <= whole <= INT64_MAX else None


def to_float64(x: Value) -> Float:
    """Cast to float64."""
    if isinstance(x, str):
        return _finite(float(x)) if _NUMBER_TEXT.fullmatch(x) else None
    return None if x is None else float(x)


def to_bool(x: Value) -> Bool:
    """Cast to bool: zero is false, and the words true and false are themselves."""
    if isinstance(x, str):
        return {"true": True, "false": False}.get(x.lower())
    return None if x is None else bool(x)


def to_string(x: Value) -> Text:
    """Cast whole numbers, bools and text to text."""
    if isinstance(x, bool):
        return "true" if x else "false"
    return None if x is None else str(x)


def to_timestamp(date: Int) -> Int:
    """Cast a date to its midnight, UTC."""
    return None if date is None else date * DAY


def to_date(ts: Int) -> Int:
    """Cast a moment to its date, UTC."""
    return None if ts is None else ts // DAY
