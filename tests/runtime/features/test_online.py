"""The online store against a real Valkey: round trips, atomic switches, dead, hanging and lying stores."""

import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import valkey
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.breaker import Breaker
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.publishing import publishing, retire
from mlsd_framework.runtime.features.resp import Address, StoreError
from mlsd_framework.runtime.features.windows import FeatureColumn

pytestmark = pytest.mark.process

CARD = RowLayout("card", (FeatureColumn("n", "int64", 0), FeatureColumn("x", "float64")), ("card",))
PAIR = RowLayout("pair", (FeatureColumn("name", "string"),), ("card", "shop"))
AS_OF = datetime(2024, 5, 1, tzinfo=UTC)


def store_at(path, system="fraud", features="f1", **options):
    """A store on a Unix socket."""
    options.setdefault("timeout", 2.0)
    return OnlineStore.connect(f"unix://{path}", system=system, features=features, layouts=[CARD, PAIR], **options)


def cards(n, keys=("a", "b:c", "é", "")):
    """Rows whose value says which generation they are of."""
    return pl.DataFrame(
        {"card": keys, "n": [n] * len(keys), "x": [None] * len(keys)},
        schema={"card": pl.String, "n": pl.Int64, "x": pl.Float64},
    )


def code_of(caught):
    """The code of a caught error."""
    return caught.value.diagnostics[0].code


def test_rows_of_several_groups_in_one_read(valkey_path):
    """What was written is read, group by group, with defaults for unseen and null keys."""
    store = store_at(valkey_path, "several")
    with publishing(store, AS_OF) as generation:
        assert generation.write("card", cards(5)) == 4
        assert (
            generation.write(
                "pair", pl.DataFrame({"card": ["a", "a", None], "shop": [1, 11, 1], "name": ["x" * 200_000, None, "n"]})
            )
            == 2
        )
    asked = [
        ("card", ("b:c",)),
        ("pair", ("a", 1)),
        ("card", ("new",)),
        ("pair", ("a", None)),
        ("pair", ("a", 11)),
        ("card", ("é",)),
        ("card", ("",)),
    ]
    assert store.read(asked) == [(5, None), ("x" * 200_000,), (0, None), (None,), (None,), (5, None), (5, None)]
    assert store.as_of == AS_OF.timestamp() * 1e6
    assert store.read([]) == []
    store.close()


def test_a_generation_is_seen_all_at_once(valkey_path):
    """Readers in four threads see rows of one generation only, while 30 are published; none is lost."""
    store, writer = store_at(valkey_path, "switch"), store_at(valkey_path, "switch")
    asked = [("card", (k,)) for k in ("a", "b:c", "é", "")]
    seen, mixed, stop = set(), [], threading.Event()

    def read():
        while not stop.is_set():
            values = {row[0] for row in store.read(asked)}
            seen.update(values)
            if len(values) != 1:
                mixed.append(values)

    with publishing(writer, AS_OF) as generation:
        generation.write("card", cards(1))
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(2, 32):
        with publishing(writer, AS_OF) as generation:
            generation.write("card", cards(n))
    stop.set()
    for thread in threads:
        thread.join()
    assert not mixed
    assert 0 not in seen
    assert store.read(asked)[0] == (31, None)
    store.close()


def test_old_generations_expire_and_failed_ones_stay_hidden(valkey_path):
    """A failed writing changes nothing for readers.

    The next success lets its rows and the old ones expire; retiring removes all.
    """
    store, raw = store_at(valkey_path, "old"), valkey.Valkey(unix_socket_path=str(valkey_path))
    with publishing(store, AS_OF) as generation:
        generation.write("card", cards(1))
    with pytest.raises(ValueError, match="stop"), publishing(store, AS_OF) as generation:  # noqa: PT012 - the failing writer
        generation.write("card", cards(2))
        raise ValueError("stop")
    assert store.read([("card", ("a",))]) == [(1, None)]
    with publishing(store, AS_OF + timedelta(days=1), grace=timedelta(seconds=30)) as generation:
        generation.write("card", cards(3))
    assert store.read([("card", ("a",))]) == [(3, None)]
    lives = sorted(raw.pttl(name) > 0 for name in raw.scan_iter("old:f1:*"))
    assert lives == [False] * 4 + [True] * 8
    retire(store)
    assert not list(raw.scan_iter("old:*"))
    with pytest.raises(StoreError) as caught:
        store.read([("card", ("a",))])
    assert code_of(caught) == "E6224"
    raw.close()
    store.close()


def test_definitions_do_not_meet(valkey_path):
    """Rows of other definitions, and of another system, are not there for a reader."""
    with publishing(store_at(valkey_path, "s1"), AS_OF) as generation:
        generation.write("card", cards(1))
    for system, features in (("s1", "f2"), ("s", "1:f1"), ("s1:f1", "")):
        with pytest.raises(StoreError) as caught:
            store_at(valkey_path, system, features).read([("card", ("a",))])
        assert code_of(caught) == "E6224"


