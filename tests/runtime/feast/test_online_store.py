"""The online store behind Feast: newest wins, what is published is read, and the hot path reads what is written."""

import random
import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pytest
from feast import Entity, FeatureView, Field, FileSource, PushSource, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64, String

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.feast.live import live_tags
from mlsd_framework.runtime.feast.values import layout_of
from mlsd_framework.runtime.features.client import client_of
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.resp import Address
from mlsd_framework.runtime.features.windows import Aggregate, FeatureColumn, WindowGroup
from mlsd_framework.runtime.state.layout import StateLayout
from tests.runtime.feast.conftest import ONLINE, feature_store

pytestmark = [pytest.mark.process, pytest.mark.filterwarnings("ignore:On demand feature view is an experimental")]
NOW = datetime.now(UTC).replace(microsecond=0)
CARD = Entity(name="card", join_keys=["card_id"], value_type=ValueType.INT64)
SHOP = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.STRING)


def view_of(path, name="spend", ttl=timedelta(0), entities=(CARD,), schema=(("n", Int64), ("x", Float64)), **options):
    """A feature view over a Parquet file."""
    source = FileSource(
        name=f"{name}_rows", path=str(path), timestamp_field="ts", created_timestamp_column=options.pop("created", None)
    )
    return FeatureView(
        name=name,
        entities=list(entities),
        ttl=ttl,
        schema=[Field(name=one, dtype=dtype) for one, dtype in schema],
        source=PushSource(name=f"{name}_push", batch_source=source) if options.pop("push", False) else source,
        **options,
    )


def rows_of(n, ts=NOW, keys=(1, 2)):
    """Rows of `spend` whose value says where they come from."""
    return pd.DataFrame({"card_id": list(keys), "n": [n] * len(keys), "x": [n / 2] * len(keys), "ts": [ts] * len(keys)})


def asked(store, features, keys=(1, 2), **options):
    """What Feast gives for some cards."""
    return store.get_online_features(features, [{"card_id": key} for key in keys], **options).to_dict()


def hot(path, store, view):
    """The store that the service reads, of the same rows."""
    return OnlineStore.connect(
        f"unix://{path}", system=store.project, features="feast", layouts=[layout_of(view)], timeout=2.0
    )


def test_materialised_rows_are_read_by_both(packed_store, tmp_path, valkey_path):
    """What `materialize` and `materialize_incremental` write is read by Feast and by the hot path."""
    rows_of(5, NOW - timedelta(hours=2)).to_parquet(tmp_path / "spend.parquet")
    view = view_of(tmp_path / "spend.parquet")
    packed_store.apply([CARD, view])
    assert asked(packed_store, ["spend:n"]) == {"card_id": [1, 2], "n": [None, None]}
    packed_store.materialize(NOW - timedelta(days=1), NOW - timedelta(hours=1))
    assert asked(packed_store, ["spend:x", "spend:n"], (2, 3, 2)) == {
        "card_id": [2, 3, 2],
        "n": [5, None, 5],
        "x": [2.5, None, 2.5],
    }
    assert hot(valkey_path, packed_store, view).read([("spend", (1,)), ("spend", (3,))]) == [(5, 2.5), (None, None)]
    rows_of(6, NOW - timedelta(minutes=30)).to_parquet(tmp_path / "spend.parquet")
    packed_store.materialize_incremental(NOW)
    assert asked(packed_store, ["spend:n"], full_feature_names=True) == {"card_id": [1, 2], "spend__n": [6, 6]}
    assert hot(valkey_path, packed_store, view).read([("spend", (1,))]) == [(6, 3.0)]


def test_published_rows_are_read_by_feast(packed_store, tmp_path, valkey_path):
    """What materialisation publishes in one generation is what Feast reads, with its moment; the next replaces it."""
    view = view_of(tmp_path / "none.parquet", entities=(CARD, SHOP))
    rows_of(1).assign(shop_id="a").to_parquet(tmp_path / "none.parquet")
    with pytest.raises(RunError, match="join keys yet"):
        layout_of(view)
    packed_store.apply([CARD, SHOP, view])
    layout = RowLayout("spend", (FeatureColumn("n", "int64", 0), FeatureColumn("x", "float64")), ("card_id", "shop_id"))
    assert layout.fingerprint == layout_of(view).fingerprint
    writer = OnlineStore.connect(
        f"unix://{valkey_path}", system=packed_store.project, features="feast", layouts=[layout], timeout=2.0
    )
    for n in (7, 8):
        with publishing(writer, NOW) as generation:
            generation.write("spend", pl.DataFrame({"shop_id": ["a"], "card_id": [1], "n": [n], "x": [None]}))
        found = packed_store._get_provider().online_store.online_read(
            packed_store.config, view, [key_of(1, "a"), key_of(1, "b")], ["n"]
        )
        assert [(event, value and value["n"].int64_val) for event, value in found] == [(NOW, n), (None, None)]


