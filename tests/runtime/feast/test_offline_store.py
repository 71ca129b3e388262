"""The offline store behind Feast, beside Feast's own and a brute-force oracle on the same data."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from feast import Entity, FeatureView, Field, FileSource, PushSource, ValueType
from feast.data_source import PushMode
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.types import Array, Bytes, Float64, Int64, String
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from tests.runtime.feast.conftest import OFFLINE, feature_store

NOW = datetime(2024, 5, 1, tzinfo=UTC)
CARD = Entity(name="card", join_keys=["card_id"], value_type=ValueType.INT64)
PAIR = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.STRING)


def rows_of(table):
    """Rows of the source of a view, times in minutes."""
    frame = pd.DataFrame(table, columns=["card_id", "minute", "made", "n"])
    return pd.DataFrame(
        {
            "card_id": frame["card_id"].astype("int64"),
            "ts": NOW + pd.to_timedelta(frame["minute"], unit="min"),
            "made": NOW + pd.to_timedelta(frame["made"], unit="min"),
            "n": frame["n"].astype("int64"),
        }
    )


def view_of(path, name="spend", **options):
    """A feature view over a Parquet file."""
    source = FileSource(name=f"{name}_rows", path=str(path), timestamp_field="ts", created_timestamp_column="made")
    given_options = {"entities": [CARD], "ttl": timedelta(0), "schema": [Field(name="n", dtype=Int64)]} | options
    return FeatureView(name=name, source=source, **given_options)


@pytest.fixture
def store(tmp_path):
    """A feature store on the polars offline store."""
    return feature_store(tmp_path, {"type": "sqlite", "path": str(tmp_path / "online.db")}, OFFLINE)


TABLE = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 8), st.integers(0, 3), st.integers(0, 99)), min_size=1, max_size=10
)
QUESTIONS = st.lists(st.tuples(st.none() | st.integers(1, 4), st.integers(0, 9)), min_size=1, max_size=8)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TABLE, QUESTIONS, st.sampled_from([0, 0, 3]))
@pytest.mark.parametrize("theirs", ["file", "duckdb"])
def test_as_feasts_own_stores(theirs, tmp_path, table, asked, ttl):
    """Where Feast's own store gives an answer for a question it is ours, and ours has every question once, in order."""
    rows_of(table).to_parquet(tmp_path / "spend.parquet")
    entities = pd.DataFrame(
        {
            "card_id": pd.array([card for card, _ in asked], "Int64"),
            "event_timestamp": [NOW + timedelta(minutes=at) for _, at in asked],
            "row": range(len(asked)),
        }
    )
    found = {}
    for name, offline in (("ours", OFFLINE), ("theirs", theirs)):
        one = feature_store(tmp_path, {"type": "sqlite", "path": str(tmp_path / "o.db")}, offline, project=name)
        view = view_of(tmp_path / "spend.parquet", ttl=timedelta(minutes=ttl))
        one.apply([CARD, view])
        given_rows = entities if name == "ours" else entities.dropna().astype({"card_id": "int64"})
        if len(given_rows):
            found[name] = one.get_historical_features(given_rows, ["spend:n"]).to_df()
    ours = found["ours"]
    assert ours["row"].tolist() == list(range(len(asked)))
    want = [oracle(table, card, at, ttl) for card, at in asked]
    assert [None if pd.isna(n) else n for n in ours["n"]] == want
    if "theirs" in found:
        by_row = dict(zip(found["theirs"]["row"], found["theirs"]["n"], strict=True))
        # Of equal times and creations Feast takes any; the file store also loses questions.
        clear = [i for i in by_row if len(ties(table, *asked[i], ttl)) < 2]
        assert [None if pd.isna(by_row[i]) else by_row[i] for i in clear] == [want[i] for i in clear]


def ties(table, card, at, ttl):
    """The rows of the newest time and creation that a question sees."""
    seen = [row for row in table if row[0] == card and row[1] <= at and (not ttl or row[1] >= at - ttl)]
    top = max((row[1:3] for row in seen), default=None)
    return [row for row in seen if row[1:3] == top]


