"""Moments to ask at: those at which an off-by-one shows, and ordinary ones."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import polars as pl

from mlsd_framework.runtime.features.columns import ColumnGroup
from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.features.windows import WindowGroup, as_microseconds, window_label

Draw: TypeAlias = np.random.Generator

_MOMENTS = 6
_DAY = 86_400_000_000


def around_events(events: pl.DataFrame, group: WindowGroup, rows: int, draw: Draw) -> pl.DataFrame:
    """Ask about the keys of events at, just before and just after every moment at which their values change."""
    known = events.drop_nulls(group.entity)
    stamp = pl.col(group.event_time).to_physical()
    delay = as_microseconds(group.delay)
    cases: list[tuple[str, pl.Expr]] = [
        ("tie with an event", stamp + delay),
        ("just before an event", stamp + delay - 1),
        ("just after an event", stamp + delay + 1),
        ("at the moment of an event", stamp),
    ]
    for width in group.windows:
        if width is not None:
            label, length = window_label(width), as_microseconds(width)
            step = as_microseconds(group.resolution) if group.resolution else 1
            last = stamp - stamp % step + step - 1 + length + delay  # the last moment whose window holds the event
            cases += [(f"edge of {label}", last), (f"beyond the edge of {label}", last + 1)]
    if group.ingest_time is not None:
        written = pl.col(group.ingest_time).to_physical()
        cases += [("just before it is written", written - 1), ("as it is written", written)]
    parts = [_asked(known, group.entity, name, at, max(rows // (len(cases) + 2), 4), draw) for name, at in cases]
    between = stamp + pl.Series(draw.integers(1, _DAY, known.height))
    parts.append(_asked(known, group.entity, "between events", between, rows // (len(cases) + 2), draw))
    longest = max((as_microseconds(w) for w in group.windows if w is not None), default=0)
    first, last = stamp.min() - _DAY, stamp.max() + longest + delay + _DAY
    parts += [
        _asked(known, group.entity, "before all events", first, 8, draw),
        _asked(known, group.entity, "after all events", last, 8, draw),
    ]
    return pl.concat(parts)


def grid(events: pl.DataFrame, group: WindowGroup) -> tuple[int, ...]:
    """Return moments as of which a group is materialised: all over its log, before it begins and long after its end."""
    times = events.get_column(group.event_time).to_physical()
    if not times.len():
        return (0,)
    refresh = as_microseconds(group.refresh) if group.refresh else 1
    found = [int(times.quantile(part, "nearest") or 0) for part in np.linspace(0.2, 0.95, _MOMENTS)]
    longest = max((as_microseconds(w) for w in group.windows if w is not None), default=0)
    found.append(int(times.min() or 0) - _DAY)  # type: ignore[arg-type] # integers
    found.append(int(times.max() or 0) + longest + as_microseconds(group.delay) + _DAY)  # type: ignore[arg-type] # integers
    return tuple(sorted({one - one % refresh for one in found}))


def of_table(rows: pl.DataFrame, group: ColumnGroup, draw: Draw) -> tuple[int, ...]:
    """Return moments at which rows of a table begin and end to be valid, and just before."""
    moments: set[int] = set()
    for name in (group.valid_from, group.valid_to, group.ingest_time):
        times = rows.get_column(name).drop_nulls().to_physical().to_list() if name else []
        if times:
            picked = draw.choice(times, _MOMENTS // 2).tolist()
            moments |= {*picked, *(one - 1 for one in picked), max(times) + _DAY}
    return tuple(sorted(moments)) or (1_700_000_000_000_000,)


def of_snapshots(rows: pl.DataFrame, group: DerivedGroup) -> tuple[int, ...]:
    """Return moments of snapshots: spread over the log, and before it begins."""
    times = rows.get_column(group.readings[0].event_time).to_physical()
    if not times.len():
        return (0,)
    refresh = as_microseconds(group.refresh)
    found = [int(times.quantile(part, "nearest") or 0) for part in (0.4, 0.7, 1.0)]
    found.append(int(times.min() or 0) - _DAY)  # type: ignore[arg-type] # integers
    return tuple(sorted({one - one % refresh for one in found}))


def on_grid(
    events: pl.DataFrame, group: WindowGroup | ColumnGroup | DerivedGroup, moments: Sequence[int], rows: int, draw: Draw
) -> pl.DataFrame:
    """Ask about every key at moments that see one materialisation: at it, and until just before the next."""
    keys = events.select(group.entity).drop_nulls().unique(maintain_order=True)
    offsets = [("at a materialisation", 0)]
    if group.refresh is not None:
        refresh = as_microseconds(group.refresh)
        offsets += [
            ("just before the next refresh", refresh - 1),
            ("between refreshes", int(draw.integers(1, refresh))),
        ]
    each = max(rows // (len(offsets) * len(moments)), 1)
    parts = []
    for moment in moments:
        for name, offset in offsets:
            taken = keys if keys.height <= each else keys[draw.choice(keys.height, each, replace=False).tolist()]
            parts.append(taken.with_columns(pl.lit(moment + offset).alias("__moment"), pl.lit(name).alias("__case")))
    return pl.concat(parts)


def _asked(
    events: pl.DataFrame, entity: Sequence[str], name: str, at: pl.Expr, number: int, draw: Draw
) -> pl.DataFrame:
    found = events.select(*entity, at.cast(pl.Int64).alias("__moment"), pl.lit(name).alias("__case"))
    if found.height <= number:
        return found
    taken: list[int] = draw.choice(found.height, number, replace=False).tolist()
    return found[taken]
