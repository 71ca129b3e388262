"""Live groups fed by Structured Streaming: events from files or Kafka, states written as the updater writes them.

Spark keeps its place in the stream, in its checkpoint, and gives batches; each goes, as the producers wrote it, to the
updater's own code in this process: the same checks, dead letters, states and positions. So a batch has to fit into the
driver's memory: `maxFilesPerTrigger` and `maxOffsetsPerTrigger` bound it.
"""

import argparse
import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody writes it
from pyspark.sql.types import DoubleType, FloatType

from mlsd_framework.runtime.data.schema import SourceTable
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.serving.store import store_url
from mlsd_framework.runtime.spark.arrow import column
from mlsd_framework.runtime.spark.micro_batches import MicroBatch, MicroBatches
from mlsd_framework.runtime.stream.feeds import Feed
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.stream.updater import Updater, UpdaterSettings
from mlsd_framework.runtime.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql.streaming.query import StreamingQuery

Form = Literal["kafka", "json", "parquet"]
_ISO = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"


class BatchWriter:
    """What `foreachBatch` calls: it returns when the states hold the batch, whatever became of the store meanwhile."""

    def __init__(self, live: LiveSource, settings: UpdaterSettings) -> None:
        """Start the updater of one source in a thread of its own."""
        self._batches = MicroBatches(live.name)
        self._updater = Updater([(live, self._batches)], settings)
        self._is_alive = threading.Event()
        self._is_alive.set()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"updater {live.name}", daemon=True)
        self._thread.start()

    def __call__(self, frame: DataFrame, number: int) -> None:
        """Add a batch of `payload` and `time` to the states; raise what ended the updater (E66xx)."""
        rows = frame.toArrow()
        query = frame.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId") or ""
        batch = MicroBatch(query, number, rows["payload"].to_pylist(), rows["time"].to_pylist())
        if not self._batches.offer(batch, self._is_alive):
            raise self._fault or RuntimeError("the updater has ended")

    def close(self) -> None:
        """Let the updater end what it does."""
        self._updater.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._updater.run()
        except BaseException as fault:  # noqa: BLE001 - told to the thread that waits for a batch
            self._fault = fault
        finally:
            self._is_alive.clear()
            self._batches.close()


def payloads(spark: SparkSession, table: SourceTable, form: Form, options: Mapping[str, str]) -> DataFrame:
    """Read events as they come, as the producers wrote them: `payload` (bytes) and `time` (the broker's, else 0).

    `form` is `kafka`, whose connector has to be given to spark-submit; `json`, a folder of files of one event a line;
    or `parquet`, a folder of files with the source's columns. `options` are those of Spark's reader; a folder is
    `path`.
    """
    if form == "kafka":
        found = spark.readStream.format("kafka").options(**options).load().filter(F.col("value").isNotNull())
        return found.select(F.col("value").alias("payload"), F.unix_micros("timestamp").alias("time"))
    if form == "json":
        found = spark.readStream.format("text").options(**options).load().filter(F.trim("value") != "")
        payload = F.col("value").cast("binary")
    else:
        schema = spark.read.parquet(options["path"]).schema
        found = spark.readStream.schema(schema).format("parquet").options(**options).load()
        names = [one.in_file for one in table.columns if one.name != table.row_number]
        written = {"timestampFormat": _ISO, "timeZone": "UTC", "ignoreNullFields": "false"}
        payload = F.to_json(F.struct(*(_in_json(found, name) for name in names)), written).cast("binary")
    return found.select(payload.alias("payload"), F.lit(0).cast("bigint").alias("time"))


def _in_json(frame: DataFrame, name: str) -> Column:
    # JSON has no NaN, and in a source NaN is a missing value.
    value = column(name)
    is_float = isinstance(frame.schema[name].dataType, DoubleType | FloatType)
    return (F.when(~F.isnan(value), value) if is_float else value).alias(name)


def parse_stream(doc: str | None, feeds: Sequence[Feed]) -> argparse.Namespace:
    """Read the command line of a streaming job."""
    parser = argparse.ArgumentParser(description=doc)
    names = [feed.source.name for feed in feeds]
    parser.add_argument("source", choices=names, help="the source whose events are read")
    parser.add_argument("form", choices=get_args(Form), help="what holds them: a Kafka topic or a folder of files")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="option of Spark's reader, such as `path`"
    )
    parser.add_argument("--checkpoint", help="folder or URL where Spark keeps its place, by default in the state")
    parser.add_argument("--every", default="1 second", help="time between batches")
    parser.add_argument("--once", action="store_true", help="end when all that there is has been read")
    parser.add_argument("--metrics", type=int, help="port of loopback to show the updater's metrics at")
    return parser.parse_args()


def run_stream(
    spark: SparkSession, feeds: Sequence[Feed], names: LiveNames, arguments: argparse.Namespace, workspace: Workspace
) -> None:
    """Feed a source's live groups until the job is stopped; the store is where `MLSD_STORE_URL` says."""
    live = next(feed.source for feed in feeds if feed.source.name == arguments.source)
    options = dict(one.split("=", 1) for one in arguments.option)
    checkpoint = arguments.checkpoint or str((workspace.root / "spark" / "checkpoints" / live.name).absolute())
    settings = UpdaterSettings(
        store=Address.parse(store_url()),
        names=names,
        replica=f"spark-{os.getpid()}",
        metrics=None if arguments.metrics is None else ("127.0.0.1", arguments.metrics),
    )
    write = BatchWriter(live, settings)
    try:
        frame = payloads(spark, live.table, arguments.form, options)
        started(frame, write, checkpoint, None if arguments.once else arguments.every).awaitTermination()
    finally:
        write.close()


def started(frame: DataFrame, write: BatchWriter, checkpoint: str, every: str | None) -> "StreamingQuery":
    """Start the query with so much time between batches, or without, to end when all that there is has been read."""
    writer = frame.writeStream.foreachBatch(write).option("checkpointLocation", checkpoint)
    return (writer.trigger(availableNow=True) if every is None else writer.trigger(processingTime=every)).start()