def oracle(table, card, at, ttl):
    """The value that a question sees: of equal rows the last."""
    newest = ties(table, card, at, ttl)
    return newest[-1][3] if newest else None


def test_several_views_names_and_mappings(store, tmp_path):
    """Columns of several views, with field mappings, join by their names under full names; rows stay as they came."""
    raw = rows_of([(1, 0, 0, 5), (2, 0, 0, 6)]).rename(columns={"n": "raw_n"})
    raw.assign(words=[["a"], []], data=[b"\0", None]).to_parquet(tmp_path / "a.parquet")
    mapped = FileSource(name="a", path=str(tmp_path / "a.parquet"), timestamp_field="ts", field_mapping={"raw_n": "n"})
    schema = [Field(name="n", dtype=Int64), Field(name="words", dtype=Array(String)), Field(name="data", dtype=Bytes)]
    first = FeatureView(name="first", entities=[CARD], schema=schema, source=mapped, ttl=timedelta(0))
    rows_of([(1, 2, 0, 50)]).assign(shop_id="s", n=0.5).to_parquet(tmp_path / "b.parquet")
    second = view_of(tmp_path / "b.parquet", "second", entities=[CARD, PAIR], schema=[Field(name="n", dtype=Float64)])
    store.apply([CARD, PAIR, first, second])
    entities = pd.DataFrame(
        {
            "shop_id": ["s", "s", None],
            "card_id": [2.0, 1.0, np.nan],
            "event_timestamp": [NOW + timedelta(minutes=9), NOW + timedelta(minutes=2), NOW],
            "own": ["x", "y", "z"],
        }
    )
    found = store.get_historical_features(
        entities, ["first:n", "first:words", "first:data", "second:n"], full_feature_names=True
    )
    assert found.to_arrow().to_pydict() == {
        "shop_id": ["s", "s", None],
        "card_id": [2.0, 1.0, None],
        "event_timestamp": [NOW + timedelta(minutes=9), NOW + timedelta(minutes=2), NOW],
        "own": ["x", "y", "z"],
        "first__n": [6, 5, None],
        "first__words": [[], ["a"], None],
        "first__data": [None, b"\0", None],
        "second__n": [None, 0.5, None],
    }
    with pytest.raises(Exception, match="n"):
        store.get_historical_features(entities, ["first:n", "second:n"]).to_df()


def test_created_by_then_and_snapshots(store, tmp_path):
    """A row written late is not seen before it was written; without entity rows every key gets one."""
    rows_of([(1, 0, 0, 5), (1, 0, 4, 6), (2, 3, 3, 7), (3, 9, 9, 8)]).to_parquet(tmp_path / "s.parquet")
    view = view_of(tmp_path / "s.parquet")
    store.apply([CARD, view])
    entities = pd.DataFrame({"card_id": [1, 1], "event_timestamp": [NOW + timedelta(minutes=m) for m in (2, 4)]})
    found = store.get_historical_features(entities, ["spend:n"], filter_by_created_timestamp=True).to_df()
    assert found["n"].tolist() == [5, 6]
    every = store.get_historical_features(
        None, ["spend:n"], start_date=NOW, end_date=NOW + timedelta(minutes=5)
    ).to_df()
    assert every[["card_id", "n"]].to_numpy().tolist() == [[1, 6], [2, 7]]
    assert set(every["event_timestamp"]) == {NOW + timedelta(minutes=5)}


@pytest.mark.parametrize(
    ("given_rows", "words"),
    [
        ("select 1", "SQL query"),
        (pd.DataFrame({"card_id": [1]}), "0 columns of times"),
        (pd.DataFrame({"event_timestamp": [NOW]}), "card_id"),
        (pd.DataFrame({"card_id": ["1"], "event_timestamp": [NOW]}), "String"),
        (pd.DataFrame({"card_id": [1], "event_timestamp": [5]}), "Int64"),
        (pd.DataFrame({"card_id": [1, "x"], "event_timestamp": [NOW, NOW]}), "cannot be read"),
        (pd.DataFrame({"card_id": [1], "event_timestamp": [NOW], "n": [1]}), "n"),
    ],
)
def test_rows_that_cannot_be_joined(store, tmp_path, given_rows, words):
    """Queries, missing columns, other types and columns that would be there twice are refused, by name."""
    rows_of([(1, 0, 0, 5)]).to_parquet(tmp_path / "s.parquet")
    store.apply([CARD, view_of(tmp_path / "s.parquet")])
    with pytest.raises(Exception, match=words):
        store.get_historical_features(given_rows, ["spend:n"]).to_df()


