"""Feast's materialisation without its messages: columns of the offline store become packed rows as they are.

In `feature_store.yaml`, with the online store of packed rows:

    batch_engine:
      type: mlsd_framework.runtime.feast.compute_engine.PackedComputeEngine

A view that is more than its source (transformations, aggregations, checks), and one with a type that only Feast knows
how to convert, goes the way that Feast's local engine goes.
"""

from typing import Literal

import numpy as np
import polars as pl
from feast import FeatureView
from feast.data_source import DataSource
from feast.field import Field
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from feast.types import FeastType
from feast.utils import _get_column_names
from feast.value_type import ValueType
from numpy.typing import NDArray

from mlsd_framework.runtime.feast.online_store import PackedOnlineStore
from mlsd_framework.runtime.feast.point_in_time import in_utc
from mlsd_framework.runtime.feast.retrieval import PolarsRetrievalJob
from mlsd_framework.runtime.feast.values import layout_of
from mlsd_framework.runtime.features.keys import encode_keys
from mlsd_framework.runtime.features.packed import EARLIEST, RowLayout
from mlsd_framework.runtime.features.sending import send_behind

_ROWS = 8_192  # packed at once
_TIME = pl.Datetime("us", "UTC")
_ITEMS: dict[str, pl.DataType] = {
    "BYTES": pl.Binary(),
    "STRING": pl.String(),
    "INT32": pl.Int32(),
    "INT64": pl.Int64(),
    "DOUBLE": pl.Float64(),
    "FLOAT": pl.Float32(),
    "BOOL": pl.Boolean(),
    "UNIX_TIMESTAMP": _TIME,
}


class PackedComputeEngineConfig(FeastConfigBaseModel):
    """Nothing needs to be said."""

    type: Literal["mlsd_framework.runtime.feast.compute_engine.PackedComputeEngine"] = (
        "mlsd_framework.runtime.feast.compute_engine.PackedComputeEngine"
    )


class PackedComputeEngine(LocalComputeEngine):
    """Materialises into packed rows, column by column."""

    def _materialize_one(
        self, registry: BaseRegistry, task: MaterializationTask, **kwargs: object
    ) -> LocalMaterializationJob:
        view, source, store = task.feature_view, task.feature_view.batch_source, self.online_store
        try:
            if source is not None and isinstance(store, PackedOnlineStore) and _is_plain(view):
                frame = _fitting(view, self._source_rows(registry, task, source))
                if frame is not None:
                    self._write(view, source, store, frame)
                    return _job(task)
        except Exception as error:  # noqa: BLE001 - Feast raises a job's error again
            return _job(task, error)
        return super()._materialize_one(registry, task, **kwargs)

    def _source_rows(self, registry: BaseRegistry, task: MaterializationTask, source: DataSource) -> pl.DataFrame:
        view = task.feature_view
        entities = [registry.get_entity(name, task.project) for name in view.entities]
        keys, features, event, created = _get_column_names(view, entities)
        job = self.offline_store.pull_latest_from_table_or_query(
            config=self.repo_config,
            data_source=source,
            join_key_columns=keys,
            feature_name_columns=features,
            timestamp_field=event,
            created_timestamp_column=created,
            start_date=task.start_time,
            end_date=task.end_time,
        )
        rows = job.to_polars() if isinstance(job, PolarsRetrievalJob) else pl.DataFrame(job.to_arrow())
        mapping = {old: new for old, new in source.field_mapping.items() if old in rows.columns}
        return rows.rename(mapping)

    def _write(self, view: FeatureView, source: DataSource, store: PackedOnlineStore, frame: pl.DataFrame) -> None:
        layout = layout_of(view)
        packed = (self._packed(layout, source, part) for part in frame.iter_slices(_ROWS))
        send_behind(packed, lambda pairs: store.write_packed(self.repo_config, view, pairs))

    @staticmethod
    def _packed(layout: RowLayout, source: DataSource, part: pl.DataFrame) -> list[tuple[bytes, bytes]]:
        event = _times(part, source.field_mapping.get(source.timestamp_field, source.timestamp_field))
        made = source.created_timestamp_column
        created = _times(part, source.field_mapping.get(made, made)) if made else EARLIEST
        rows = layout.pack_frame(part, event, created)
        keys = encode_keys(part.select(layout.entity))
        return [(key, row) for key, row in zip(keys, rows, strict=True) if key is not None]


def _is_plain(view: FeatureView) -> bool:
    more = ("feature_transformation", "aggregations", "enable_validation", "source_views", "offline")
    return type(view) is FeatureView and view.online and not any(getattr(view, name, None) for name in more)


def _fitting(view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame | None:
    """Return the rows in the types of the view's features; none where a column would need more than widening."""
    columns: list[pl.Expr] = []
    for field in view.entity_columns:
        if not _is_key(field, rows.schema[field.name]):
            return None
    for field in view.features:
        wanted, own = _polars_type(field.dtype), rows.schema[field.name]
        if wanted is None or not _widens(own, wanted):
            return None
        columns.append(
            in_utc(field.name, own).cast(_TIME) if wanted == _TIME else pl.col(field.name).cast(wanted, strict=True)
        )
    return rows.with_columns(columns)


def _is_key(field: Field, dtype: pl.DataType) -> bool:
    match field.dtype.to_value_type():
        case ValueType.INT64 | ValueType.INT32:
            return dtype.is_integer()
        case ValueType.STRING:
            return dtype == pl.String
    return False


def _polars_type(dtype: FeastType) -> pl.DataType | None:
    name = dtype.to_value_type().name
    item = _ITEMS.get(name.removesuffix("_LIST"))
    if item is None:
        return None
    return pl.List(item) if name.endswith("_LIST") else item


def _widens(own: pl.DataType, wanted: pl.DataType) -> bool:
    if isinstance(wanted, pl.List):
        # A list of Feast's has no nulls, which only its own conversion sees.
        return isinstance(own, pl.List) and own.inner == wanted.inner and own.inner != _TIME
    if own in (wanted, pl.Null):
        return True
    if wanted.is_float():
        return own.is_numeric()
    if wanted.is_integer():
        return own.is_integer()
    if wanted == _TIME:
        return isinstance(own, pl.Datetime | pl.Date)
    return wanted == pl.String and isinstance(own, pl.Categorical | pl.Enum)


def _times(rows: pl.DataFrame, column: str) -> NDArray[np.int64]:
    moments = rows.select(in_utc(column, rows.schema[column]).cast(_TIME)).to_series()
    times: NDArray[np.int64] = moments.to_physical().fill_null(EARLIEST).to_numpy()
    return times


def _job(task: MaterializationTask, error: Exception | None = None) -> LocalMaterializationJob:
    return LocalMaterializationJob(
        job_id=f"{task.feature_view.name}-{task.start_time}-{task.end_time}",
        status=MaterializationJobStatus.ERROR if error else MaterializationJobStatus.SUCCEEDED,
        error=error,
    )
