"""Writers of events: what they add is what the updater reads."""

from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import Connection, StoreError
from mlsd_framework.runtime.stream.producing import StreamWriter
from mlsd_framework.runtime.stream.secret import Secret
from tests.runtime.stream.payments import encoded, payment
from tests.runtime.stream.pumping import stepped, valkey_source
from tests.runtime.stream.store_process import StoreProcess
from tests.runtime.stream.watching import all_counted, read_up_to


@pytest.mark.parametrize("batch", [1, 7])
def test_events_of_a_writer(store: StoreProcess, connection: Connection, batch: int) -> None:
    """Events go to partitions by their key, alone or several an entry, and all reach their states."""
    events = [payment(n) for n in range(100)]
    pairs = [(str(event["card"]).encode(), encoded(event)) for event in events]
    StreamWriter("payments", 3).add(connection, pairs, batch=batch)
    pumped = stepped(store, valkey_source(store, partitions=3))
    while read_up_to(store) < 100:
        pumped.pump.step()
    assert all_counted(store) == {f"p{n}": 1 for n in range(100)}
    assert len([name for name in range(3) if store.ask(b"EXISTS", b"payments.%d" % name)]) > 1


def test_a_stream_of_bounded_length(store: StoreProcess, connection: Connection) -> None:
    """A stream with a longest length is cut, roughly."""
    StreamWriter("payments", longest=100).add(connection, [(b"k", b"{}")] * 1000)
    length = store.ask(b"XLEN", b"payments")
    assert isinstance(length, int)
    assert 100 <= length < 300


def test_a_store_that_refuses(store: StoreProcess, connection: Connection) -> None:
    """A writer says where the store does not take an event."""
    store.ask(b"SET", b"payments", b"no stream")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        StreamWriter("payments").add(connection, [(b"k", b"{}")])


def test_secrets_in_files(tmp_path: Path) -> None:
    """A secret of a file comes without the line's end; a file that is not there is named."""
    (tmp_path / "secret").write_text("hunter2\n")
    assert Secret(file=str(tmp_path / "secret")).read() == "hunter2"
    with pytest.raises(RunError, match="E6604"):
        Secret(file=str(tmp_path / "none")).read()
