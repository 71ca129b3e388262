"""What Feast's offline store gives back: a frame that is computed when it is asked for."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import FileSource, SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage

from mlsd_framework.diagnostics.errors import RunError


class PolarsRetrievalJob(RetrievalJob):
    """A frame still to be computed; each call computes it anew."""

    def __init__(
        self,
        compute: Callable[[], pl.DataFrame],
        repository: Path | None,
        *,
        full_feature_names: bool = False,
        on_demand: list[OnDemandFeatureView] | None = None,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self.to_polars = compute
        self._repository = repository
        self._full_feature_names = full_feature_names
        self._on_demand = on_demand or []
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """Whether a feature's name begins with its view's."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The on-demand views that Feast computes afterwards."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._metadata

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:  # noqa: FBT001, FBT002 - Feast's signature
        """Write the result to a Parquet file, or as one file more into a folder."""
        if not isinstance(storage, SavedDatasetFileStorage):
            raise RunError.of(
                "E6271",
                f"a {type(storage).__name__} cannot be written by the polars offline store",
                expected="a SavedDatasetFileStorage",
            )
        uri = FileSource.get_uri_for_file_path(repo_path=self._repository, uri=storage.file_options.uri)
        filesystem, path = FileSource.create_filesystem_and_path(str(uri), storage.file_options.s3_endpoint_override)
        if not allow_overwrite and _exists(filesystem, path):
            raise SavedDatasetLocationAlreadyExists(location=storage.file_options.uri)
        table = self.to_arrow(timeout=timeout)
        if path.endswith(".parquet"):
            pq.write_table(table, where=path, filesystem=filesystem)
        else:
            pq.write_to_dataset(table, root_path=path, filesystem=filesystem)

    def _to_df_internal(self, timeout: int | None = None) -> object:
        return self._to_arrow_internal(timeout).to_pandas()

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        del timeout  # what is computed in this process is not interrupted
        return plain_arrow(self.to_polars())


def plain_arrow(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table of the types that Feast knows: none of the `large` ones."""
    table = frame.to_arrow()
    schema = pa.schema([field.with_type(_plain(field.type)) for field in table.schema])
    return table if schema == table.schema else table.cast(schema)


def _plain(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype) or pa.types.is_dictionary(dtype):
        return pa.string()
    if pa.types.is_large_binary(dtype) or pa.types.is_binary_view(dtype):
        return pa.binary()
    if pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype) or pa.types.is_list(dtype):
        return pa.list_(_plain(dtype.value_type))
    if pa.types.is_struct(dtype):
        return pa.struct([field.with_type(_plain(field.type)) for field in dtype])
    return dtype


def _exists(filesystem: object, path: str) -> bool:
    if filesystem is None:
        return Path(path).exists()
    return bool(filesystem.get_file_info(path).type)  # type: ignore[attr-defined] # pyarrow's file systems have no types


def span_of(times: pl.Series) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last of some times."""
    first, last = times.min(), times.max()
    return (first if isinstance(first, datetime) else None), (last if isinstance(last, datetime) else None)
