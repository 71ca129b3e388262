"""Materialisation column by column: the same rows as Feast's own engine writes, through the same store."""

import uuid
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import valkey
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Array, Bool, Bytes, Float32, Float64, Int32, Int64, String, UnixTimestamp, Uuid

from tests.runtime.feast.conftest import OFFLINE, ONLINE, feature_store

pytestmark = pytest.mark.process
ENGINE = "mlsd_framework.runtime.feast.compute_engine.PackedComputeEngine"
NOW = datetime(2024, 5, 1, tzinfo=UTC)
CARD = Entity(name="card", join_keys=["card_id"], value_type=ValueType.INT64)
SHOP = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.STRING)
SCHEMA = {
    "i64": Int64,
    "i32": Int32,
    "f64": Float64,
    "f32": Float32,
    "flag": Bool,
    "text": String,
    "data": Bytes,
    "at": UnixTimestamp,
    "numbers": Array(Int64),
    "words": Array(String),
}


def rows():
    """Two keys with ties in event and creation, a null key, and rows outside the stretch."""
    made = {
        "card_id": [1, 1, 1, 2, None, 2],
        "shop": ["a", "a", "a", "b", "c", "b"],
        "ts": [NOW, NOW, NOW - timedelta(hours=1), NOW, NOW, NOW + timedelta(days=9)],
        "made": [NOW, NOW + timedelta(seconds=1), NOW, None, NOW, NOW],
        "id": [str(uuid.UUID(int=i)) for i in range(6)],
        "i64": [1, 2, 3, None, 5, 6],
        "i32": [1, 2, 3, 4, 5, 6],
        "f64": [0.5, 1.5, 2.5, None, 4.5, 5.5],
        "f32": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
        "flag": [True, False, None, True, True, True],
        "text": ["x", "é", "z", None, "", ""],
        "data": [b"", b"\0", b"\1", b"\2", None, b""],
        "at": [NOW] * 6,
        "numbers": [[1], [1, 2], [], [], [3], []],
        "words": [["a"], ["b", ""], [], [], ["c"], []],
    }
    types = {"card_id": pl.Int64, "i32": pl.Int32, "f32": pl.Float32, "made": pl.Datetime("us", "UTC")}
    return pl.DataFrame(made, schema_overrides=types)


def materialised(folder, path, project, engine, schema=None, **options):
    """The rows that materialising a view with an engine leaves in the store, by key."""
    rows().write_parquet(folder / "rows.parquet")
    settings = {"batch_engine": {"type": engine}} if engine else {}
    online = {"type": ONLINE, "connection": f"unix://{path}"}
    store = feature_store(folder, online, OFFLINE, project=project, **settings)
    source = FileSource(
        name="rows",
        path=str(folder / "rows.parquet"),
        timestamp_field="ts",
        created_timestamp_column="made",
        field_mapping={"shop": "shop_id"},
    )
    fields = [Field(name=name, dtype=dtype) for name, dtype in (schema or SCHEMA).items()]
    view = FeatureView(name="v", entities=[CARD, SHOP], ttl=timedelta(0), schema=fields, source=source, **options)
    store.apply([CARD, SHOP, view])
    store.materialize(NOW - timedelta(days=1), NOW + timedelta(days=1))
    raw = valkey.Valkey(unix_socket_path=str(path))
    found = {name.split(b":", 3)[3]: raw.get(name) for name in raw.scan_iter(f"{project}:*") if name.count(b":") > 2}
    raw.close()
    return found


def test_the_same_rows_as_feasts_engine(tmp_path, valkey_path):
    """Byte by byte, for every type that is packed column by column; the newest of a key, no key with a null."""
    ours = materialised(tmp_path, valkey_path, "ours", ENGINE)
    theirs = materialised(tmp_path, valkey_path, "theirs", None)
    assert len(ours) == 2
    assert ours == {key: row for key, row in theirs.items() if b"c" not in key}


def test_views_that_need_feasts_conversion(tmp_path, valkey_path):
    """A type that is Feast's to convert goes Feast's way, with the same result."""
    schema = {"id": Uuid, "text": String}
    ours = materialised(tmp_path, valkey_path, "oursconverted", ENGINE, schema)
    theirs = materialised(tmp_path, valkey_path, "theirsconverted", None, schema)
    assert len(ours) == 2
    assert ours == theirs


def test_a_failure_is_feasts_to_raise(tmp_path, valkey_path):
    """A source without a column fails the materialisation, with the column's name."""
    with pytest.raises(Exception, match="absent"):
        materialised(tmp_path, valkey_path, "failing", ENGINE, {"absent": Int64})


def test_nothing_to_materialise(tmp_path, valkey_path):
    """A stretch of time without rows leaves the store as it is."""
    rows().clear().write_parquet(tmp_path / "rows.parquet")
    store = feature_store(
        tmp_path,
        {"type": ONLINE, "connection": f"unix://{valkey_path}"},
        OFFLINE,
        project="nothing",
        batch_engine={"type": ENGINE},
    )
    source = FileSource(name="rows", path=str(tmp_path / "rows.parquet"), timestamp_field="ts")
    view = FeatureView(name="v", entities=[CARD], schema=[Field(name="i64", dtype=Int64)], source=source)
    store.apply([CARD, view])
    store.materialize(NOW - timedelta(days=1), NOW)
    assert store.get_online_features(["v:i64"], [{"card_id": 1}]).to_dict()["i64"] == [None]
