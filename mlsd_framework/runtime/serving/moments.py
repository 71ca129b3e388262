"""Moments in requests: ISO 8601 with a zone on the wire, int64 microseconds UTC wherever they are computed with."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

Moment = Annotated[datetime, Meta(tz=True, description="ISO 8601 with zone")]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return the microseconds from 1970-01-01 UTC to `moment`, exactly."""
    return (moment - _EPOCH) // _MICROSECOND
