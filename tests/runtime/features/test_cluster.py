"""The online store as a cluster, behind TLS and with users: the same rows, whoever holds them."""

import tempfile
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import valkey
from hypothesis import given, settings
from hypothesis import strategies as st
from valkey.crc import key_slot

from mlsd_framework.runtime.features.client import client_of
from mlsd_framework.runtime.features.cluster import slot_of
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.newest import write_newest
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.publishing import publishing, retire
from mlsd_framework.runtime.features.resp import Address, StoreError
from mlsd_framework.runtime.features.windows import FeatureColumn
from tests.runtime.features.conftest import serving
from tests.runtime.features.valkey_cluster import cluster, tls_door

pytestmark = pytest.mark.process
CARD = RowLayout("card", (FeatureColumn("n", "int64", 0),), ("card",))
AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
KEYS = [f"k{i}" for i in range(60)]


@pytest.fixture(scope="module")
def ports():
    """A cluster that the module's tests share."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, cluster(folder) as found:
        yield found


def store_at(port, system):
    """A store of the cluster by one of its nodes."""
    return OnlineStore.connect(
        f"redis://127.0.0.1:{port}?cluster=true", system=system, features="f", layouts=[CARD], timeout=5.0
    )


def read(store):
    """The values of all keys."""
    return [row[0] for row in store.read([("card", (key,)) for key in KEYS])]


def publish(store, n):
    """Publish a generation whose rows say which it is."""
    with publishing(store, AS_OF, grace=timedelta(seconds=30)) as generation:
        generation.write("card", pl.DataFrame({"card": KEYS, "n": [n] * len(KEYS)}))
    return generation


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=20) | st.sampled_from([b"{a}b", b"{}a", b"x{a}{b}", b"{", b"}{", b"{{a}}"]))
def test_slots_are_those_of_the_server(name):
    """The slot of a key is what the cluster says, braces included."""
    assert slot_of(name) == key_slot(name)


def test_a_cluster_is_read_and_written(ports):
    """Generations are published to a cluster and read from it by any node, newer rows written in place, all removed."""
    store, other = store_at(ports[0], "whole"), store_at(ports[2], "whole")
    with pytest.raises(StoreError) as caught:
        read(store)
    assert caught.value.diagnostics[0].code == "E6224"
    for n in (1, 2):
        publish(store, n)
        assert read(store) == read(other) == [n] * len(KEYS)
    assert store.read([("card", ("new",))]) == [(0,)]
    client = client_of(store.address)
    rows = [("card", encode_key((key,)), CARD.pack((i,), event=2**60 + i)) for i, key in enumerate(KEYS)]
    assert write_newest(store, client, rows) == len(KEYS)
    assert write_newest(store, client, rows[:5] * 2) == 10
    assert write_newest(store, client, [(*rows[0][:2], CARD.pack((99,), event=5))]) == 0
    assert read(other) == list(range(len(KEYS)))
    retire(store)
    nodes = [valkey.Valkey(port=port) for port in ports]
    assert [list(node.scan_iter("whole:*")) for node in nodes] == [[], [], []]
    for node in nodes:
        node.close()
    client.close()
    store.close()


def test_slots_that_move(ports):
    """While a slot moves, and after it has, its rows are read and written where they are."""
    store, reader = store_at(ports[0], "moving"), store_at(ports[1], "moving")
    publish(store, 1)
    assert read(reader) == [1] * len(KEYS)
    generation = publish(store, 2)
    nodes = {port: valkey.Valkey(port=port) for port in ports}
    names = {port: node.execute_command("CLUSTER", "MYID").decode() for port, node in nodes.items()}
    key = KEYS[17]
    name = store.rows_prefix(generation.name, "card") + encode_key((key,))
    slot = slot_of(name)
    source = next(port for i, port in enumerate(ports) if 16384 * i // 3 <= slot < 16384 * (i + 1) // 3)
    target = next(port for port in ports if port != source)
    nodes[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
    nodes[source].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
    assert read(reader) == [2] * len(KEYS)
    nodes[source].execute_command("MIGRATE", "127.0.0.1", target, name, 0, 5000)
    assert read(reader) == [2] * len(KEYS)  # ASK
    client = client_of(store.address)
    assert write_newest(store, client, [("card", encode_key((key,)), CARD.pack((7,), event=2**60))]) == 1
    for port in (target, source, *ports):
        nodes[port].execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[target])
    assert sorted(read(reader)) == [2] * (len(KEYS) - 1) + [7]  # MOVED
    client.close()
    for node in nodes.values():
        node.close()


def test_a_node_asked_as_if_it_were_alone(ports):
    """Without `cluster=true` the refusal says what to add; a cluster of nobody is unreachable within the time."""
    others = [name for name in (f"x{i}" for i in range(9)) if slot_of(f"{name}:f".encode()) >= 16384 // 3]
    store = OnlineStore.connect(
        f"redis://127.0.0.1:{ports[0]}", system=others[0], features="f", layouts=[CARD], timeout=2.0
    )
    with pytest.raises(StoreError) as caught:
        read(store)
    assert caught.value.diagnostics[0].code == "E6225"
    assert "cluster=true" in (caught.value.diagnostics[0].help or "")
    nobody = OnlineStore.connect(
        "redis://127.0.0.1:1?cluster=true", system="x", features="f", layouts=[CARD], timeout=0.1
    )
    with pytest.raises(StoreError) as caught:
        nobody.read([("card", ("a",))])
    assert caught.value.diagnostics[0].code in ("E6221", "E6222")


def test_a_store_that_is_no_cluster(tmp_path_factory):
    """A server that is no cluster says so."""
    with serving(tmp_path_factory.mktemp("v")) as (path, _), tls_door(path.parent, path) as (port, authority):
        url = f"rediss://127.0.0.1:{port}?cluster=true&ssl_ca_certs={authority}"
        store = OnlineStore.connect(url, system="s", features="f", layouts=[CARD], timeout=2.0)
        with pytest.raises(StoreError) as caught:
            store.read([("card", ("a",))])
        assert caught.value.diagnostics[0].code == "E6225"
        store.close()


def test_tls_with_users(tmp_path_factory):
    """Behind TLS, with a password and with a user of few rights, rows are written and read; strangers are kept out."""
    options = (
        "--requirepass",
        "p@ss",
        "--user",
        *["reader", "on", ">secret", "~*", "+mget", "+get", "+ping", "+select"],
    )
    with serving(tmp_path_factory.mktemp("v"), *options) as (path, _), tls_door(path.parent, path) as (port, authority):
        base = f"127.0.0.1:{port}/0?ssl_ca_certs={authority}"

        def at(url):
            return OnlineStore.connect(url, system="s", features="f", layouts=[CARD], timeout=2.0)

        writer = at(f"rediss://:p%40ss@{base}")
        publish(writer, 3)
        reader = at(f"rediss://reader:secret@{base}")
        assert read(reader) == [3] * len(KEYS)
        with pytest.raises(StoreError) as caught:
            publish(reader, 4)
        assert caught.value.diagnostics[0].code == "E6225"
        for url, code in (
            (f"rediss://reader:wrong@{base}", "E6225"),
            (f"rediss://{base}", "E6225"),
            (f"rediss://reader:secret@127.0.0.1:{port}/0", "E6221"),
        ):
            with pytest.raises(StoreError) as caught:
                read(at(url))
            assert caught.value.diagnostics[0].code == code
            assert "secret" not in str(caught.value)
        assert Address.parse("redis://h:7000?cluster=true").cluster
        writer.close()
        reader.close()


@pytest.mark.parametrize("url", ["unix:///s?cluster=true", "redis://h/3?cluster=true", "redis://h?cluster=perhaps"])
def test_clusters_that_cannot_be(url):
    """A cluster has no Unix socket and one database."""
    with pytest.raises(StoreError) as caught:
        Address.parse(url)
    assert caught.value.diagnostics[0].code == "E6220"
