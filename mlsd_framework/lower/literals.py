"""Constants of an expression: numbers that fit 64 bits, moments, dates and intervals."""

import math
from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 2**63
_MICROSECONDS = {
    "MICROSECOND": 1,
    "MILLISECOND": 1_000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
    "WEEK": 604_800_000_000,
    "S": 1_000_000,
    "H": 3_600_000_000,
    "D": 86_400_000_000,
    "W": 604_800_000_000,
}


def number(text: str) -> int | float | None:
    """Return an int64 or a finite float64, None where the number is out of range."""
    if text.isascii() and text.isdigit():
        whole = int(text) if len(text) <= len(str(_INT64)) else _INT64 + 1
        return whole if whole <= _INT64 else None
    value = float(text)
    return value if math.isfinite(value) else None


def timestamp(text: str) -> int | None:
    """Return microseconds since the epoch for ISO 8601 text, UTC where it names no zone; None where it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return (zoned - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def day(text: str) -> int | None:
    """Return days since the epoch for `2024-05-01`, None where it is no date."""
    try:
        return date.fromisoformat(text.strip()).toordinal() - _EPOCH.toordinal()
    except ValueError:
        return None


def interval(amount: str, unit: str) -> int | None:
    """Return microseconds for an amount of a unit of fixed length, None where it is none or too long."""
    name = unit.upper()
    size = _MICROSECONDS.get(name) or _MICROSECONDS.get(name.removesuffix("S"))
    try:
        value = float(amount)
    except ValueError:
        return None
    if size is None or not math.isfinite(value):
        return None
    exact = int(amount) * size if amount.strip().lstrip("-").isdigit() else round(value * size)
    return exact if abs(exact) < _INT64 // 2 else None