def key_of(card, shop):
    """Feast's message of a composite key, in an order of its own."""
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey  # noqa: PLC0415 - heavy
    from feast.protos.feast.types.Value_pb2 import Value  # noqa: PLC0415 - as above

    return EntityKey(join_keys=["shop_id", "card_id"], entity_values=[Value(string_val=shop), Value(int64_val=card)])


def test_pushes_and_writes(packed_store, tmp_path, valkey_path):
    """`push` and `write_to_online_store` write, newer rows only."""
    view = view_of(tmp_path / "p.parquet", push=True)
    packed_store.apply([CARD, view])
    packed_store.push("spend_push", rows_of(1, NOW))
    assert asked(packed_store, ["spend:n"])["n"] == [1, 1]
    packed_store.push("spend_push", rows_of(2, NOW - timedelta(seconds=1)))
    packed_store.write_to_online_store("spend", rows_of(3, NOW, keys=(2,)))
    assert asked(packed_store, ["spend:n"])["n"] == [1, 3]
    assert hot(valkey_path, packed_store, view).read([("spend", (2,))]) == [(3, 1.5)]


def test_newest_wins_over_shuffles(packed_store, tmp_path):
    """Of rows in any order, with ties and late ones, the newest stays: by event, then creation, then writing."""
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey  # noqa: PLC0415 - heavy
    from feast.protos.feast.types.Value_pb2 import Value  # noqa: PLC0415 - as above

    view = view_of(tmp_path / "n.parquet")
    packed_store.apply([CARD, view])
    store = packed_store._get_provider().online_store
    random_ = random.Random(5)  # noqa: S311 - an order, no secret
    for key in range(1000):
        entity = EntityKey(join_keys=["card_id"], entity_values=[Value(int64_val=key)])
        times = [
            (
                NOW + timedelta(microseconds=random_.choice([-(2**33), -1, 0, 0, 0, 1, 2**33])),
                random_.choice([None, NOW, NOW, NOW + timedelta(microseconds=1)]),
            )
            for _ in range(8)
        ]
        random_.shuffle(times)
        rows = [(entity, {"n": Value(int64_val=i), "x": Value(double_val=i)}, *pair) for i, pair in enumerate(times)]
        cut = random_.randrange(9)
        for some in (rows[:cut], rows[cut:]):
            store.online_write_batch(packed_store.config, view, some, None)
        epoch = datetime.min.replace(tzinfo=UTC)
        best = max(range(8), key=lambda i: (times[i][0], times[i][1] or epoch, i))
        ((event, found),) = store.online_read(packed_store.config, view, [entity])
        assert (event, found["n"].int64_val) == (times[best][0], best)


def test_ttl_of_a_view(tmp_path, valkey_path):
    """Where it is asked for, a row is gone once its view's ttl has passed since its event, for both readers."""
    for wanted, seen in ((False, [1, 2]), (True, [1, None])):
        online = {"type": ONLINE, "connection": f"unix://{valkey_path}", "expire_by_view_ttl": wanted}
        store = feature_store(tmp_path, online, project=f"ttl{wanted}")
        view = view_of(tmp_path / "t.parquet", ttl=timedelta(hours=1))
        store.apply([CARD, view])
        store.write_to_online_store("spend", rows_of(1, NOW - timedelta(minutes=30), keys=(1,)))
        store.write_to_online_store("spend", rows_of(2, NOW - timedelta(minutes=90), keys=(2,)))
        assert asked(store, ["spend:n"])["n"] == seen
        assert [row[0] for row in hot(valkey_path, store, view).read([("spend", (1,)), ("spend", (2,))])] == seen


def test_ttl_of_a_key(tmp_path, valkey_path):
    """A row is gone `key_ttl_seconds` after it was written, whatever its event's time."""
    online = {"type": ONLINE, "connection": f"unix://{valkey_path}", "key_ttl_seconds": 1}
    store = feature_store(tmp_path, online, project="keyttl")
    view = view_of(tmp_path / "t.parquet")
    store.apply([CARD, view])
    store.write_to_online_store("spend", rows_of(1, NOW - timedelta(days=900)))
    assert asked(store, ["spend:n"])["n"] == [1, 1]
    time.sleep(1.1)
    assert asked(store, ["spend:n"])["n"] == [None, None]


