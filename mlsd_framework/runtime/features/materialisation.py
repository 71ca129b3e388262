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
from mlsd_framework.runtime.features.offline import floor_time, in_time, materialise
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.polars_types import dtype_of
from mlsd_framework.runtime.features.snapshots import current_snapshot
from mlsd_framework.runtime.features.windows import FeatureColumn, WindowGroup, output_columns
from mlsd_framework.runtime.workspace import Workspace

if TYPE_CHECKING:
    from mlsd_framework.runtime.features.dtypes import Dtype

Group = WindowGroup | ColumnGroup | DerivedGroup
Rows = pl.DataFrame | Mapping[str, pl.DataFrame]


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
        frame = _frame(rows)
        values = {one.value: dtype_of(frame.get_column(one.value)) for one in group.aggregates if one.value is not None}
        columns, made = output_columns(group, values), materialise(frame, group, moment)
        late = frame.height - in_time(frame, group).height
    else:
        frame = _frame(rows)
        types: dict[str, Dtype] = {name: dtype_of(frame.get_column(name)) for name in group.columns}
        columns, made = table_columns(group, types), current_rows(frame, group, moment)
    return Materialised(group, _layout(group, columns), made, floor_time(moment, group.refresh), late)


def _frame(rows: Rows) -> pl.DataFrame:
    if not isinstance(rows, pl.DataFrame):
        raise TypeError(type(rows))
    return rows


def _frames(rows: Rows) -> Mapping[str, pl.DataFrame]:
    if isinstance(rows, pl.DataFrame):
        raise TypeError(type(rows))
    return rows


def _layout(group: Group, columns: tuple[FeatureColumn, ...]) -> RowLayout:
    return RowLayout(group.name, columns, group.entity)


def _end(pairs: list[tuple[Group, Rows]]) -> datetime:
    """Return the moment just after the last event of any log."""
    times: list[object] = []
    for group, rows in pairs:
        if isinstance(group, DerivedGroup):
            frames = _frames(rows)
            times += [frames[one.source].get_column(one.event_time).max() for one in group.readings]
        else:
            time = group.event_time if isinstance(group, WindowGroup) else group.valid_from
            times += [_frame(rows).get_column(time).max()] if time is not None else []
    known = [time for time in times if isinstance(time, datetime)]
    return max(known) + timedelta(microseconds=1) if known else datetime.now(UTC)
