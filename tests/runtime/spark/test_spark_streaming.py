"""Structured Streaming writers the states of live groups exactly once, from files, whatever happens to Spark."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.offline import window_features
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.spark.streaming import BatchWriter, Form, payloads, started
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource
from mlsd_framework.runtime.stream.updater import UpdaterSettings
from tests.runtime.stream.payments import BEGIN, GROUP, TABLE, counted, encoded, live, payment
from tests.runtime.stream.store_process import StoreProcess

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("spark")]
NAMES = LiveNames("shop", "f1")
Begin = Callable[[LiveSource], BatchWriter]


@pytest.fixture
def store() -> Iterator[StoreProcess]:
    """A store of the test's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, StoreProcess(Path(folder)) as one:
        yield one


@pytest.fixture
def begin(store: StoreProcess) -> Iterator[Begin]:
    """Return what starts a writer into the store; all are ended."""
    writers: list[BatchWriter] = []

    def started_writer(source: LiveSource) -> BatchWriter:
        writers.append(
            BatchWriter(source, UpdaterSettings(store=Address.parse(store.url), names=NAMES, replica="spark"))
        )
        return writers[-1]

    yield started_writer
    for writer in writers:
        writer.close()


def write_lines(path: Path, numbers: range) -> None:
    """Write payments as lines of JSON, one of them blank."""
    path.parent.mkdir(exist_ok=True)
    lines = [encoded(payment(number)).decode() for number in numbers]
    path.write_text("\n".join([*lines[:1], "", *lines[1:]]) + "\n")


def read_all(spark: SparkSession, write: BatchWriter, folder: Path, form: Form = "json") -> None:
    """Read all the files that there are, one a batch, from where the checkpoint says."""
    options = {"path": str(folder / "in"), "maxFilesPerTrigger": "1"}
    query = started(payloads(spark, TABLE, form, options), write, str(folder / "checkpoint"), None)
    query.awaitTermination()


def states(store: StoreProcess) -> dict[bytes, bytes]:
    """Every state in the store by its key."""
    generation = store.ask(b"GET", NAMES.live)
    assert isinstance(generation, bytes)
    prefix = NAMES.states(generation, "card")
    found = store.ask(b"KEYS", prefix + b"*")
    assert isinstance(found, list)
    every = {}
    for name in found:
        assert isinstance(name, bytes)
        state = store.ask(b"GET", name)
        assert isinstance(state, bytes)
        every[name.removeprefix(prefix)] = state
    return every


def events(store: StoreProcess) -> Counter[str]:
    """How often each event is in the states."""
    return sum((counted(state) for state in states(store).values()), Counter[str]())


def once(numbers: range) -> Counter[str]:
    """Each event once."""
    return Counter(f"p{number}" for number in numbers)


def test_each_event_is_added_once(spark: SparkSession, store: StoreProcess, begin: Begin, tmp_path: Path) -> None:
    """Files of several batches, and files that come later, are each added once; a new process goes on."""
    for at in range(3):
        write_lines(tmp_path / "in" / f"{at}.json", range(100 * at, 100 * at + 100))
    read_all(spark, begin(live()), tmp_path)
    assert events(store) == once(range(300))
    write_lines(tmp_path / "in" / "3.json", range(300, 400))
    read_all(spark, begin(live()), tmp_path)
    assert events(store) == once(range(400))


def test_a_batch_that_spark_gives_again_changes_nothing(
    spark: SparkSession, store: StoreProcess, begin: Begin, tmp_path: Path
) -> None:
    """Killed after the store took a batch and before Spark wrote that down, Spark gives it again, to a new process."""
    write_lines(tmp_path / "in" / "0.json", range(100))
    write_lines(tmp_path / "in" / "1.json", range(100, 200))
    read_all(spark, begin(live()), tmp_path)
    commits = tmp_path / "checkpoint" / "commits"
    last = max(int(path.name) for path in commits.iterdir() if path.name.isdigit())
    for name in (f"{last}", f".{last}.crc"):
        (commits / name).unlink()
    read_all(spark, begin(live()), tmp_path)
    assert events(store) == once(range(200))
    write_lines(tmp_path / "in" / "2.json", range(200, 250))
    read_all(spark, begin(live()), tmp_path)
    assert events(store) == once(range(250))


def test_the_store_may_be_down_for_a_while(
    spark: SparkSession, store: StoreProcess, begin: Begin, tmp_path: Path
) -> None:
    """A batch waits for the store, and is added once when it is there again."""
    write_lines(tmp_path / "in" / "0.json", range(50))
    store.pause()
    frame = payloads(spark, TABLE, "json", {"path": str(tmp_path / "in")})
    query = started(frame, begin(live()), str(tmp_path / "checkpoint"), None)
    assert not query.awaitTermination(3)
    store.resume()
    query.awaitTermination()
    assert events(store) == once(range(50))


def test_a_bad_event_goes_to_the_dead_letters(
    spark: SparkSession, store: StoreProcess, begin: Begin, tmp_path: Path
) -> None:
    """What is no event stops nothing and is kept with its reason."""
    (tmp_path / "in").mkdir()
    lines = [encoded(payment(1)).decode(), "{oops", json.dumps(payment(2, amount=-1.0)), encoded(payment(3)).decode()]
    (tmp_path / "in" / "0.json").write_text("\n".join(lines))
    read_all(spark, begin(live()), tmp_path)
    assert events(store) == Counter(["p1", "p3"])
    letters = store.ask(b"XRANGE", b"payments.dead", b"-", b"+")
    assert isinstance(letters, list)
    assert len(letters) == 2


def test_parquet_files_and_real_states(
    zone: str, spark: SparkSession, store: StoreProcess, begin: Begin, tmp_path: Path
) -> None:
    """Rows of Parquet files make states that say what the offline home says, to the microsecond."""
    del zone
    rows = pl.DataFrame([payment(number) for number in range(300)]).with_columns(
        pl.col("at", "written").str.to_datetime(time_unit="us", time_zone="UTC") + pl.duration(microseconds=7),
        pl.col("items").cast(pl.Int32),
    )
    (tmp_path / "in").mkdir()
    for at, part in enumerate(rows.iter_slices(150)):
        part.write_parquet(tmp_path / "in" / f"{at}.parquet")
    layout = StateLayout(GROUP, {"payment_id": "string", "amount": "float64"})
    read_all(spark, begin(LiveSource(table=TABLE, groups=(LiveGroup(layout),))), tmp_path, "parquet")
    moment = BEGIN + timedelta(seconds=299, microseconds=8)
    asked = rows.select("card").unique().with_columns(at=pl.lit(moment).cast(pl.Datetime("us", "UTC")))
    expected = window_features(rows, asked, GROUP)
    found = states(store)
    at = (moment - BEGIN.replace(year=1970)) // timedelta(microseconds=1)
    for card, values in zip(asked["card"], expected.rows(), strict=True):
        key = encode_key((card,))
        assert key is not None
        assert layout.finish(found[key], at) == values


def test_what_no_waiting_mends_fails_the_query(
    spark: SparkSession, store: StoreProcess, begin: Begin, tmp_path: Path
) -> None:
    """A position that is none ends the job, and says so."""
    write_lines(tmp_path / "in" / "0.json", range(5))
    store.ask(b"SET", NAMES.position("payments", "spark"), b"what?")
    with pytest.raises(StreamingQueryException, match="position of partition `spark` cannot be read"):
        read_all(spark, begin(live()), tmp_path)
    shutil.rmtree(tmp_path / "checkpoint")