def test_a_corrupt_row_is_refused(valkey_path):
    """A value that somebody else wrote is refused, never misread."""
    store, raw = store_at(valkey_path, "corrupt"), valkey.Valkey(unix_socket_path=str(valkey_path))
    with publishing(store, AS_OF) as generation:
        generation.write("card", cards(1))
    name = store.rows_prefix(generation.name, "card") + encode_key(("a",))
    for content, code in ((raw.get(name)[:-1], "E6212"), (b"", "E6212"), (PAIR.pack(("x",)), "E6211")):
        raw.set(name, content)
        with pytest.raises(RunError) as caught:
            store.read([("card", ("a",))])
        assert code_of(caught) == code
    raw.delete(name)
    raw.lpush(name, "x")  # another type: the store gives no value for it
    assert store.read([("card", ("a",))]) == [(0, None)]
    raw.close()
    store.close()


def test_a_store_that_dies_and_returns(tmp_path_factory, start_valkey):
    """A dead store is refused at once and costs nothing while the breaker is open.

    When it is back, reading resumes without help.
    """
    folder = tmp_path_factory.mktemp("v")
    store = None
    with start_valkey(folder) as (path, _):
        store = OnlineStore(Address(path=str(path)), "s", "f", [CARD], timeout=1.0, breaker=Breaker(3, 0.3))
        with publishing(store, AS_OF) as generation:
            generation.write("card", cards(1))
        store.read([("card", ("a",))])
    codes = []
    for _ in range(6):
        with pytest.raises(StoreError) as caught:
            store.read([("card", ("a",))])
        codes.append(code_of(caught))
    assert codes == ["E6221"] * 3 + ["E6223"] * 3
    with start_valkey(folder):
        time.sleep(0.35)
        with pytest.raises(StoreError) as caught:
            store.read([("card", ("a",))])
        assert code_of(caught) == "E6224"  # it is back, and empty
        with publishing(store, AS_OF) as generation:
            generation.write("card", cards(2))
        assert store.read([("card", ("a",))]) == [(2, None)]
    with start_valkey(folder):  # restarted between two reads: an idle connection is replaced
        with pytest.raises(StoreError) as caught:
            store.read([("card", ("a",))])
        assert code_of(caught) == "E6224"
    store.close()


def listening(folder, answer):
    """A Unix socket whose connections get `answer(connection)` in a thread."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "l"))
    server.listen()

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    return server


def test_a_hanging_store_keeps_to_the_budget(tmp_path):
    """A store that accepts and says nothing, or says it drop by drop, is given up at the deadline."""
    held = []

    def drip(connection):
        held.append(connection)
        try:
            for _ in range(100):
                connection.send(b"$")
                time.sleep(0.02)
        except OSError:
            pass

    for answer in (held.append, drip):
        server = listening(tmp_path, answer)
        store = store_at(tmp_path / "l", timeout=0.1)
        begun = time.monotonic()
        with pytest.raises(StoreError) as caught:
            store.read([("card", ("a",))])
        assert code_of(caught) == "E6222"
        assert time.monotonic() - begun < 1
        server.close()
        (tmp_path / "l").unlink()
        for connection in held:
            connection.close()


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad\r\n\r\n", b"*x\r\n", b"$99999999999\r\n", b"", b"\xff" * 100_000])
def test_something_else_listens(tmp_path, reply):
    """What does not speak the protocol is reported, not trusted."""

    def answer(connection):
        connection.recv(1000)
        connection.sendall(reply)
        connection.close()

    server = listening(tmp_path, answer)
    with pytest.raises(StoreError) as caught:
        store_at(tmp_path / "l").read([("card", ("a",))])
    assert code_of(caught) == "E6221"
    server.close()


def test_passwords_and_refusals(tmp_path_factory, start_valkey):
    """A right password opens the store, a wrong one is the store's own message; no error shows it."""
    with start_valkey(tmp_path_factory.mktemp("v"), "--requirepass", "p@ss word") as (path, _):
        store = OnlineStore.connect(f"unix://:p%40ss%20word@{path}?db=3", system="s", features="f", layouts=[CARD])
        with publishing(store, AS_OF) as generation:
            generation.write("card", cards(1))
        assert store.read([("card", ("a",))]) == [(1, None)]
        store.close()
        for url in (f"unix://{path}", f"unix://:secret@{path}"):
            with pytest.raises(StoreError) as caught:
                OnlineStore.connect(url, system="s", features="f", layouts=[CARD]).read([("card", ("a",))])
            assert code_of(caught) == "E6225"
            assert "secret" not in str(caught.value)


