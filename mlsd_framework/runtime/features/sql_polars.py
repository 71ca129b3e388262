"""SQL's scalar operators and functions for whole columns, as polars expressions.

Only what polars does otherwise than SQL, or under another name, is here; generated code writes `+`, `>` and `&`
where polars' own meaning is SQL's. Names and meanings are those of `sql`, which does one request.
"""

from collections.abc import Sequence
from typing import TypeGuard

import polars as pl

from mlsd_framework.runtime.features.sql_patterns import like_pieces

Operand = pl.Expr | bool | int | float | str

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_MOMENT = pl.Datetime("us", "UTC")
_SECOND = 1_000_000.0
_LONGEST = 2**61
_INTEGER_TEXT = r"^[+-]?[0-9]{1,19}$"
_NUMBER_TEXT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def _expr(x: Operand) -> pl.Expr:
    if isinstance(x, pl.Expr):
        return x
    return pl.lit(x, dtype=pl.Int64) if isinstance(x, int) and not isinstance(x, bool) else pl.lit(x)


def constant(x: pl.Expr) -> pl.Expr:
    """Return what an expression of constants alone gives, as a literal of its type."""
    value = pl.select(x).to_series()
    return pl.lit(value.item(), dtype=value.dtype)


def _le(a: Operand, b: Operand) -> pl.Expr:
    """Return a <= b with a column on the left: polars shrinks `constant <= column` to one row where all are null."""
    return a <= b if _is_column(a) else _expr(b) >= a


def _eq(a: Operand, b: Operand) -> pl.Expr:
    """Return a = b with a column on the left, as `_le` does."""
    return a == b if _is_column(a) else _expr(b) == a


def _is_column(x: Operand) -> TypeGuard[pl.Expr]:
    return isinstance(x, pl.Expr) and not x.meta.is_literal(allow_aliasing=True)


def _float(x: Operand) -> pl.Expr:
    return _expr(x).cast(pl.Float64)


def _finite(x: pl.Expr) -> pl.Expr:
    return pl.when(x.is_finite()).then(x)


def _wide(x: Operand) -> pl.Expr:
    return _expr(x).cast(pl.Int128)


def _held(x: pl.Expr) -> pl.Expr:
    """Bring a 128-bit integer back to int64; beyond its ends it stays at the end."""
    return x.clip(INT64_MIN, INT64_MAX).cast(pl.Int64)


def _by_numpy(function: str, *operands: Operand) -> pl.Expr:
    """Apply a function of floats that numpy computes exactly, as `math` does, and polars not."""
    import numpy as np  # noqa: PLC0415 - polars does the rest without it

    def compute(columns: Sequence[pl.Series]) -> pl.Series:
        with np.errstate(all="ignore"):
            values = getattr(np, function)(*(column.to_numpy() for column in columns))
        return pl.Series(values, dtype=pl.Float64)

    return _finite(
        pl.map_batches([_float(one) for one in operands], compute, return_dtype=pl.Float64, is_elementwise=True)
    )


# Arithmetic: of int64, where the result may not fit; quotients and remainders of any numbers


def add(a: Operand, b: Operand) -> pl.Expr:
    """Return a + b of integers."""
    return _held(_wide(a) + _wide(b))


def sub(a: Operand, b: Operand) -> pl.Expr:
    """Return a - b of integers."""
    return _held(_wide(a) - _wide(b))


def mul(a: Operand, b: Operand) -> pl.Expr:
    """Return a * b of integers."""
    return _held(_wide(a) * _wide(b))


def neg(a: Operand) -> pl.Expr:
    """Return -a of an integer."""
    return sub(0, a)


def div(a: Operand, b: Operand) -> pl.Expr:
    """Return a / b as a float; null where b is zero or the quotient is too large."""
    divisor = _float(b)
    return _finite(_float(a) / pl.when(divisor != 0).then(divisor))


