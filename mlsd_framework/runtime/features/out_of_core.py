"""The offline home for a log that is larger than memory: the kernel, a hash bucket of keys at a time.

Events and queries are streamed once from where they are and dealt out to buckets on disk by the hash of the entity's
key; a bucket holds all of its keys' events, so the kernel computes it as it computes a whole log. Values are those of
`offline`, to the bit. All events of one key have to fit into memory: a hot key is as large as a bucket gets.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.features.offline import floor_time, materialise, window_features
from mlsd_framework.runtime.features.spill import MOST_PARTS, PART, ROW, Parts, dealt, hashed
from mlsd_framework.runtime.features.windows import WindowGroup
from mlsd_framework.runtime.memory import allowed, row_bytes

Log = pl.LazyFrame | pl.DataFrame | Sequence[Path]
_COPIES = 4  # of what goes in, as the kernel orders it
_PER_ROW = 48  # bytes of codes, orders and ranges of one event or query


def window_features_from(
    events: Log,
    queries: pl.LazyFrame | pl.DataFrame,
    group: WindowGroup,
    *,
    time: str | None = None,
    memory: int | None = None,
    folder: Path | None = None,
    threads: int | None = None,
) -> pl.DataFrame:
    """Compute what `window_features` does from a log that is not in memory; the features themselves are.

    `events` are Parquet files, read in the order given, or a lazy frame that polars can stream. `memory` is how many
    bytes the work may take beside the result, by default what `MLSD_MEMORY` says or a quarter of the machine's; what
    does not fit goes to a folder made in `folder` (default: the system's for temporary files), which is removed at the
    end and after a fault.
    """
    with _chunks(events, queries, group, time, memory, folder, threads) as chunks:
        return pl.concat(chunks, rechunk=False)


def write_window_features(
    events: Log,
    queries: pl.LazyFrame | pl.DataFrame,
    group: WindowGroup,
    path: Path,
    *,
    time: str | None = None,
    memory: int | None = None,
    folder: Path | None = None,
    threads: int | None = None,
) -> None:
    """Write what `window_features_from` returns to a Parquet file, for queries that do not fit into memory either."""
    with _chunks(events, queries, group, time, memory, folder, threads) as chunks, atomic.replacing(path) as part:
        first = next(chunks)
        with pq.ParquetWriter(part, first.to_arrow().schema, compression="zstd", compression_level=1) as writer:
            writer.write_table(first.to_arrow())
            for chunk in chunks:
                writer.write_table(chunk.to_arrow())


def materialise_from(
    events: Log,
    group: WindowGroup,
    as_of: datetime,
    *,
    memory: int | None = None,
    folder: Path | None = None,
    threads: int | None = None,
) -> pl.DataFrame:
    """Compute what `materialise` does from a log that is not in memory; the rows themselves are."""
    log = _lazy(events, group)
    empty = _empty(log)
    materialise(empty, group, as_of)  # what cannot be done is refused before anything is read
    buckets = _buckets(log, None, group, memory)
    if buckets == 1:
        return materialise(log.collect(), group, as_of, threads=threads)
    numbered = _with_keys(log, group).with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
    seen = pl.col(group.event_time) < floor_time(as_of, group.refresh) - group.delay
    made: list[pl.DataFrame] = []
    with tempfile.TemporaryDirectory(prefix="mlsd-", dir=folder) as name:
        bucket = hashed(group.entity, empty.schema, buckets)
        known = dealt(numbered, bucket, Parts(Path(name), "events", _empty(numbered)))
        for at in range(buckets):
            part = known.read(at)
            first = part.filter(seen).unique(group.entity, keep="first", maintain_order=True).get_column(ROW)
            made.append(materialise(part, group, as_of, threads=threads).with_columns(first))
    return pl.concat(made).sort(ROW).drop(ROW)


@contextmanager
def _chunks(
    events: Log, queries: pl.LazyFrame | pl.DataFrame, group: WindowGroup, time: str | None, memory: int | None,
    folder: Path | None, threads: int | None,
) -> Iterator[Iterator[pl.DataFrame]]:  # fmt: skip
    """Compute all buckets, then yield the features by chunks of the queries' rows, in their order."""
    asked = time or group.event_time
    log, rows = _lazy(events, group), _only(queries.lazy(), [*group.entity, asked])
    empty, empty_rows = _empty(log), _empty(rows)
    features = window_features(empty, empty_rows, group, time=asked)  # and refuses what cannot be done
    buckets = _buckets(log, rows, group, memory)
    if buckets == 1:
        yield iter([window_features(log.collect(), rows.collect(), group, time=asked, threads=threads)])
        return
    height = max(_height(rows), 1)
    chunk = -(-height // buckets)
    with tempfile.TemporaryDirectory(prefix="mlsd-", dir=folder) as name:
        row = pl.col(ROW).cast(pl.Int64)
        spread = pl.when(pl.any_horizontal(pl.col(key).is_null() for key in group.entity)).then(row % buckets)
        bucket = hashed(group.entity, empty.schema, buckets)
        asks = spread.otherwise(hashed(group.entity, empty_rows.schema, buckets)).alias(PART)
        known = dealt(_with_keys(log, group), bucket, Parts(Path(name), "events", empty))
        numbered = rows.with_row_index(ROW).with_columns(row)
        questions = dealt(numbered, asks, Parts(Path(name), "queries", _empty(numbered)))
        with Parts(Path(name), "features", features.with_columns(pl.lit(0, pl.Int64).alias(ROW)).clear()) as made:
            for at in range(buckets):
                part = questions.read(at)
                at_rows = part.get_column(ROW)
                values = window_features(known.read(at), part, group, time=asked, threads=threads)
                made.deal(values.with_columns(at_rows, (at_rows // chunk).alias(PART)))
        yield (made.read(at).sort(ROW).drop(ROW) for at in range(-(-height // chunk)))


def _lazy(events: Log, group: WindowGroup) -> pl.LazyFrame:
    frame = events.lazy() if isinstance(events, pl.LazyFrame | pl.DataFrame) else pl.scan_parquet(list(events))
    names = [*group.entity, group.event_time, *group.key, *(one.value for one in group.aggregates if one.value)]
    names += [group.ingest_time] if group.ingest_time else []
    return _only(frame, names)


def _only(frame: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    known = frame.collect_schema().names()
    chosen = frame.select(name for name in dict.fromkeys(names) if name in known)
    # Categories of one batch are numbered in another way than those of the next.
    return chosen.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def _with_keys(log: pl.LazyFrame, group: WindowGroup) -> pl.LazyFrame:
    return log.drop_nulls(group.entity)


def _empty(frame: pl.LazyFrame) -> pl.DataFrame:
    return pl.DataFrame(schema=frame.collect_schema())


def _height(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect(engine="streaming").item())


def _buckets(log: pl.LazyFrame, rows: pl.LazyFrame | None, group: WindowGroup, memory: int | None) -> int:
    """Return how many buckets there have to be for one to fit into memory."""
    out = len(group.aggregates) * len(group.windows) * 24
    need = _height(log) * (_COPIES * row_bytes(log.collect_schema()) + _PER_ROW)
    if rows is not None:
        need += _height(rows) * (_COPIES * row_bytes(rows.collect_schema()) + _PER_ROW + out)
    return min(max(-(-need // (memory or allowed())), 1), MOST_PARTS)