def test_a_full_store_refuses_the_generation(tmp_path_factory, start_valkey):
    """Where the store has no memory left, publishing fails and the former generation is still read."""
    with start_valkey(tmp_path_factory.mktemp("v"), "--maxmemory", "6mb", "--maxmemory-policy", "noeviction") as (
        path,
        _,
    ):
        store = store_at(path)
        with publishing(store, AS_OF) as generation:
            generation.write("card", cards(1))
        with pytest.raises(StoreError) as caught, publishing(store, AS_OF) as generation:
            generation.write("card", cards(2, [f"{i:0100d}" for i in range(50_000)]))
        assert code_of(caught) == "E6225"
        assert store.read([("card", ("a",))]) == [(1, None)]
        store.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://h",
        "redis://h:port",
        "redis://h/x",
        "unix://",
        "redis://h?nonsense=1",
        "redis://:topsecret@h:99999999",
        "unix:///s?db=-1",
    ],
)
def test_unclear_addresses(url):
    """An address that cannot be used is refused without repeating what it may hold."""
    with pytest.raises(StoreError) as caught:
        Address.parse(url)
    assert code_of(caught) == "E6220"
    assert "topsecret" not in str(caught.value)


def test_clear_addresses():
    """Hosts, ports, databases, users and TLS are read from the address."""
    assert Address.parse("rediss://u:p@h:1/2?ssl_ca_certs=/ca") == Address(
        "h", 1, None, 2, "u", "p", tls=True, authority="/ca"
    )
    assert Address.parse("redis://h") == Address("h")
    assert "p" not in repr(Address("h", password=chr(112))).replace("port", "").replace("path", "")


parts = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.binary(max_size=6)
    | st.sampled_from(["s1:a", "a:", ":", "1", 1, "i1:1"])
)


@settings(max_examples=200, deadline=None)
@given(st.tuples(parts, parts) | st.tuples(parts), st.tuples(parts, parts) | st.tuples(parts))
def test_different_keys_have_different_names(one, other):
    """Two keys share a name only if they are the same values of the same types; a null has none."""
    same = [type(a) for a in one] == [type(b) for b in other] and one == other
    ours, theirs = encode_key(one), encode_key(other)
    assert (ours is None) == (None in one)
    assert ours is None or theirs is None or (ours == theirs) == same


@pytest.mark.parametrize("key", [(1.5,), ("\ud800",), ("a", "b"), ([],)])
def test_keys_that_cannot_be(key, valkey_path):
    """Floats, lone surrogates, lists and a wrong number of parts are refused."""
    with pytest.raises(RunError) as caught:
        store_at(valkey_path).read([("card", key)])
    assert code_of(caught) == "E6226"


def test_breaker_opens_and_tries_again():
    """Closed until the limit, open for the pause, then one try at a time."""
    now = [0.0]
    breaker = Breaker(2, 1.0, lambda: now[0])
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now[0] = 1.1
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.succeeded()
    assert breaker.allows()


def test_reading_imports_nothing_heavy():
    """The reader's modules import neither polars, numpy, numba nor pandas."""
    heavy = ("polars", "numpy", "numba", "pandas", "valkey", "asyncio")
    code = f"import sys, mlsd_framework.runtime.features.online; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_a_store_over_tcp(tmp_path_factory, start_valkey):
    """A store at a host and a port is read as one at a socket is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with start_valkey(tmp_path_factory.mktemp("v"), "--bind", "127.0.0.1", "--port", str(port)):
        store = OnlineStore.connect(
            f"redis://127.0.0.1:{port}/1", system="s", features="f", layouts=[CARD], timeout=2.0
        )
        with publishing(store, AS_OF) as generation:
            generation.write("card", cards(1))
        assert store.read([("card", ("a",))]) == [(1, None)]
        store.close()


def test_a_stamp_changes_with_the_rows_of_its_groups_alone(valkey_path):
    """The digest follows what is stored for the keys of the stamped groups, the same for every reader; values stay."""
    store, other = store_at(valkey_path, "stamped"), store_at(valkey_path, "stamped")

    def publish(n):
        with publishing(store, AS_OF) as generation:
            generation.write("card", cards(n))
            generation.write("pair", pl.DataFrame({"card": ["a", "a"], "shop": [1, 2], "name": ["n", "m"]}))

    def stamp(stamped=("card",), card="a", shop=1, reader=store):
        asked = [("card", (card,)), ("pair", ("a", shop))]
        rows, digest = reader.read_stamped(asked, stamped)
        assert rows == store.read(asked)
        return digest

    publish(5)
    first = stamp()
    assert stamp() == stamp(shop=2) == stamp(reader=other) == first
    assert len({stamp(), stamp(("card", "pair")), stamp(("card", "pair"), shop=2), stamp(("pair",)), stamp(())}) == 5
    assert stamp(card="new") == stamp(card=None) != first
    publish(6)
    assert stamp() == stamp(reader=other) != first
    store.close()
    other.close()