def test_saved_datasets(store, tmp_path):
    """What was computed is kept as a saved dataset, not over another unless told, and read back."""
    rows_of([(1, 0, 0, 5)]).to_parquet(tmp_path / "s.parquet")
    store.apply([CARD, view_of(tmp_path / "s.parquet")])
    job = store.get_historical_features(pd.DataFrame({"card_id": [1], "event_timestamp": [NOW]}), ["spend:n"])
    storage = SavedDatasetFileStorage(path=str(tmp_path / "kept.parquet"))
    with pytest.warns(RuntimeWarning, match="experimental"):
        store.create_saved_dataset(job, "kept", storage)
    with pytest.warns(RuntimeWarning, match="experimental"):
        kept = store.get_saved_dataset("kept")
    assert kept.to_df()["n"].tolist() == [5]
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        job.persist(storage)
    job.persist(storage, allow_overwrite=True)
    job.persist(SavedDatasetFileStorage(path=str(tmp_path / "folder")))
    assert pl.read_parquet(tmp_path / "folder")["n"].to_list() == [5]


def test_pushes_go_offline(store, tmp_path):
    """`push` to the offline store adds rows to the source's file, `materialize` takes the newest of each key."""
    rows_of([(1, 0, 0, 5), (1, 1, 0, 6), (2, 0, 1, 7), (2, 0, 0, 8)]).to_parquet(tmp_path / "s.parquet")
    view = view_of(tmp_path / "s.parquet")
    pushed = view_of(tmp_path / "s.parquet", "pushed")
    pushed = FeatureView(
        name="pushed",
        entities=[CARD],
        ttl=timedelta(0),
        schema=[Field(name="n", dtype=Int64)],
        source=PushSource(name="feed", batch_source=pushed.batch_source),
    )
    store.apply([CARD, view, pushed])
    store.push("feed", rows_of([(1, 5, 0, 9)]), to=PushMode.OFFLINE)
    entities = pd.DataFrame({"card_id": [1, 2], "event_timestamp": [NOW + timedelta(minutes=5)] * 2})
    assert store.get_historical_features(entities, ["spend:n"]).to_df()["n"].tolist() == [9, 7]
    store.materialize(NOW, NOW + timedelta(minutes=4))
    assert store.get_online_features(["spend:n"], [{"card_id": 1}, {"card_id": 2}]).to_dict()["n"] == [6, 7]


def test_refused_rows_leave_the_source(store, tmp_path):
    """Rows with other columns are not added."""
    rows_of([(1, 0, 0, 5)]).to_parquet(tmp_path / "s.parquet")
    view = view_of(tmp_path / "s.parquet")
    store.apply([CARD, view])
    with pytest.raises((RunError, ValueError)):
        store.write_to_offline_store("spend", rows_of([(1, 0, 0, 5)]).drop(columns="made"), reorder_columns=False)
    assert pl.read_parquet(tmp_path / "s.parquet").height == 1


def test_a_view_without_entities(store, tmp_path):
    """A view without entities gives every row what was known at its moment, and materialises its newest row."""
    rows_of([(1, 0, 0, 5), (1, 2, 0, 6)]).drop(columns="card_id").to_parquet(tmp_path / "s.parquet")
    store.apply([view_of(tmp_path / "s.parquet", entities=[])])
    times = [NOW + timedelta(minutes=minute) for minute in (-1, 3, 1)]
    found = store.get_historical_features(pd.DataFrame({"event_timestamp": times}), ["spend:n"]).to_df()
    assert [None if pd.isna(n) else n for n in found["n"]] == [None, 6, 5]
    store.materialize(NOW, NOW + timedelta(minutes=1))
    assert store.get_online_features(["spend:n"], [{"any": 1}]).to_dict()["n"] == [5]
