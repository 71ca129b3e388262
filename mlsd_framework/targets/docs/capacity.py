"""Capacity: what follows from the stated requirements and the layout of stored rows, and nothing else."""

from collections.abc import Iterator
from datetime import timedelta

from mlsd_framework.codegen.store_types import store_dtype
from mlsd_framework.ir.features import RequestGroup, StoredGroup
from mlsd_framework.ir.system import System
from mlsd_framework.targets.docs.words import NONE, Table, code, duration, number, percent, size

DAY = timedelta(days=1)
_MONTH = timedelta(days=30)

# The packed row of `runtime/features/packed.py`: a fingerprint and a checksum, one bit a column for null, the values.
_HEADER = 28  # layout, checksum, two moments
_WORD_BITS, _WORD_BYTES = 64, 8
_BYTES = {"float64": 8, "int64": 8, "timestamp": 8, "bool": 1}
_LENGTH = 4  # of what varies: texts and lists


def row_bytes(group: StoredGroup) -> int:
    """Return the bytes of a group's packed row, the content of its texts and lists left out."""
    words = -(-len(group.features) // _WORD_BITS)
    return (
        _HEADER
        + words * _WORD_BYTES
        + sum(_BYTES.get(store_dtype(feature.type), _LENGTH) for feature in group.features)
    )


def requirement_rows(system: System) -> Table:
    """Return what the system owes, requirement by requirement."""
    owed = system.requirements
    stated = (
        ("latency p50", duration(owed.p50)),
        ("latency p95", duration(owed.p95)),
        ("latency p99", duration(owed.p99)),
        ("peak throughput", _rate(owed.peak)),
        ("mean throughput", _rate(owed.mean)),
        ("freshness of features", duration(owed.feature_freshness)),
        ("freshness of indexes", duration(owed.index_freshness)),
        ("users", _count(owed.users)),
        ("items", _count(owed.items)),
        ("events a day", _count(owed.events_per_day)),
        ("memory", NONE if owed.memory is None else size(owed.memory)),
        ("availability", NONE if owed.availability is None else percent(owed.availability)),
    )
    return Table(("requirement", "owed"), tuple(row for row in stated if row[1] != NONE))


def capacity_rows(system: System) -> Table:
    """Return figures that follow from the requirements; each row says from what."""
    return Table(("figure", "value", "from"), tuple(_figures(system)))


def store_rows(system: System) -> Table:
    """Return the size of stored rows, group by group."""
    stored = _stored(system)
    rows = tuple(
        (code(one.name), code(one.entity), str(len(one.features)), str(row_bytes(one)), size(row_bytes(one) * 10**6))
        for one in stored
    )
    return Table(("group", "entity", "features", "bytes a row", "a million rows"), rows)


def _figures(system: System) -> Iterator[tuple[str, str, str]]:
    owed, workers = system.requirements, system.environment.workers
    if owed.mean is not None:
        yield "requests a day", number(round(owed.mean * DAY.total_seconds())), "mean throughput"
    elif owed.peak is not None:
        yield "requests a day, at most", number(round(owed.peak * DAY.total_seconds())), "peak throughput all day"
    if owed.peak:
        share = timedelta(seconds=workers / owed.peak)
        yield "time of a worker for one request at peak", duration(share), "workers / peak throughput"
    if owed.peak and owed.p99 is not None:
        busy = owed.peak * owed.p99.total_seconds()
        yield "requests in flight at peak, at most", number(round(busy, 1)), "peak throughput by p99"
        for endpoint in system.serving:
            yield (
                f"requests that {code(endpoint.path)} admits at once",
                number(endpoint.limits.concurrency * workers),
                "limits by workers",
            )
    if owed.events_per_day is not None:
        yield "events a second, mean", number(round(owed.events_per_day / DAY.total_seconds(), 2)), "events a day"
        yield "events a year", number(owed.events_per_day * 365), "events a day"
    if owed.availability is not None:
        yield "without an answer in 30 days, at most", _minutes(_MONTH * (1 - owed.availability)), "availability"
    stored = _stored(system)
    if stored and owed.users is not None and len({group.entity for group in stored}) == 1:
        total = sum(row_bytes(group) for group in stored) * owed.users
        yield "stored rows", number(owed.users * len(stored)), "users, one row a group"
        yield "bytes of stored rows, keys and the store's own overhead left out", size(total), "users by bytes a row"
    if stored:
        yield "memory of the embedded store, at most", size(system.environment.store_memory), "environment"


def _stored(system: System) -> list[StoredGroup]:
    return [group for group in system.features if not isinstance(group, RequestGroup)]


def _rate(value: float | None) -> str:
    return NONE if value is None else f"{number(value)} requests a second"


def _count(value: int | None) -> str:
    return NONE if value is None else number(value)


def _minutes(length: timedelta) -> str:
    return duration(timedelta(seconds=round(length.total_seconds())))
