"""Features of many keys as columns, from a real Valkey: what reading them row by row gives."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.row_reads import default_columns, read_columns
from mlsd_framework.runtime.features.windows import Aggregate, FeatureColumn, WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.feeds import Feed, fill_states
from mlsd_framework.runtime.stream.live import LiveGroup, LiveSource

pytestmark = pytest.mark.process

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
ITEM = RowLayout(
    "item",
    (
        FeatureColumn("sold", "int64", 0),
        FeatureColumn("price", "float64"),
        FeatureColumn("fresh", "bool"),
        FeatureColumn("since", "timestamp"),
        FeatureColumn("kind", "string"),
    ),
    ("item",),
)
PAIR = RowLayout("pair", (FeatureColumn("times", "int64", 0),), ("user", "item"))
LIVE = StateLayout(
    WindowGroup(
        name="trend",
        entity=("item",),
        source="purchases",
        event_time="ts",
        windows=(timedelta(days=1), None),
        aggregates=(Aggregate("n", "count"), Aggregate("spent", "sum", "price")),
        key=("id",),
    ),
    {"id": "int64", "price": "float64"},
)
TABLE = SourceTable(
    name="purchases",
    paths=("purchases.parquet",),
    key=("id",),
    event_time="ts",
    columns=(
        Column(name="id", type="int64"),
        Column(name="ts", type="timestamp"),
        Column(name="item", type="int64"),
        Column(name="price", type="float64"),
    ),
)
KEYS = st.lists(st.one_of(st.none(), st.integers(0, 6)), max_size=12)


@pytest.fixture(scope="module")
def store(valkey_path):
    """Items 0 to 3, pairs of the users a and b with items 0 and 1, and events of items 0 and 1 as states."""
    url, system = f"unix://{valkey_path}", "rows"
    made = OnlineStore.connect(url, system=system, features="f1", layouts=[ITEM, PAIR], live=[LIVE], timeout=5.0)
    with publishing(made, AS_OF) as generation:
        generation.write(
            "item",
            pl.DataFrame(
                {
                    "item": [0, 1, 2, 3],
                    "sold": [5, None, 0, 2**53],
                    "price": [1.5, None, -0.0, 1e300],
                    "fresh": [True, False, None, True],
                    "since": [AS_OF, None, datetime(1970, 1, 1, tzinfo=UTC), AS_OF],
                    "kind": ["x", None, "", "é"],
                },
                schema_overrides={"since": pl.Datetime("us", "UTC")},
            ),
        )
        generation.write("pair", pl.DataFrame({"user": ["a", "a", "b"], "item": [0, 1, 0], "times": [1, 2, 3]}))
    events = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "ts": [AS_OF - timedelta(days=9), AS_OF - timedelta(hours=1), AS_OF - timedelta(hours=2)],
            "item": [0, 0, 1],
            "price": [1.0, 2.0, None],
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )
    feed = Feed(LiveSource(table=TABLE, groups=(LiveGroup(LIVE),)), stream="purchases")
    fill_states([feed], {"purchases": events.lazy()}, system=system, features="f1", store=url)
    yield made
    made.close()


def check(columns, name, values):
    """Assert that a column holds the values that rows have: numbers as float64 with NaN, others as they are."""
    column = columns[name]
    if column.dtype == object:
        assert column.tolist() == list(values)
    else:
        assert column.dtype == np.float64
        np.testing.assert_array_equal(column, [np.nan if one is None else float(one) for one in values])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=KEYS, user=st.sampled_from(["a", "b", "c", None]), hours=st.integers(0, 48))
def test_columns_are_what_reading_row_by_row_gives(store, items, user, hours):
    """Nulls, unknown keys and keys with a null too; of live groups at the moment, of pairs with one shared part."""
    at = round((AS_OF + timedelta(hours=hours)).timestamp() * 1e6)
    asked = [("item", (items,)), ("pair", (user, items)), ("trend", (items,))]
    columns = read_columns(store, asked, len(items), 5.0, at)
    layouts = {"item": ITEM, "pair": PAIR, "trend": LIVE}
    assert list(columns) == [f"{group}.{one.name}" for group, layout in layouts.items() for one in layout.columns]
    for group, layout in layouts.items():
        keys = [(user, item) if group == "pair" else (item,) for item in items]
        rows = [store.read([(group, key)], 5.0, at)[0] for key in keys]
        for place, column in enumerate(layout.columns):
            check(columns, f"{group}.{column.name}", [row[place] for row in rows])


def test_types_are_those_of_candidates(store):
    """Numbers, booleans and times are float64, text is objects; null is NaN or none."""
    columns = read_columns(store, [("item", ([0, 1, 9],))], 3, 5.0)
    assert columns["item.sold"].tolist()[0::2] == [5.0, 0.0]
    assert columns["item.since"][0] == AS_OF.timestamp() * 1e6
    assert columns["item.fresh"].tolist()[:2] == [1.0, 0.0]
    assert np.isnan(columns["item.fresh"][2])
    assert columns["item.kind"].tolist() == ["x", None, None]


def test_live_columns_are_finished_at_the_moment(store):
    """A window empties with time, a lifetime does not."""
    now, later = (round((AS_OF + timedelta(days=days)).timestamp() * 1e6) for days in (0, 3))
    first = read_columns(store, [("trend", ([0, 1],))], 2, 5.0, now)
    assert (first["trend.n_1d"].tolist(), first["trend.n_lifetime"].tolist()) == ([1.0, 1.0], [2.0, 1.0])
    second = read_columns(store, [("trend", ([0, 1],))], 2, 5.0, later)
    assert (second["trend.n_1d"].tolist(), second["trend.n_lifetime"].tolist()) == ([0.0, 0.0], [2.0, 1.0])


def test_defaults_are_the_columns_of_unknown_keys(store):
    """Where the store cannot be read, candidates have what keys never seen have; without rows, empty columns."""
    groups = ["item", "pair", "trend"]
    unknown = [7, 8]
    asked = [("item", (unknown,)), ("pair", ("zoe", unknown)), ("trend", (unknown,))]
    read, assumed = read_columns(store, asked, 2, 5.0, 1), default_columns(store, groups, 2)
    assert list(read) == list(assumed)
    for name, column in read.items():
        assert column.dtype == assumed[name].dtype
        np.testing.assert_array_equal(column, assumed[name])
    assert {len(column) for column in default_columns(store, groups, 0).values()} == {0}


def test_no_rows_ask_nothing_of_the_store():
    """Without a candidate a dead store is not asked; with one its failure is raised."""
    dead = OnlineStore.connect("redis://127.0.0.1:1", system="s", features="f", layouts=[ITEM], timeout=0.2)
    assert {len(column) for column in read_columns(dead, [("item", ([],))], 0).values()} == {0}
    with pytest.raises(RunError, match="E6221"):
        read_columns(dead, [("item", ([1],))], 1)


def test_parts_of_unequal_length_are_a_mistake(store):
    """Lists of parts have a value for each row."""
    with pytest.raises(ValueError, match="zip"):
        read_columns(store, [("pair", (["a"], [1, 2]))], 2)
