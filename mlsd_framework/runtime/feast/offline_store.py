"""Feast's offline store on polars: point-in-time joins of Parquet files in which no entity row is ever lost.

In `feature_store.yaml`:

    offline_store:
      type: mlsd_framework.runtime.feast.offline_store.PolarsOfflineStore
"""

import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from feast import FeatureView, RepoConfig
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import DUMMY_ENTITY_ID
from feast.infra.offline_stores.file_source import FileLoggingDestination, FileSource
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel
from feast.utils import (
    _get_requested_feature_views_to_features_dict,
    _get_requested_on_demand_feature_views,
    compute_non_entity_date_range,
)

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.feast.history import Asked, History, entity_rows, snapshot_rows
from mlsd_framework.runtime.feast.point_in_time import Moments, latest_rows
from mlsd_framework.runtime.feast.retrieval import PolarsRetrievalJob, span_of
from mlsd_framework.runtime.feast.sources import stretch

if TYPE_CHECKING:
    import pandas as pd


class PolarsOfflineStoreConfig(FeastConfigBaseModel):
    """Nothing needs to be said: sources say where their files are."""

    type: Literal["mlsd_framework.runtime.feast.offline_store.PolarsOfflineStore"] = (
        "mlsd_framework.runtime.feast.offline_store.PolarsOfflineStore"
    )


class PolarsOfflineStore(OfflineStore):
    """Historical features of FileSources over Parquet."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(  # noqa: PLR0913 - Feast's signature
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: "pd.DataFrame | pl.DataFrame | str | None",
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,  # noqa: FBT001, FBT002 - Feast's signature
        *,
        filter_by_created_timestamp: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Join the features to the entity rows, each as of its moment.

        Without entity rows every key with an event between the two dates gets one, at the second of them.
        """
        on_demand = _get_requested_on_demand_feature_views(feature_refs, project, registry)
        wanted, _ = _get_requested_feature_views_to_features_dict(feature_refs, feature_views, on_demand)
        asked = tuple(Asked.of(view, names, full_names=full_feature_names) for view, names in wanted.items())
        if entity_df is None:
            limits = compute_non_entity_date_range(feature_views, start_date=start_date, end_date=end_date)
            rows, time = snapshot_rows(asked, config.repo_path, *limits)
        else:
            rows, time = entity_rows(entity_df)
        history = History(rows, time, asked, config.repo_path, filter_by_created_timestamp)
        return PolarsRetrievalJob(
            history.compute,
            config.repo_path,
            full_feature_names=full_feature_names,
            on_demand=OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry),
            metadata=RetrievalMetadata(
                feature_refs, [name for name in rows.columns if name != time], *span_of(rows.get_column(time))
            ),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Return the newest row of each key of a stretch of time, both ends included."""
        moments = Moments(timestamp_field, created_timestamp_column or None)

        def compute() -> pl.DataFrame:
            rows = stretch(
                data_source,
                config.repo_path,
                join_key_columns,
                feature_name_columns,
                moments,
                (start_date, end_date),
            )
            return latest_rows(rows, join_key_columns or [DUMMY_ENTITY_ID], moments)

        return PolarsRetrievalJob(compute, config.repo_path)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Return every row of a stretch of time, both ends included."""
        moments = Moments(timestamp_field, created_timestamp_column or None)
        return PolarsRetrievalJob(
            lambda: stretch(
                data_source,
                config.repo_path,
                join_key_columns,
                feature_name_columns,
                moments,
                (start_date, end_date),
            ),
            config.repo_path,
        )

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Add logs to a folder of Parquet files."""
        del source, registry
        destination = logging_config.destination
        if not isinstance(destination, FileLoggingDestination):
            raise RunError.of(
                "E6271",
                f"the polars offline store cannot write logs to a {type(destination).__name__}",
                expected="a FileLoggingDestination",
            )
        uri = str(FileSource.get_uri_for_file_path(repo_path=config.repo_path, uri=destination.path))
        filesystem, path = FileSource.create_filesystem_and_path(uri, destination.s3_endpoint_override)
        ds.write_dataset(
            pq.read_table(data) if isinstance(data, Path) else data,
            base_dir=path,
            basename_template=f"{uuid.uuid4().hex}-{{i}}.parquet",
            partitioning=destination.partition_by,
            filesystem=filesystem,
            format="parquet",
            existing_data_behavior="overwrite_or_ignore",
        )

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Add rows to a view's source: to its file, which is replaced at once, or as a file more in its folder."""
        source = feature_view.batch_source
        if not isinstance(source, FileSource):
            raise RunError.of(
                "E6271",
                f"the polars offline store cannot write to the {type(source).__name__} of `{feature_view.name}`",
                expected="a FileSource of Parquet files",
            )
        uri = str(FileSource.get_uri_for_file_path(repo_path=config.repo_path, uri=source.file_options.uri))
        filesystem, path = FileSource.create_filesystem_and_path(uri, source.file_options.s3_endpoint_override)
        added = _fitting(table, ds.dataset(path, filesystem=filesystem, format="parquet").schema, feature_view.name)
        if Path(path).is_dir():
            _write(added, Path(path) / f"{uuid.uuid4().hex}.parquet")
        elif filesystem is None:
            _write(pa.concat_tables([pq.read_table(path), added]), Path(path))
        else:
            whole = pa.concat_tables([pq.read_table(path, filesystem=filesystem), added])
            pq.write_table(whole, path, filesystem=filesystem)
        if progress:
            progress(table.num_rows)


def _fitting(table: pa.Table, schema: pa.Schema, view: str) -> pa.Table:
    if sorted(table.column_names) != sorted(schema.names):
        raise RunError.of(
            "E6272",
            f"the rows for `{view}` have the columns {', '.join(table.column_names)}",
            expected=", ".join(schema.names),
        )
    return table.select(schema.names).cast(schema)


def _write(table: pa.Table, path: Path) -> None:
    with atomic.replacing(path) as part:
        pq.write_table(table, part)
