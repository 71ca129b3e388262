"""The window kernel's Spark home: the offline home, applied by hash bucket of the entity's key.

Values are those of the offline home: it computes them, from polars frames made of Arrow without a copy. What follows
from Spark: rows have no order, so a group whose values depend on the order of events at one time needs a source with a
key; all events of a key are in the memory of one task, so a key has to fit there.
"""

from collections.abc import Callable
from datetime import datetime

import polars as pl
from pyspark.sql import DataFrame

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.offline import materialise, window_features
from mlsd_framework.runtime.features.windows import WindowGroup
from mlsd_framework.runtime.spark.arrow import column, empty
from mlsd_framework.runtime.spark.buckets import beside, buckets_of, each, require

Prepare = Callable[[pl.LazyFrame], pl.LazyFrame]
_ORDERED = frozenset({"first", "last", "last_n"})


def window_features_spark(
    events: DataFrame,
    queries: DataFrame,
    group: WindowGroup,
    *,
    time: str | None = None,
    prefix: str = "",
    prepare: Prepare | None = None,
    buckets: int | None = None,
) -> DataFrame:
    """Return the rows of `queries` with the group's columns beside them, their names after `prefix`.

    The queries have the entity's columns and the moment `time`, by default named as the events' time. `prepare` makes
    of a bucket's events those with the values that the aggregates read, row by row: a generated `<group>_events`. It
    and the values run where the data is. `buckets` is how many parts the keys are hashed into; without it the events
    are counted first, which is a job of its own.
    """
    asked = time or group.event_time
    require(queries, [*group.entity, asked], "the queries")
    events = _read(events, group, prepare)
    reads = list(dict.fromkeys([*group.entity, asked]))

    def compute(of_bucket: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        known = prepare(of_bucket.lazy()).collect() if prepare else of_bucket
        # One thread: Spark gives each task its core.
        features = window_features(known, rows, group, time=asked, threads=1)
        return features.rename({name: prefix + name for name in features.columns})

    columns = compute(empty(events, events.columns), empty(queries, reads))
    return beside(queries, events, group.entity, reads, compute, columns, buckets or buckets_of(events))


def materialise_spark(
    events: DataFrame,
    group: WindowGroup,
    as_of: datetime,
    *,
    prepare: Prepare | None = None,
    buckets: int | None = None,
) -> DataFrame:
    """Compute the group as of one moment (aware): a row for every key with an event visible by then.

    `prepare` and `buckets` are those of `window_features_spark`.
    """
    events = _read(events, group, prepare)

    def compute(of_bucket: pl.DataFrame) -> pl.DataFrame:
        known = prepare(of_bucket.lazy()).collect() if prepare else of_bucket
        return materialise(known, group, as_of, threads=1)

    columns = compute(empty(events, events.columns))
    return each(events, group.entity, compute, columns, buckets or buckets_of(events))


def _read(events: DataFrame, group: WindowGroup, prepare: Prepare | None) -> DataFrame:
    # Only what is read goes through the shuffle; what `prepare` reads is not known.
    ordered = [one.name for one in group.aggregates if one.function in _ORDERED]
    if ordered and not group.key:
        raise RunError.of(
            "E6201",
            f"window group `{group.name}` has no `key`, and `{ordered[0]}` depends on the order of events at one time",
            expected="the source's key: rows of a Spark frame have no order",
        )
    needed = [*group.entity, group.event_time, *group.key, *((group.ingest_time,) if group.ingest_time else ())]
    values = [] if prepare else [one.value for one in group.aggregates if one.value is not None]
    require(events, [*needed, *values], "the events")
    return events if prepare else events.select(*(column(name) for name in dict.fromkeys([*needed, *values])))
