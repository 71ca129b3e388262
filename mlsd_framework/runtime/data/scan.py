"""Sources as lazy frames of checked rows: in memory where they fit, else in a Parquet file that is read in parts.

What is larger than memory is read once, a batch at a time: each row is checked and written, the source's keys are dealt
out to parts on disk, in which repeated ones meet. Only where rows are to be dropped or put in order of time is the file
written a second time. The rows, their order and the report are those of `load_source`.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.data.check import load_source, refuse
from mlsd_framework.runtime.data.files import source_files
from mlsd_framework.runtime.data.findings import Findings
from mlsd_framework.runtime.data.read import read_batches
from mlsd_framework.runtime.data.repeats import Repeats
from mlsd_framework.runtime.data.report import SourceReport
from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.data.types import dtype
from mlsd_framework.runtime.features import spill
from mlsd_framework.runtime.memory import allowed, row_bytes

_COPIES = 4  # of each row while a source is read: as in the file, as typed, as sorted, and what each check makes
_EVERY = 256  # rows of which one says how the log is spread over time
_LAST = 2**63 - 1  # after every moment


@dataclass(frozen=True, slots=True)
class Scanned:
    """The checked rows of a source, in memory or in a file, and what was found in it."""

    rows: pl.LazyFrame
    report: SourceReport


def scan_source(table: SourceTable, root: Path, folder: Path, *, memory: int | None = None) -> Scanned:
    """Read, check and enforce as `load_source` does; raises RunError as that does.

    `memory` is how many bytes the rows may take, by default what `MLSD_MEMORY` says or a quarter of the machine's.
    Parquet files that may take more are written, checked, to `<folder>/<source>.parquet`; CSV is read into memory.
    """
    schema, bound = _schema(table), memory or allowed()
    parts = -(-_COPIES * row_bytes(schema) * _parquet_rows(table, root) // bound)
    if parts <= 1:
        loaded = load_source(table, root)
        return Scanned(loaded.frame.lazy(), loaded.report)
    path = folder / f"{table.name}.parquet"
    with atomic.replacing(path) as part, tempfile.TemporaryDirectory(prefix=".mlsd-", dir=folder) as scratch:
        report = _write(table, root, part, Path(scratch), min(parts, spill.MOST_PARTS))
    return Scanned(pl.scan_parquet(path, glob=False), report)


def _schema(table: SourceTable) -> pl.Schema:
    columns = {one.name: dtype(one.type) for one in table.columns if one.name != table.row_number}
    return pl.Schema(columns | ({table.row_number: pl.Int64()} if table.row_number is not None else {}))


def _parquet_rows(table: SourceTable, root: Path) -> int:
    """Return how many rows the files say that they hold; none where one is no Parquet file: reading says what it is."""
    rows = 0
    for file in source_files(table, root):
        if file.format != "parquet":
            return 0
        try:
            rows += pq.read_metadata(file.path).num_rows
        except (OSError, pa.ArrowException):
            return 0
    return rows


def _write(table: SourceTable, root: Path, path: Path, scratch: Path, parts: int) -> SourceReport:
    """Write the checked rows to `path`, and return what was found."""
    schema, found, moments = _schema(table), Findings(table), _Moments(table)
    with Repeats(table, schema, scratch, parts) as keys:

        def seen() -> Iterator[pl.DataFrame]:
            for batch in read_batches(table, root, spill.BATCH):
                keys.add(batch.frame, found.rows)
                found.add(batch)
                moments.add(batch.frame)
                yield batch.frame

        _write_parquet(seen(), path, schema)
    repeated, rows = keys.found()
    report = found.report(repeated)
    refuse(table, report, found.unreadable)
    gone = np.unique(np.concatenate([*found.gone, rows]))
    if len(gone) or not found.in_order:
        kept = _without(path, gone)
        again = scratch / "rows.parquet"
        _write_parquet(kept if found.in_order else _by_time(kept, table, moments.cuts(parts), scratch), again, schema)
        again.replace(path)
    return report


def _write_parquet(frames: Iterable[pl.DataFrame], path: Path, schema: pl.Schema) -> None:
    types = pl.DataFrame(schema=schema).to_arrow().schema
    with pq.ParquetWriter(path, types, compression="zstd", compression_level=1) as writer:
        for frame in frames:
            writer.write_table(frame.to_arrow().cast(types))


def _without(path: Path, gone: NDArray[np.int64]) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file but those with the numbers `gone`, which are in order."""
    first = 0
    for batch in pl.scan_parquet(path, glob=False).collect_batches(chunk_size=spill.BATCH, maintain_order=True):
        begin, end = np.searchsorted(gone, (first, first + batch.height))
        stays = np.ones(batch.height, np.bool_)
        stays[gone[begin:end] - first] = False
        yield batch.filter(pl.Series(stays))
        first += batch.height


class _Moments:
    """A sample of a source's event times: it says where to cut the log into parts of about one size."""

    def __init__(self, table: SourceTable) -> None:
        self._time = table.event_time
        self._taken: list[NDArray[np.int64]] = []

    def add(self, frame: pl.DataFrame) -> None:
        if self._time is not None:
            times = frame.get_column(self._time).drop_nulls().gather_every(_EVERY)
            self._taken.append(times.to_physical().to_numpy())

    def cuts(self, parts: int) -> NDArray[np.int64]:
        """Return the moments at which all parts but the first begin."""
        taken = np.sort(np.concatenate(self._taken))
        return np.unique(taken[np.arange(1, parts) * len(taken) // parts]) if len(taken) else taken


def _by_time(
    frames: Iterator[pl.DataFrame], table: SourceTable, cuts: NDArray[np.int64], scratch: Path
) -> Iterator[pl.DataFrame]:
    """Yield rows in order of event time, those of one time as they came, those without one last."""
    time = str(table.event_time)
    with spill.Parts(scratch, "rows", pl.DataFrame(schema=_schema(table))) as parts:
        for frame in frames:
            times = frame.get_column(time).to_physical().fill_null(_LAST).to_numpy()
            parts.deal(frame.with_columns(pl.Series(spill.PART, np.searchsorted(cuts, times, side="right"))))
    for at in range(len(cuts) + 1):
        yield parts.read(at).sort(time, maintain_order=True, nulls_last=True)