def duration_ratio(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """Return how often one duration goes into another."""
    return div(a.dt.total_microseconds(), b.dt.total_microseconds())


def mod(a: Operand, b: Operand) -> pl.Expr:
    """Return the remainder of integers with the sign of a; null where b is zero."""
    dividend, divisor = _wide(a), _wide(b)
    rest = dividend.abs() % pl.when(divisor != 0).then(divisor.abs())
    return pl.when(dividend < 0).then(0 - rest).otherwise(rest).cast(pl.Int64)


def fmod(a: Operand, b: Operand) -> pl.Expr:
    """Return the remainder of floats with the sign of a; null where b is zero."""
    return _by_numpy("fmod", a, b)


# Comparison and choice


def between(a: Operand, low: Operand, high: Operand) -> pl.Expr:
    """Return low <= a and a <= high."""
    return _le(low, a) & _le(a, high)


def in_list(a: Operand, items: pl.Expr) -> pl.Expr:
    """Return whether a is in a list; null where it is not, and the list has a null."""
    operand = _expr(a)
    known = items.list.drop_nulls()
    unsure = known.list.len() < items.list.len()
    inside = pl.when(known.list.contains(operand)).then(statement=True).when(~unsure).then(statement=False)
    return pl.when(operand.is_not_null() & items.is_not_null()).then(inside)


def coalesce(*values: Operand) -> pl.Expr:
    """Return the first value that is not null."""
    return pl.coalesce([_expr(value) for value in values])


def nullif(a: Operand, b: Operand) -> pl.Expr:
    """Return null where a = b, else a."""
    return pl.when(_eq(a, b)).then(None).otherwise(_expr(a))


def greatest(*values: Operand) -> pl.Expr:
    """Return the largest value, nulls passed over."""
    best, *rest = (_expr(value) for value in values)
    for value in rest:
        best = pl.when(best.is_null() | (value > best)).then(value).otherwise(best)
    return best


def least(*values: Operand) -> pl.Expr:
    """Return the smallest value, nulls passed over."""
    best, *rest = (_expr(value) for value in values)
    for value in rest:
        best = pl.when(best.is_null() | (value < best)).then(value).otherwise(best)
    return best


# Mathematics


def abs_(x: Operand) -> pl.Expr:
    """Return the magnitude."""
    value = _expr(x)
    return pl.when(value == INT64_MIN).then(INT64_MAX).otherwise(value.abs())


def round_(x: Operand, digits: int = 0) -> pl.Expr:
    """Round to a number of decimals, halves away from zero."""
    value = _expr(x)
    scale = 10.0**digits
    scaled = value.cast(pl.Float64) * scale
    rounded = scaled.round(0, mode="half_away_from_zero") / scale
    return pl.when(scaled.is_finite()).then(rounded).otherwise(value)


def floor(x: Operand) -> pl.Expr:
    """Return the largest whole number not above x, in x's own type."""
    return _expr(x).floor()


def ceil(x: Operand) -> pl.Expr:
    """Return the smallest whole number not below x, in x's own type."""
    return _expr(x).ceil()


def sign(x: Operand) -> pl.Expr:
    """Return -1, 0 or 1."""
    return _expr(x).sign().cast(pl.Int64)


def sqrt(x: Operand) -> pl.Expr:
    """Return the square root; null below zero."""
    return _finite(_float(x).sqrt())


def exp(x: Operand) -> pl.Expr:
    """Return e to the power of x; null where too large."""
    return _finite(_float(x).exp())


def ln(x: Operand) -> pl.Expr:
    """Return the natural logarithm; null at zero and below."""
    return _finite(_float(x).log())


def log10(x: Operand) -> pl.Expr:
    """Return the logarithm to base ten; null at zero and below."""
    return _by_numpy("log10", x)


def power(x: Operand, y: Operand) -> pl.Expr:
    """Return x to the power of y; null where undefined or too large."""
    return _finite(_float(x).pow(_float(y)))


def sin(x: Operand) -> pl.Expr:
    """Return the sine of an angle in radians."""
    return _finite(_float(x).sin())


def cos(x: Operand) -> pl.Expr:
    """Return the cosine of an angle in radians."""
    return _finite(_float(x).cos())


def tan(x: Operand) -> pl.Expr:
    """Return the tangent of an angle in radians."""
    return _finite(_float(x).tan())


def asin(x: Operand) -> pl.Expr:
    """Return the angle whose sine is x; null outside -1 to 1."""
    return _finite(_float(x).arcsin())


def acos(x: Operand) -> pl.Expr:
    """Return the angle whose cosine is x; null outside -1 to 1."""
    return _finite(_float(x).arccos())


def atan(x: Operand) -> pl.Expr:
    """Return the angle whose tangent is x."""
    return _float(x).arctan()


def atan2(y: Operand, x: Operand) -> pl.Expr:
    """Return the angle of the point (x, y)."""
    return pl.arctan2(_float(y), _float(x))


def radians(x: Operand) -> pl.Expr:
    """Return degrees as radians."""
    return _float(x).radians()


# Text


def concat(*parts: Operand) -> pl.Expr:
    """Join the parts, nulls passed over."""
    return pl.concat_str([_expr(part).fill_null("") for part in parts])


def lower(s: Operand) -> pl.Expr:
    """Return the text in lower case."""
    return _expr(s).str.to_lowercase()


def upper(s: Operand) -> pl.Expr:
    """Return the text in upper case."""
    return _expr(s).str.to_uppercase()


def length(s: Operand) -> pl.Expr:
    """Return the number of characters."""
    return _expr(s).str.len_chars().cast(pl.Int64)


def trim(s: Operand) -> pl.Expr:
    """Return the text without spaces at both ends."""
    return _expr(s).str.strip_chars(" ")


def ltrim(s: Operand) -> pl.Expr:
    """Return the text without spaces at the start."""
    return _expr(s).str.strip_chars_start(" ")


def rtrim(s: Operand) -> pl.Expr:
    """Return the text without spaces at the end."""
    return _expr(s).str.strip_chars_end(" ")


def substr(s: Operand, start: Operand, count: Operand = _LONGEST) -> pl.Expr:
    """Return `count` characters from position `start`, which counts from 1; null where count is negative."""
    begin, wanted = _expr(start).clip(-_LONGEST, _LONGEST), _expr(count).clip(-1, _LONGEST)
    first = pl.max_horizontal(begin, 1) - 1
    size = (begin - 1 + wanted - first).clip(0).cast(pl.UInt64)
    known = begin.is_not_null() & (wanted >= 0)
    return pl.when(known).then(_expr(s).str.slice(first, size))


def replace(s: Operand, old: str, new: str) -> pl.Expr:
    """Return the text with every `old` replaced by `new`; an empty `old` replaces nothing."""
    return _expr(s).str.replace_all(old, new, literal=True) if old else _expr(s)


def starts_with(s: Operand, part: Operand) -> pl.Expr:
    """Return whether s begins with the part."""
    return _expr(s).str.starts_with(_expr(part))


def ends_with(s: Operand, part: Operand) -> pl.Expr:
    """Return whether s ends with the part."""
    return _expr(s).str.ends_with(_expr(part))


def contains(s: Operand, part: Operand) -> pl.Expr:
    """Return whether the part occurs in s."""
    return _expr(s).str.contains(_expr(part), literal=True)


def split_part(s: Operand, separator: str, n: int) -> pl.Expr:
    """Return the nth part between separators, from 1; empty where there are fewer."""
    text = _expr(s)
    part = text.str.split(separator).list.get(n - 1, null_on_oob=True).fill_null("")
    return pl.when(text.is_not_null()).then(part)


def like(s: Operand, pattern: str, escape: str | None = None) -> pl.Expr:
    """Return whether the whole text matches: `%` is any run of characters, `_` any one."""
    return _expr(s).str.contains("(?s)^" + ".*".join(like_pieces(pattern, escape)) + "$")


def ilike(s: Operand, pattern: str, escape: str | None = None) -> pl.Expr:
    """Return whether the text in lower case is like the pattern in lower case."""
    return like(lower(s), pattern.lower(), escape.lower() if escape else None)


# Time


def timestamp(microseconds: int) -> pl.Expr:
    """Return a constant moment, in microseconds since the epoch."""
    return pl.lit(microseconds, dtype=pl.Int64).cast(_MOMENT)


def date(days: int) -> pl.Expr:
    """Return a constant date, in days since the epoch."""
    return pl.lit(days, dtype=pl.Int32).cast(pl.Date)


def second(ts: pl.Expr) -> pl.Expr:
    """Return the second of the minute."""
    return ts.dt.second().cast(pl.Int64)


def minute(ts: pl.Expr) -> pl.Expr:
    """Return the minute of the hour."""
    return ts.dt.minute().cast(pl.Int64)


def hour(ts: pl.Expr) -> pl.Expr:
    """Return the hour of the day, UTC."""
    return ts.dt.hour().cast(pl.Int64)


def day_of_week(ts: pl.Expr) -> pl.Expr:
    """Return the day of the week, 1 for Monday to 7 for Sunday."""
    return ts.dt.weekday().cast(pl.Int64)


def day(ts: pl.Expr) -> pl.Expr:
    """Return the day of the month."""
    return ts.dt.day().cast(pl.Int64)


def day_of_year(ts: pl.Expr) -> pl.Expr:
    """Return the day of the year, from 1."""
    return ts.dt.ordinal_day().cast(pl.Int64)


def month(ts: pl.Expr) -> pl.Expr:
    """Return the month."""
    return ts.dt.month().cast(pl.Int64)


def year(ts: pl.Expr) -> pl.Expr:
    """Return the year."""
    return ts.dt.year().cast(pl.Int64)


_EVERY = {
    "second": "1s",
    "minute": "1m",
    "hour": "1h",
    "day": "1d",
    "week": "1w",
    "month": "1mo",
    "quarter": "1q",
    "year": "1y",
}


def date_trunc(unit: str, ts: pl.Expr) -> pl.Expr:
    """Return the moment at which the unit around ts began; weeks begin on Monday."""
    return ts.dt.truncate(_EVERY[unit])


def epoch(ts: pl.Expr) -> pl.Expr:
    """Return seconds since 1970-01-01."""
    return ts.dt.timestamp("us").cast(pl.Float64) / _SECOND


def seconds_between(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Return the seconds from start to end."""
    return seconds(end - start)


def seconds(d: pl.Expr) -> pl.Expr:
    """Return a duration in seconds."""
    return d.dt.total_microseconds().cast(pl.Float64) / _SECOND


# Casts from text, which has its own spelling of numbers; other casts are polars' own


def text_to_int64(s: Operand) -> pl.Expr:
    """Cast text to int64, null where it is not a whole number that fits."""
    text = _expr(s)
    return pl.when(text.str.contains(_INTEGER_TEXT)).then(text.cast(pl.Int64, strict=False))


def text_to_float64(s: Operand) -> pl.Expr:
    """Cast text to float64, null where it is not a number that fits."""
    text = _expr(s)
    return _finite(pl.when(text.str.contains(_NUMBER_TEXT)).then(text.cast(pl.Float64, strict=False)))


def text_to_bool(s: Operand) -> pl.Expr:
    """Cast the words true and false, in any case, to bool."""
    word = lower(s)
    return pl.when(word.is_in(["true", "false"])).then(word == "true")
