"""Values of every type of Feast's through packed rows, beside Feast's own SQLite and Redis stores on the same data."""

import decimal
import itertools
import socket
import tempfile
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.types import (
    Array,
    Bool,
    Bytes,
    Decimal,
    Float32,
    Float64,
    Int32,
    Int64,
    Json,
    Map,
    Set,
    String,
    Struct,
    UnixTimestamp,
    Uuid,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.feast.values import form_of, layout_of
from mlsd_framework.runtime.features.online import OnlineStore
from tests.runtime.feast.conftest import ONLINE, feature_store
from tests.runtime.features.conftest import serving

pytestmark = pytest.mark.process
NOW = datetime.now(UTC).replace(microsecond=0)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - hypothesis wants it so
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
SCALARS = {
    "Int64": (Int64, st.integers(-(2**63) + 1, 2**63 - 1)),
    "Int32": (Int32, st.integers(-(2**31), 2**31 - 1)),
    "Float64": (Float64, st.floats(allow_nan=False)),
    "Float32": (Float32, st.floats(width=32, allow_nan=False)),
    "Bool": (Bool, st.booleans()),
    "String": (String, st.text(max_size=8)),
    "Bytes": (Bytes, st.binary(max_size=8)),
    "UnixTimestamp": (UnixTimestamp, MOMENTS),
}
TYPES = SCALARS | {
    f"Array({name})": (Array(dtype), st.lists(values, max_size=4)) for name, (dtype, values) in SCALARS.items()
}
TYPES |= {
    "Set(Int64)": (Set(Int64), st.frozensets(st.integers(-9, 9), max_size=4).map(set)),
    "Set(String)": (Set(String), st.frozensets(st.text(max_size=3), max_size=4).map(set)),
    "Map": (Map, st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3)),
    "Struct": (Struct({"a": Int64}), st.fixed_dictionaries({"a": st.integers(-9, 9)})),
    "Json": (Json, st.sampled_from(['{"a": 1}', "[]", '"é"'])),
    "Uuid": (Uuid, st.uuids()),
    "Decimal": (Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-99, max_value=99)),
    "Array(Array(Int64))": (Array(Array(Int64)), st.lists(st.lists(st.integers(0, 9), max_size=2), max_size=2)),
}
KEYS = itertools.count()
CARD = Entity(name="card", join_keys=["card_id"], value_type=ValueType.INT64)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The same view in three stores: packed rows, Feast's SQLite, Feast's Redis."""
    folder = tmp_path_factory.mktemp("types")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as short,
        serving(short, "--bind", "127.0.0.1", "--port", str(port)) as (
            path,
            _,
        ),
    ):
        made = {}
        for name, online in (
            ("packed", {"type": ONLINE, "connection": f"unix://{path}"}),
            ("lite", {"type": "sqlite", "path": str(folder / "o.db")}),
            ("hashes", {"type": "redis", "connection_string": f"127.0.0.1:{port}"}),
        ):
            store = feature_store(folder, online, project=name)
            store.apply([CARD, types_view(folder)])
            made[name] = store
        yield made, path


def types_view(folder):
    """A view with a feature of every type."""
    return FeatureView(
        name="all",
        entities=[CARD],
        ttl=timedelta(0),
        schema=[Field(name=f"f{i}", dtype=dtype) for i, (dtype, _) in enumerate(TYPES.values())],
        source=FileSource(name="rows", path=str(folder / "rows.parquet"), timestamp_field="ts"),
    )


def message(dtype, value):
    """Feast's own message of a value."""
    return python_values_to_proto_values([value], dtype.to_value_type())[0]


@settings(max_examples=20, deadline=None, phases=[Phase.generate])
@given(st.tuples(*(st.none() | strategy for _, strategy in TYPES.values())), st.integers(0, 10**6))
def test_every_type_as_feasts_own_stores_give_it(stores, values, late):
    """What comes back from packed rows is message by message what Feast's SQLite and Redis stores give back."""
    made, _ = stores
    row = {
        f"f{i}": message(dtype, value) for i, ((dtype, _), value) in enumerate(zip(TYPES.values(), values, strict=True))
    }
    # Feast's Redis store keeps the first of equal times, so every example has a key of its own.
    entity = EntityKey(join_keys=["card_id"], entity_values=[Value(int64_val=next(KEYS))])
    event = NOW + timedelta(microseconds=late)
    found = {}
    for name, store in made.items():
        online, view = store._get_provider().online_store, store.get_feature_view("all")
        online.online_write_batch(store.config, view, [(entity, row, event, None)], None)
        at, kept = online.online_read(store.config, view, [entity])[0]
        found[name] = {feature: plain(value) for feature, value in kept.items()}
        # Feast's own stores keep whole seconds, or times as floats.
        assert abs(at.replace(tzinfo=UTC) - event) < timedelta(microseconds=1 if name == "packed" else 10**6)
    assert found["packed"] == found["lite"] == found["hashes"]


