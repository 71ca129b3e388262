"""What the system owes its users."""

from dataclasses import dataclass
from datetime import timedelta

from mlsd_framework.diagnostics.span import Span


@dataclass(frozen=True, slots=True)
class Requirements:
    """Latency quantiles, rates a second, ages, counts, bytes and a share; none where unstated."""

    p50: timedelta | None = None
    p95: timedelta | None = None
    p99: timedelta | None = None
    peak: float | None = None
    mean: float | None = None
    feature_freshness: timedelta | None = None
    index_freshness: timedelta | None = None
    users: int | None = None
    items: int | None = None
    events_per_day: int | None = None
    memory: int | None = None
    availability: float | None = None
    span: Span | None = None
