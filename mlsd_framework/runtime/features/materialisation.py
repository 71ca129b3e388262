"""Materialising stored groups: values as of the end of the log, to Parquet for Feast and to the online store's rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.features.asof import current_rows
from mlsd_framework.runtime.features.columns import ColumnGroup, table_columns
from mlsd_framework.runtime.features.derived import DerivedGroup
from mlsd_framework.runtime.features.offline import floor_time
from mlsd_framework.runtime.features.out_of_core import materialise_from
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.polars_types import Frame, dtype_of
from mlsd_framework.runtime.features.snapshots import current_snapshot
from mlsd_framework.runtime.features.windows import FeatureColumn, WindowGroup, output_columns
from mlsd_framework.runtime.workspace import Workspace

if TYPE_CHECKING:
    from mlsd_framework.runtime.features.dtypes import Dtype

Group = WindowGroup | ColumnGroup | DerivedGroup
Rows = Frame | Mapping[str, Frame]


@dataclass(frozen=True, slots=True)
class Materialised:
    """A group's rows as of `as_of`: entity columns, then the columns of `layout`.

    `late` is how many events were written too late to count.
    """

    group: Group
    layout: RowLayout
    rows: pl.DataFrame
    as_of: datetime
    late: int = 0


def materialise_all(groups: Iterable[tuple[Group, Rows]], as_of: datetime | None = None) -> list[Materialised]:
    """Compute each group from its events or table, as of one moment: the end of all logs, unless one is given.

    A derived group comes with a frame for each source that it reads.
    """
    pairs = list(groups)
    moment = as_of or _end(pairs)
    return [_materialise(group, rows, moment) for group, rows in pairs]


def write_groups(
    materialised: Sequence[Materialised],
    workspace: Workspace,
    *,
    system: str,
    features: str,
    store: str | None = None,
    published: Sequence[str] | None = None,
) -> None:
    """Write `<group>.parquet` with an `event_timestamp` for each group; with `store`, publish rows, all at once.

    `published` names the groups whose rows the store is given: all, where it is left out; live ones have states there.
    """
    for one in materialised:
        stamped = one.rows.with_columns(pl.lit(one.as_of).cast(pl.Datetime("us", "UTC")).alias("event_timestamp"))
        with atomic.replacing(workspace.features / f"{one.group.name}.parquet") as part:
            stamped.write_parquet(part)
        late = f"; {one.late:,} events were written too late to count" if one.late else ""
        print(f"{one.group.name}: {one.rows.height:,} rows as of {one.as_of:%Y-%m-%d %H:%M} UTC{late}")
    given = [one for one in materialised if published is None or one.group.name in published]
    if store is not None and given:
        _publish(given, system, features, store)


def _publish(materialised: Sequence[Materialised], system: str, features: str, url: str) -> None:
    from mlsd_framework.runtime.features.online import OnlineStore  # noqa: PLC0415 - only publishing needs a connection
    from mlsd_framework.runtime.features.publishing import publishing  # noqa: PLC0415 - as above

    store = OnlineStore.connect(url, system=system, features=features, layouts=[one.layout for one in materialised])
    with publishing(store, max(one.as_of for one in materialised)) as generation:
        written = sum(generation.write(one.group.name, one.rows) for one in materialised)
    store.close()
    print(f"published {written:,} rows to the online store")


def _materialise(group: Group, rows: Rows, moment: datetime) -> Materialised:
    late = 0
    if isinstance(group, DerivedGroup):
        columns, made = group.columns, current_snapshot(_frames(rows), group, moment)
    elif isinstance(group, WindowGroup):
        events = _frame(rows)
        made = materialise_from(events, group, moment)
        columns = output_columns(
            group, _types(events, [one.value for one in group.aggregates if one.value is not None])
        )
        late = _late(events, group)
    else:
        table = _frame(rows)
        columns, made = table_columns(group, _types(table, group.columns)), current_rows(table, group, moment)
    return Materialised(group, _layout(group, columns), made, floor_time(moment, group.refresh), late)


def _types(frame: Frame, names: Sequence[str]) -> dict[str, "Dtype"]:
    empty = pl.DataFrame(schema=frame.collect_schema())
    return {name: dtype_of(empty.get_column(name)) for name in names}


def _late(events: Frame, group: WindowGroup) -> int:
    """Count the events that were written later than the group allows, or nobody knows when."""
    if group.ingest_time is None or group.allowed_lateness is None:
        return 0
    timely = pl.col(group.ingest_time) - pl.col(group.event_time) <= group.allowed_lateness
    return int(events.lazy().select(pl.len() - timely.sum()).collect(engine="streaming").item())


def _newest(rows: Frame, time: str) -> datetime | None:
    newest = rows.lazy().select(pl.col(time).max()).collect(engine="streaming").item()
    return newest if isinstance(newest, datetime) else None


def _frame(rows: Rows) -> Frame:
    if not isinstance(rows, pl.DataFrame | pl.LazyFrame):
        raise TypeError(type(rows))
    return rows


def _frames(rows: Rows) -> Mapping[str, Frame]:
    if isinstance(rows, pl.DataFrame | pl.LazyFrame):
        raise TypeError(type(rows))
    return rows


def _layout(group: Group, columns: tuple[FeatureColumn, ...]) -> RowLayout:
    return RowLayout(group.name, columns, group.entity)


def _end(pairs: list[tuple[Group, Rows]]) -> datetime:
    """Return the moment just after the last event of any log."""
    times: list[datetime | None] = []
    for group, rows in pairs:
        if isinstance(group, DerivedGroup):
            frames = _frames(rows)
            times += [_newest(frames[one.source], one.event_time) for one in group.readings]
        else:
            time = group.event_time if isinstance(group, WindowGroup) else group.valid_from
            times += [_newest(_frame(rows), time)] if time is not None else []
    known = [time for time in times if time is not None]
    return max(known) + timedelta(microseconds=1) if known else datetime.now(UTC)
