"""The states that a stream makes say what the offline home says of the same events, wherever the log ends."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.offline import window_features
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.bootstrap import SourceLog, bootstrap
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource
from mlsd_framework.runtime.stream.live_store import LiveStore
from tests.runtime.stream.payments import BEGIN, TABLE, encoded, payment
from tests.runtime.stream.pumping import NAMES, FailingStore, run_through_failures, stepped
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.test_decoding import decoded
from tests.runtime.stream.watching import add

GROUP = WindowGroup(
    name="card",
    entity=("card",),
    source="payments",
    event_time="at",
    windows=(timedelta(seconds=10), timedelta(minutes=5), None),
    aggregates=(
        Aggregate("payments", "count"),
        Aggregate("spent", "sum", "amount"),
        Aggregate("largest", "max", "double"),
        Aggregate("terminal", "last", "terminal"),
        Aggregate("countries", "count_distinct", "country"),
    ),
    key=("payment_id",),
    allowed_lateness=timedelta(minutes=2),
)
LATE = timedelta(minutes=2, microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def derive(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The column that an aggregate reads and the source does not have."""
    return frame.with_columns((pl.col("amount") * 2).alias("double"))


LAYOUT = StateLayout(
    GROUP, {"payment_id": "string", "amount": "float64", "double": "float64", "terminal": "int64", "country": "string"}
)
LIVE = LiveSource(table=TABLE, groups=(LiveGroup(LAYOUT, derive),), ingest_time="written")


def sent(number: int, *, late: bool) -> dict[str, object]:
    """A payment, some of them written later than the group allows."""
    written = BEGIN + timedelta(seconds=number) + (LATE if late else timedelta(0))
    return payment(number, cards=3, written=written.isoformat())


def oracle(events: Sequence[bytes], moment: datetime) -> dict[str, tuple[object, ...]]:
    """What the offline home makes of all events, each once, without those that came too late."""
    frame = derive(decoded(*events).frame.lazy()).collect().unique("payment_id", keep="first", maintain_order=True)
    timely = frame.filter(pl.col("written") - pl.col("at") <= GROUP.allowed_lateness)
    asked = pl.DataFrame({"card": ["c0", "c1", "c2"]}).with_columns(
        pl.lit(moment).cast(pl.Datetime("us", "UTC")).alias("at")
    )
    made = window_features(timely, asked, dataclasses.replace(GROUP, allowed_lateness=None))
    return dict(zip(asked.get_column("card"), made.iter_rows(), strict=True))


def finished(store: StoreProcess, generation: str, moment: datetime) -> dict[str, tuple[object, ...]]:
    """What the states say."""
    prefix, at = NAMES.states(generation.encode(), "card"), (moment - EPOCH) // timedelta(microseconds=1)
    found = {}
    for card in ("c0", "c1", "c2"):
        state = store.ask(b"GET", prefix + (encode_key((card,)) or b""))
        assert state is None or isinstance(state, bytes)
        found[card] = LAYOUT.finish(state, at)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 120), min_size=1, max_size=60),
    st.sets(st.integers(0, 120), max_size=10),
    st.integers(0, 60),
    st.integers(0, 10),
    st.integers(1, 20),
)
def test_log_and_stream_make_what_all_events_make(
    store: StoreProcess, numbers: list[int], late: set[int], cut: int, overlap: int, most: int
) -> None:
    """States from the log up to any cut and from the stream from there, or from before there, equal the offline home.

    Events come in any order, some twice, some too late; states are compacted in between.
    """
    store.ask(b"FLUSHALL")
    events = [encoded(sent(number, late=number in late)) for number in numbers]
    add(store, events)
    ids = store.ask(b"XRANGE", b"payments", b"-", b"+")
    assert isinstance(ids, list)
    begin = max(min(cut, len(events)) - overlap, 0)
    after = ids[begin - 1][0].decode() if begin else None
    log = decoded(*events[:cut]).frame.unique("payment_id", keep="first", maintain_order=True)
    done = bootstrap(
        LiveStore(Address.parse(store.url), NAMES), [SourceLog(live=LIVE, events=log, positions={"payments": after})]
    )
    pumped = stepped(store, fed=LIVE, most=most, compacted_from=200)
    pumped.run(len(events) - begin) if begin < len(events) else None
    pumped.pump.step()
    for seconds in (30, 121, 400):
        moment = BEGIN + timedelta(seconds=seconds)
        assert finished(store, done.generation, moment) == oracle(events, moment)


@pytest.mark.parametrize("done", [False, True])
def test_failures_while_states_are_compacted(store: StoreProcess, done: bool) -> None:
    """Whichever exchange fails, those of compaction among them, states say what the offline home says."""
    events = [encoded(sent(number, late=number % 7 == 0)) for number in range(60)]
    compacted = 0.0
    for at in range(3, 36, 3):
        store.ask(b"FLUSHALL")
        add(store, events + events[10:20])
        pumped = stepped(store, fed=LIVE, states=FailingStore(store.url, at, done=done), most=5, compacted_from=200)
        run_through_failures(pumped, store, 70)
        compacted += max(pumped.total("compactions_total", outcome="done"), 0)
        generation = store.ask(b"GET", NAMES.live)
        assert isinstance(generation, bytes)
        moment = BEGIN + timedelta(seconds=70)
        assert finished(store, generation.decode(), moment) == oracle(events, moment)
    assert compacted > 0
