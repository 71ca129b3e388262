"""Moments and days in requests: ISO 8601 on the wire, int64 wherever they are computed with."""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, overload

from msgspec import Meta

Moment = Annotated[datetime, Meta(tz=True, description="ISO 8601 with zone")]
Day = Annotated[date, Meta(description="ISO 8601")]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = _EPOCH.date()
_MICROSECOND = timedelta(microseconds=1)


@overload
def microseconds(moment: datetime) -> int: ...
@overload
def microseconds(moment: datetime | None) -> int | None: ...
def microseconds(moment: datetime | None) -> int | None:
    """Return the microseconds from 1970-01-01 UTC to `moment`, exactly; null stays null."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def now() -> int:
    """Return the time of the clock, in microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


@overload
def days(day: date) -> int: ...
@overload
def days(day: date | None) -> int | None: ...
def days(day: date | None) -> int | None:
    """Return the days from 1970-01-01 to `day`; null stays null."""
    return None if day is None else (day - _FIRST_DAY).days
