"""The quick readers of replies read what the store said, whatever its entries hold and however its bytes arrive."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.features.resp import Address, StoreError, encode, encode_many
from mlsd_framework.runtime.stream import wire
from mlsd_framework.runtime.stream.wire import StreamConnection
from tests.runtime.stream.store_process import StoreProcess

CONTENT = (
    st.binary(max_size=40)
    | st.sampled_from([b"", b"\r\n", b"*2\r\n$15\r\n1-1\r\n*2\r\n$1\r\ne\r\n$1\r\nx\r\n", b"x" * 3000])
    | st.integers(60_000, 70_000).map(lambda size: b"y" * size)
)
FIELDS = st.tuples(st.just(b"e"), CONTENT) | st.tuples(st.just(b"other"), CONTENT, st.just(b"e"), CONTENT)
ENTRY = FIELDS | st.tuples(st.sampled_from([b"x", b"E", b""]), CONTENT)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ENTRY, max_size=30), st.lists(ENTRY, max_size=3), st.sampled_from([1, 100, 1 << 18]))
def test_entries(
    store: StoreProcess, monkeypatch: pytest.MonkeyPatch, first: list[tuple[bytes, ...]], second: list, part: int
) -> None:
    """Entries of several streams come with their ids and the field `e`, None where there is none."""
    monkeypatch.setattr(wire, "_PART", part)
    store.ask(b"FLUSHALL")
    connection = StreamConnection(Address.parse(store.url), 5.0)
    wanted = {}
    for name, entries in ((b"a", first), (b"b", second)):
        commands = [(b"XADD", name, b"%d-1" % (at + 1), *fields) for at, fields in enumerate(entries)]
        if commands:
            connection.exchange(encode_many(commands), len(commands), 5.0)
            contents = [dict(zip(f[::2], f[1::2], strict=True)).get(b"e") for f in entries]
            wanted[name] = [(b"%d-1" % (at + 1), content) for at, content in enumerate(contents)]
    found = connection.read_entries(encode(b"XREAD", b"STREAMS", b"a", b"b", b"0", b"0"), 5.0)
    assert {one.stream: list(zip(one.ids, one.contents, strict=True)) for one in found} == wanted
    assert connection.call(b"PING", timeout=5.0) == b"PONG"
    connection.close()


@given(st.lists(st.tuples(st.sampled_from(["append", "bad", "set", "add"]), st.integers(0, 5)), max_size=40))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_transactions(store: StoreProcess, done: list[tuple[str, int]]) -> None:
    """The replies of a transaction come in order, errors of single commands among them."""
    store.ask(b"FLUSHALL")
    store.ask(b"SADD", b"set", b"x")
    commands = {
        "append": lambda key: (b"APPEND", b"k%d" % key, b"abc"),
        "bad": lambda _: (b"APPEND", b"set", b"x"),
        "set": lambda key: (b"SET", b"s%d" % key, b"v"),
        "add": lambda _: (b"XADD", b"stream", b"*", b"e", b"x"),
    }
    made = [commands[name](key) for name, key in done]
    connection = StreamConnection(Address.parse(store.url), 5.0)
    replies = connection.transact(encode_many([(b"MULTI",), *made, (b"EXEC",)]), len(made), 5.0)
    assert replies is not None
    lengths: dict[int, int] = {}
    for (name, key), reply in zip(done, replies, strict=True):
        if name == "append":
            lengths[key] = lengths.get(key, 0) + 3
            assert reply == lengths[key]
        else:
            assert isinstance(reply, StoreError) if name == "bad" else isinstance(reply, bytes)
    connection.close()


def test_a_transaction_that_is_refused(store: StoreProcess) -> None:
    """A command that the store refuses to queue is raised, and the connection goes on."""
    connection = StreamConnection(Address.parse(store.url), 5.0)
    made = [(b"SET", b"a", b"1"), (b"APPEND", b"a"), (b"SET", b"b", b"1")]
    with pytest.raises(StoreError, match="wrong number of arguments"):
        connection.transact(encode_many([(b"MULTI",), *made, (b"EXEC",)]), len(made), 5.0)
    assert connection.call(b"EXISTS", b"a", b"b", timeout=5.0) == 0
    connection.close()


def test_a_watched_name_that_changed(store: StoreProcess) -> None:
    """A transaction after a change of a watched name is not made."""
    connection = StreamConnection(Address.parse(store.url), 5.0)
    connection.call(b"WATCH", b"a", timeout=5.0)
    store.ask(b"SET", b"a", b"2")
    assert connection.transact(encode_many([(b"MULTI",), (b"SET", b"a", b"1"), (b"EXEC",)]), 1, 5.0) is None
    connection.close()