def plain(value):
    """A message as bytes, sets and nulls in one form."""
    which = value.WhichOneof("val")
    if which is None or which == "null_val":
        return None
    if which.endswith("_set_val"):
        return sorted(getattr(value, which).val)
    return value.SerializeToString(deterministic=True)


def test_every_type_reaches_the_hot_path(stores):
    """The hot path has the plain values, `get_online_features` the same, and nulls are null for both."""
    made, path = stores
    store = made["packed"]
    moment = uuid.UUID(int=7)
    values = {
        "Int64": 2**60,
        "Int32": -5,
        "Float64": 0.1,
        "Float32": 0.5,
        "Bool": True,
        "String": "é",
        "Bytes": b"\0\xff",
        "UnixTimestamp": NOW,
        "Array(Int64)": [1, 2],
        "Array(Int32)": [3],
        "Array(Float64)": [0.1, float("inf")],
        "Array(Float32)": [0.5],
        "Array(Bool)": [True, False],
        "Array(String)": ["a", ""],
        "Array(Bytes)": [b"x", b""],
        "Array(UnixTimestamp)": [NOW],
        "Set(Int64)": {1},
        "Set(String)": {"s"},
        "Map": {"k": "v"},
        "Struct": {"a": 1},
        "Json": '{"a": 1}',
        "Uuid": moment,
        "Decimal": decimal.Decimal("1.5"),
        "Array(Array(Int64))": [[1], []],
    }
    row = {f"f{i}": message(dtype, values[name]) for i, (name, (dtype, _)) in enumerate(TYPES.items())}
    view = store.get_feature_view("all")
    entity = EntityKey(join_keys=["card_id"], entity_values=[Value(int64_val=-1)])
    empty = EntityKey(join_keys=["card_id"], entity_values=[Value(int64_val=-2)])
    store._get_provider().online_store.online_write_batch(
        store.config, view, [(entity, row, NOW, None), (empty, {}, NOW, None)], None
    )
    hot = OnlineStore.connect(
        f"unix://{path}", system="packed", features="feast", layouts=[layout_of(view)], timeout=2.0
    )
    full, nulls = hot.read([("all", (-1,)), ("all", (-2,))])
    assert nulls == (None,) * len(TYPES)
    second = int(NOW.timestamp() * 1e6)
    expected = {name: tuple(value) if isinstance(value, list | set) else value for name, value in values.items()}
    expected |= {"UnixTimestamp": second, "Array(UnixTimestamp)": (second,), "Uuid": str(moment), "Decimal": "1.5"}
    for name in ("Map", "Struct", "Array(Array(Int64))"):
        expected[name] = row[f"f{list(TYPES).index(name)}"].SerializeToString(deterministic=True)
    assert dict(zip(TYPES, full, strict=True)) == expected
    names = [f"all:f{i}" for i, name in enumerate(TYPES) if name in SCALARS or name.startswith("Array(")]
    answer = store.get_online_features(names, [{"card_id": -1}, {"card_id": -2}]).to_dict()
    assert answer["f0"] == [2**60, None]
    assert np.allclose(answer["f2"][0], 0.1)


@pytest.mark.parametrize(
    ("dtype", "value", "words"),
    [
        (Int64, Value(string_val="x"), "string_val"),
        (Array(Int64), Value(int64_val=1), "int64_val"),
        (UnixTimestamp, Value(unix_timestamp_val=2**50), "seconds from 1970"),
        (UnixTimestamp, Value(int64_val=1), "int64_val"),
    ],
)
def test_values_of_other_types_are_refused(stores, dtype, value, words):
    """A message of another type than the feature's is refused by name, and nothing is written."""
    made, _ = stores
    store = made["packed"]
    index = [one for one, _ in TYPES.values()].index(dtype)
    entity = EntityKey(join_keys=["card_id"], entity_values=[Value(int64_val=-3)])
    with pytest.raises(RunError, match=words) as caught:
        store._get_provider().online_store.online_write_batch(
            store.config, store.get_feature_view("all"), [(entity, {f"f{index}": value}, NOW, None)], None
        )
    assert caught.value.diagnostics[0].code == "E6210"


def test_numbers_of_a_neighbouring_type_are_kept():
    """A whole number for a float feature, and a short integer for a long one, are values as they are elsewhere."""
    assert form_of(Float64).pack(Value(int64_val=3)) == 3.0
    assert form_of(Int64).pack(Value(int32_val=3)) == 3
    assert form_of(Float32).pack(Value(double_val=0.5)) == 0.5
    assert form_of(Json).pack(Value(string_val="{}")) == "{}"
