"""Historical features: every entity row as it came, with what each feature view knew at its moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from feast import FeatureView
from feast.data_source import DataSource
from feast.infra.offline_stores.offline_utils import DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.feast.point_in_time import Moments, in_utc, known_rows
from mlsd_framework.runtime.feast.sources import mapped, mapped_name, scan, timed

if TYPE_CHECKING:
    import pandas as pd


_TIME = "__time"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one feature view: its rows, the columns that join, and the features by the names they get."""

    view: FeatureView
    joins: tuple[tuple[str, str], ...]
    """Each join key as the view has it and as the entity rows do."""
    features: tuple[tuple[str, str], ...]
    """Each feature's name and the column that it becomes."""

    @classmethod
    def of(cls, view: FeatureView, features: Sequence[str], *, full_names: bool) -> "Asked":
        """Take a view and the features of it that are wanted."""
        keys = view.projection.join_key_map
        prefix = f"{view.projection.name_to_use()}__" if full_names else ""  # type: ignore[no-untyped-call] # Feast's
        joins = tuple(
            (column.name, keys.get(column.name, column.name))
            for column in view.entity_columns
            if not column.name.startswith("__dummy")
        )
        return cls(view, joins, tuple((name, prefix + name) for name in dict.fromkeys(features)))


@dataclass(frozen=True, slots=True)
class History:
    """Entity rows, the column of their moments, and what they ask for."""

    rows: pl.DataFrame
    time: str
    asked: tuple[Asked, ...]
    repository: Path | None
    created_by_then: bool = False

    def compute(self) -> pl.DataFrame:
        """Return the entity rows in their order, none lost and none twice, with the features of each view."""
        taken = set(self.rows.columns)
        found = [self.rows]
        for one in self.asked:
            twice = sorted({column for _, column in one.features} & taken)
            if twice:
                raise RunError.of(
                    "E6272",
                    f"the column `{twice[0]}` would be there twice",
                    help="ask for full feature names, or rename the column of the entity rows",
                )
            taken |= {column for _, column in one.features}
            found.append(self._features(one))
        return pl.concat(found, how="horizontal")

    def _features(self, one: Asked) -> pl.DataFrame:
        view = one.view
        source = _source_of(view)
        created = source.created_timestamp_column
        moments = Moments(
            mapped_name(source, source.timestamp_field), mapped_name(source, created) if created else None
        )
        keys = [key for key, _ in one.joins]
        times = [name for name in (moments.event, moments.created) if name]
        frame = timed(mapped(scan(source, self.repository), source), moments)
        names = frame.collect_schema().names()
        missing = [name for name in (*keys, *(name for name, _ in one.features)) if name not in names]
        if missing:
            raise RunError.of(
                "E6202",
                f"the source of `{view.name}` lacks the column `{missing[0]}`",
                expected=f"one of: {', '.join(sorted(names))}",
            )
        rows = frame.select(list(dict.fromkeys([*keys, *times, *(name for name, _ in one.features)]))).collect()
        asked = self.rows.select(pl.col(self.time).alias(_TIME), *self._keys(one, rows))
        ttl = view.ttl if isinstance(view.ttl, timedelta) and view.ttl else None
        which = known_rows(rows, asked, keys, moments, _TIME, ttl=ttl, created_by_then=self.created_by_then)
        return rows.select(pl.col(name).gather(which).alias(column) for name, column in one.features)

    def _keys(self, one: Asked, source: pl.DataFrame) -> list[pl.Expr]:
        return [self._key(source.schema[key], key, column) for key, column in one.joins]

    def _key(self, dtype: pl.DataType, key: str, column: str) -> pl.Expr:
        # Entity rows from pandas have floats where integers have nulls.
        if column not in self.rows.columns:
            raise RunError.of(
                "E6272", f"the entity rows lack the column `{column}`", expected=", ".join(self.rows.columns)
            )
        own = self.rows.schema[column]
        read = pl.col(column)
        if own in (dtype, pl.Null):
            return read.cast(dtype).alias(key)
        if dtype.is_integer() and (own.is_float() or own.is_integer()):
            return (
                pl.when(read == read.floor() if own.is_float() else True)
                .then(read)
                .cast(dtype, strict=False)
                .alias(key)
            )
        if {type(own), type(dtype)} <= {pl.String, pl.Categorical, pl.Enum}:
            return read.cast(pl.String).cast(dtype).alias(key)
        raise RunError.of(
            "E6272",
            f"the column `{column}` of the entity rows has the type {own}",
            expected=f"{dtype}, as the source has",
        )


def entity_rows(given: "pd.DataFrame | pl.DataFrame | str") -> tuple[pl.DataFrame, str]:
    """Return the entity rows with their moments in UTC, and the name of that column; a query is refused (E6272)."""
    if isinstance(given, str):
        raise RunError.of(
            "E6272",
            "the entity rows are a SQL query, and the polars offline store has no database to ask",
            expected="a pandas or polars frame",
        )
    rows = given if isinstance(given, pl.DataFrame) else _from_pandas(given)
    time = _time_column(rows)
    return rows.with_columns(in_utc(time, rows.schema[time])), time


def snapshot_rows(
    asked: Sequence[Asked], repository: Path | None, start: datetime, end: datetime
) -> tuple[pl.DataFrame, str]:
    """Return an entity row at `end` for every key with an event since `start`, where nobody says which are wanted."""
    if len({tuple(column for _, column in one.joins) for one in asked}) != 1:
        raise RunError.of(
            "E6272",
            "feature views of different entities are asked for without entity rows",
            help="give entity rows, or ask for the views one by one",
        )
    every: list[pl.DataFrame] = []
    for one in asked:
        source = _source_of(one.view)
        event = mapped_name(source, source.timestamp_field)
        frame = timed(mapped(scan(source, repository), source), Moments(event))
        known = frame.filter(pl.col(event).is_between(start, end))
        every.append(
            known.select(pl.col(key).alias(column) for key, column in one.joins).drop_nulls().unique().collect()
        )
    keys = pl.concat(every, how="vertical_relaxed").unique(maintain_order=True)
    if keys.width:
        keys = keys.sort(keys.columns)
    at = pl.lit(end).dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    name = DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL
    return (keys.with_columns(at.alias(name)) if keys.width else pl.select(at.alias(name))), name


def _source_of(view: FeatureView) -> DataSource:
    if view.batch_source is None:
        raise RunError.of("E6271", f"the feature view `{view.name}` has no batch source")
    return view.batch_source


def _from_pandas(given: "pd.DataFrame") -> pl.DataFrame:
    try:
        return pl.from_pandas(given)
    except (pl.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError) as error:
        raise RunError.of(
            "E6272", f"the entity rows cannot be read: {error}", expected="a frame whose columns each have one type"
        ) from error


def _time_column(rows: pl.DataFrame) -> str:
    if DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL in rows.columns:
        return DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL
    times = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.Datetime)]
    if len(times) == 1:
        return times[0]
    raise RunError.of(
        "E6272",
        f"the entity rows have {len(times)} columns of times",
        expected=f"one, or one that is called `{DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL}`",
    )
