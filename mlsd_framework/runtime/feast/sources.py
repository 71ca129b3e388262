"""Reads what a Feast FileSource names, as polars frames: Parquet files and folders, times in UTC."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.errors import FeastJoinKeysDuringMaterialization
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.offline_stores.file_source import FileSource

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.feast.point_in_time import Moments, in_utc


def scan(source: DataSource | None, repository: Path | None) -> pl.LazyFrame:
    """Return the rows of a source, not read yet; one that is no Parquet FileSource is refused (E6271)."""
    if not isinstance(source, FileSource) or not isinstance(source.file_format or ParquetFormat(), ParquetFormat):
        raise RunError.of(
            "E6271",
            f"the polars offline store cannot read a {type(source).__name__}",
            expected="a FileSource of Parquet files",
        )
    uri = str(FileSource.get_uri_for_file_path(repo_path=repository, uri=source.file_options.uri))
    path = uri.removeprefix("file://")
    if Path(path).is_dir():
        path = f"{path}/**/*.parquet"
    override = source.file_options.s3_endpoint_override
    return pl.scan_parquet(path, storage_options={"aws_endpoint_url": override} if override else None)


def mapped(frame: pl.LazyFrame, source: DataSource) -> pl.LazyFrame:
    """Return the frame with the names that features have, where the source's own differ."""
    names = frame.collect_schema().names()
    mapping = {old: new for old, new in source.field_mapping.items() if old in names and old != new}
    return frame.rename(mapping) if mapping else frame


def mapped_name(source: DataSource, name: str) -> str:
    """Return the name of a column as features have it."""
    return str(source.field_mapping.get(name, name))


def timed(frame: pl.LazyFrame, moments: Moments) -> pl.LazyFrame:
    """Return the frame with its times in UTC."""
    schema = frame.collect_schema()
    names = [name for name in (moments.event, moments.created) if name]
    _require(schema.names(), names)
    return frame.with_columns(in_utc(name, schema[name]) for name in names)


def between(frame: pl.LazyFrame, event: str, start: datetime | None, end: datetime | None) -> pl.LazyFrame:
    """Return the rows of a stretch of time, both ends included; ends without a zone are in UTC."""
    for limit, later in ((start, True), (end, False)):
        if limit is not None:
            moment = (
                pl.lit(limit).dt.convert_time_zone("UTC") if limit.tzinfo else pl.lit(limit).dt.replace_time_zone("UTC")
            )
            frame = frame.filter(pl.col(event) >= moment if later else pl.col(event) <= moment)
    return frame


def stretch(
    source: DataSource,
    repository: Path | None,
    keys: Sequence[str],
    features: Iterable[str],
    moments: Moments,
    limits: tuple[datetime | None, datetime | None],
) -> pl.DataFrame:
    """Return a source's rows of a stretch of time: keys, features, times; every column where no feature is named.

    Column names are the source's own. A source without keys gets the one that Feast gives it.
    """
    frame = scan(source, repository)
    names = frame.collect_schema().names()
    if not set(keys) <= set(names):
        raise FeastJoinKeysDuringMaterialization(source.path, set(keys), set(names))  # type: ignore[attr-defined] # checked
    features = list(features)
    times = [name for name in (moments.event, moments.created) if name]
    if features:
        wanted = list(dict.fromkeys([*keys, *features, *times]))
        _require(names, wanted)
        frame = frame.select(wanted)
    rows = between(timed(frame, moments), moments.event, *limits).collect()
    return rows if keys else rows.with_columns(pl.lit(DUMMY_ENTITY_VAL).alias(DUMMY_ENTITY_ID))


def _require(names: Sequence[str], wanted: Iterable[str]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise RunError.of(
            "E6202", f"the source lacks the column `{missing[0]}`", expected=f"one of: {', '.join(sorted(names))}"
        )
