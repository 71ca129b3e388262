"""Quantities as a spec writes them: `7d`, `50ms`, `70%`, `2000/s`, `64KB`, `10k`."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, get_args

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_DURATION_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|m|h|d|w)")
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:us|ms|s|m|h|d|w))+\Z")
_MICROSECONDS: Final = {
    "us": 1,
    "ms": 1_000,
    "s": 10**6,
    "m": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86400 * 10**6,
    "w": 7 * 86400 * 10**6,
}
_COUNT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMGT]?)\Z")
_SCALE: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_RATE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMGT]?)/(s|m|h|d)\Z")
_PERCENT: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,15})?%\Z")
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(B|KB|MB|GB|TB)\Z")
_BYTES: Final = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_LONGEST: Final = 40  # characters of a quantity
_MOST: Final = 2**62  # of anything that is counted
_MAX_DURATION: Final = timedelta(days=36500)


def _fault(kind: str, expected: str, value: object) -> PydanticCustomError:
    return PydanticCustomError(
        "quantity", "is not a {kind}", {"kind": kind, "expected": expected, "value": repr(value)}
    )


def parse_duration(value: object) -> timedelta:
    """Read `1h30m`, `7d`, `50ms` (w d h m s ms us); a bare `0` is allowed."""
    if isinstance(value, timedelta):
        return value
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    if not isinstance(value, str) or len(value) > _LONGEST or not _DURATION.match(value):
        raise _fault("duration", "such as `7d`, `1h30m`, `50ms` (w, d, h, m, s, ms, us)", value)
    total = sum(float(number) * _MICROSECONDS[unit] for number, unit in _DURATION_PART.findall(value))
    if total > _MAX_DURATION / timedelta(microseconds=1):
        raise _fault("duration", "at most 100 years", value)
    return timedelta(microseconds=round(total))


def write_duration(value: timedelta) -> str:
    """Write a duration the way a person would: the fewest whole units, `1h30m`, `7d`."""
    left = round(value / timedelta(microseconds=1))
    if left == 0:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count, left = divmod(left, _MICROSECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def _fraction(value: object) -> float:
    number: float | None = None
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        number = round(float(value[:-1]) / 100, 12)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if 0 <= value <= 1 else None
    if number is None or not 0 <= number <= 1:
        raise _fault("fraction", "from 0 to 1, or a percentage such as `70%`", value)
    return number


def parse_rate(value: object) -> float:
    """Read `2000/s`, `10k/s`, `5M/d` as a number a second."""
    match = _matched(_RATE, value)
    if match is None:
        raise _fault("rate", "such as `2000/s`, `10k/s`, `5M/d`", value)
    return float(match[1]) * _SCALE[match[2]] / (_MICROSECONDS[match[3]] / 10**6)


def _write_rate(value: float) -> str:
    return f"{Decimal(repr(value)):f}/s"


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return value
    match = _matched(_COUNT, value)
    number = Decimal(match[1]) * _SCALE[match[2]] if match else None
    if number is None or number != int(number) or number > _MOST:
        raise _fault("count", "a whole number such as `500`, `10k`, `2M`", value)
    return int(number)


def _size(value: object) -> int:
    match = _matched(_SIZE, value)
    number = float(match[1]) * _BYTES[match[2]] if match else None
    if number is None or number > _MOST:
        raise _fault("size", "such as `64KB`, `512MB`, `2GB`", value)
    return round(number)


def _matched(pattern: re.Pattern[str], value: object) -> re.Match[str] | None:
    return pattern.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(write_duration, when_used="always"),
    _text(_DURATION.pattern.replace(r"\Z", "$")),
]
"""A length of time, exact to the microsecond."""

Fraction = Annotated[
    float,
    BeforeValidator(_fraction),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"},
            ]
        }
    ),
]
"""A share, from 0 to 1."""

Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    PlainSerializer(_write_rate, when_used="always"),
    _text(r"^[0-9]+(\.[0-9]+)?[kMGT]?/(s|m|h|d)$"),
]
"""Events a second."""

Count = Annotated[
    int,
    BeforeValidator(_count),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?[kMGT]?$"}]}
    ),
]
"""A number of things."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    PlainSerializer(lambda v: f"{v}B", when_used="always"),
    _text(r"^[0-9]+(\.[0-9]+)?(B|KB|MB|GB|TB)$"),
]
"""A number of bytes."""


class _OneOrMore:
    """Takes a text, or a number where the list is of numbers, in place of a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        alone: type = int if get_args(source)[:1] == (int,) else str

        def listed(value: Any) -> Any:
            return [value] if type(value) is alone else value

        return core_schema.no_info_before_validator_function(listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler(schema)
        return {"anyOf": [made, made["items"]]} if "items" in made else made


OneOrMore = _OneOrMore()
"""`key: card_id` is short for `key: [card_id]`."""
