"""What nobody could know at a moment, planted into copies of the sources: rows before it must not change."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from mlsd_framework.runtime.verify.made_rows import copies, is_countable, new_values, with_own_keys
from mlsd_framework.runtime.verify.subject import Examples, Log, Subject

_PLANTS = 400
_FAR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Plant:
    """What was planted into a source: a word for the kind, and in how many rows."""

    source: str
    kind: str
    rows: int


def planted(
    subject: Subject, examples: Examples, frames: Mapping[str, pl.DataFrame], cut: int, draw: np.random.Generator
) -> tuple[dict[str, pl.DataFrame], list[Plant]]:
    """Return the sources with everything changed that is known after `cut` (microseconds), and what was done."""
    found: dict[str, pl.DataFrame] = {}
    plants: list[Plant] = []
    for name, frame in frames.items():
        log = subject.log(name)
        time = log.table.event_time
        if time is None or frame.schema.get(time) != pl.Datetime("us", "UTC"):
            found[name] = frame
            continue
        is_label = name == examples.labels and name != examples.source
        changed, number = _changed(frame, log, cut, subject.entities)
        plants.append(Plant(name, "labels known later, changed" if is_label else "later rows, changed", number))
        parts = [changed]
        if not is_label:
            for kind, rows in _added(frame, log, cut, subject.entities, draw):
                parts.append(rows)
                plants.append(Plant(name, kind, rows.height))
        found[name] = pl.concat(parts).sort(time, maintain_order=True)
    return found, plants


def _changed(frame: pl.DataFrame, log: Log, cut: int, entities: frozenset[str]) -> tuple[pl.DataFrame, int]:
    """Change every value of the rows that are known after the cut; keys and times stay."""
    known_at = pl.col(log.ingest_time or str(log.table.event_time)).to_physical()
    later = known_at >= cut
    fixed = {*log.table.key, *entities, log.table.event_time, log.ingest_time, log.table.row_number}
    values = [
        pl.when(later).then(other_value(name, dtype)).otherwise(pl.col(name)).cast(dtype).alias(name)
        for name, dtype in frame.schema.items()
        if name not in fixed
    ]
    return frame.with_columns(values), int(frame.select(later.sum()).item())


def _added(
    frame: pl.DataFrame, log: Log, cut: int, entities: frozenset[str], draw: np.random.Generator
) -> list[tuple[str, pl.DataFrame]]:
    """Return rows after the cut of known and of new keys, with extreme values, and rows that were written late."""
    if not frame.height:
        return []
    number = min(_PLANTS, frame.height)
    taken = draw.integers(0, frame.height, number).tolist()
    times = [cut, *(cut + draw.integers(0, _FAR, number - 1)).tolist()]
    future = _extreme(copies(frame, log, taken, times), log)
    strangers = _strangers(future, log, entities)
    made = [("future rows of known keys", future), ("future rows of new keys", strangers)]
    if log.ingest_time is not None:
        before = [cut - 1, *(cut - draw.integers(1, _FAR, number - 1)).tolist()]
        late = _extreme(copies(frame, log, taken, before), log).with_columns(
            pl.Series(log.ingest_time, times, pl.Int64).cast(pl.Datetime("us", "UTC"))
        )
        made.append(("rows written late", late))
    owned = with_own_keys(pl.concat([rows for _, rows in made]), log)
    at, found = 0, []
    for kind, rows in made:
        found.append((kind, owned[at : at + rows.height]))
        at += rows.height
    return found


def _extreme(rows: pl.DataFrame, log: Log) -> pl.DataFrame:
    fixed = {*log.table.key, log.table.event_time, log.ingest_time}
    return rows.with_columns(
        (pl.col(name).fill_null(1).cast(pl.Float64) * 1e6 + 1e6).cast(dtype)
        for name, dtype in rows.schema.items()
        if dtype.is_float() and name not in fixed
    )


def _strangers(rows: pl.DataFrame, log: Log, entities: frozenset[str]) -> pl.DataFrame:
    """Give rows keys of entities that the log does not have."""
    return rows.with_columns(
        new_values(log.rows.get_column(name), rows.height)
        for name, dtype in rows.schema.items()
        if is_countable(dtype) and name in entities
    )


def other_value(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return other values than a column has; null where it is of a type that is left alone."""
    value = pl.col(name)
    if dtype == pl.Boolean:
        return ~value.fill_null(value=False)
    if dtype.is_float():
        return value.fill_null(0.0) * -1e3 + 1e6
    if dtype.is_integer():
        return pl.lit(1, dtype) - value.fill_null(0).clip(-100, 100)
    return value.fill_null("") + "~" if dtype == pl.String else value