def test_views_come_and_go(packed_store, tmp_path, valkey_path):
    """Several views and on-demand ones are read at once; a view that is removed takes its rows, teardown all."""
    other = view_of(tmp_path / "o.parquet", "other", schema=(("s", String),))
    view = view_of(tmp_path / "v.parquet")
    factor = RequestSource(name="factor", schema=[Field(name="by", dtype=Float64)])

    @on_demand_feature_view(sources=[view, factor], schema=[Field(name="scaled", dtype=Float64)])
    def scaling(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"scaled": frame["x"] * frame["by"]})

    packed_store.apply([CARD, view, other, scaling])
    packed_store.write_to_online_store("spend", rows_of(4))
    packed_store.write_to_online_store("other", pd.DataFrame({"card_id": [1], "s": ["é"], "ts": [NOW]}))
    found = packed_store.get_online_features(
        ["spend:n", "other:s", "scaling:scaled"], [{"card_id": 1, "by": 3.0}, {"card_id": 2, "by": 1.0}]
    ).to_dict()
    assert found == {"card_id": [1, 2], "n": [4, 4], "s": ["é", None], "scaled": [6.0, 2.0]}
    packed_store.apply([CARD, view], objects_to_delete=[scaling, other], partial=False)
    assert hot(valkey_path, packed_store, view).read([("spend", (1,))]) == [(4, 2.0)]
    reader = hot(valkey_path, packed_store, other)
    assert reader.read([("other", (1,))]) == [(None,)]
    packed_store.teardown()
    import valkey  # noqa: PLC0415 - only here

    raw = valkey.Valkey(unix_socket_path=str(valkey_path))
    assert not list(raw.scan_iter(f"{packed_store.project}*"))
    raw.close()


def test_a_view_that_changes(packed_store, tmp_path):
    """Rows of the view as it was are nothing of the view as it is, until they are written anew."""
    view = view_of(tmp_path / "v.parquet")
    packed_store.apply([CARD, view])
    packed_store.write_to_online_store("spend", rows_of(4))
    changed = view_of(tmp_path / "v.parquet", schema=(("n", Int64), ("x", Float64), ("y", Int64)))
    packed_store.apply([CARD, changed])
    assert asked(packed_store, ["spend:n", "spend:y"])["n"] == [None, None]
    packed_store.write_to_online_store("spend", rows_of(5, NOW - timedelta(days=1)).assign(y=1))
    assert asked(packed_store, ["spend:n", "spend:y"]) == {"card_id": [1, 2], "n": [5, 5], "y": [1, 1]}


def test_live_views_are_finished_when_they_are_read(packed_store, tmp_path, valkey_path):
    """A view with a live group's tags reads the states that the updater keeps; materialising leaves them alone."""
    group = WindowGroup(
        "velocity", ("card",), "payments", "ts", (timedelta(hours=1), None),
        (Aggregate("n", "count"), Aggregate("spend", "sum", "amount")), key=("id",),
    )  # fmt: skip
    dtypes = {"id": "int64", "amount": "float64"}
    schema = {"n_1h": Int64, "n_lifetime": Int64, "spend_1h": Float64, "spend_lifetime": Float64}
    now = datetime.now(UTC)
    rows = {name: [0] for name in schema} | {"card": [7], "ts": [now]}
    utc = pl.col("ts").cast(pl.Datetime("us", "UTC"))
    pl.DataFrame(rows).with_columns(utc).write_parquet(tmp_path / "rows.parquet")
    card = Entity(name="card", join_keys=["card"], value_type=ValueType.INT64)
    view = FeatureView(
        name="velocity",
        entities=[card],
        schema=[Field(name="card", dtype=Int64), *(Field(name=name, dtype=dtype) for name, dtype in schema.items())],
        source=FileSource(path=str(tmp_path / "rows.parquet"), timestamp_field="ts"),
        tags=live_tags(group, dtypes),
    )
    packed_store.apply([card, view])
    names = LiveNames(packed_store.project, "feast")
    times = [now - timedelta(days=2), now - timedelta(minutes=5)]
    payments = pl.DataFrame({"card": [7, 7], "id": [1, 2], "ts": times, "amount": [2.5, 4.0]}).with_columns(utc)
    [key], [state] = StateLayout(group, dtypes).blocks(payments)
    client = client_of(Address(path=str(valkey_path)))
    client.put([(names.live, b"1"), (names.states(b"1", "velocity") + key, state)], 5.0)
    packed_store.materialize(now - timedelta(days=1), now + timedelta(days=1))
    features = [f"velocity:{name}" for name in schema]
    read = packed_store.get_online_features(features, [{"card": 7}, {"card": 8}]).to_dict()
    assert {name: read[name] for name in schema} == {
        "n_1h": [1, None], "n_lifetime": [2, None], "spend_1h": [4.0, None], "spend_lifetime": [6.5, None],
    }  # fmt: skip
    client.close()
