"""Rows written in place: the newest stays whoever writes when, and a publication in between loses none."""

import random
import threading
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mlsd_framework.runtime.features.client import Server
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.features.newest import write_newest
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.windows import FeatureColumn

pytestmark = pytest.mark.process
CARD = RowLayout("card", (FeatureColumn("n", "int64", 0),), ("card",))
OTHER = RowLayout("card", (FeatureColumn("m", "int64", 0),), ("card",))
AS_OF = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture
def store(valkey_path, request):
    """A store of the test's own system."""
    made = OnlineStore.connect(
        f"unix://{valkey_path}", system=request.node.name, features="f", layouts=[CARD], timeout=2.0
    )
    yield made
    made.close()


def row(key, n, event, created=0, layout=CARD):
    """A packed row of a key."""
    return ("card", encode_key((key,)), layout.pack((n,), event, created))


def test_writers_in_any_order(store):
    """Four writers at once, each with all rows in an order of its own: every key ends with its newest."""
    random_ = random.Random(7)  # noqa: S311 - an order, no secret
    rows = [row(f"k{i % 50}", i, random_.randrange(-3, 3), random_.randrange(3)) for i in range(1000)]
    newest = {}
    for _, key, packed in rows:
        newest[key] = max(newest.get(key, b""), packed[12:28])

    def write(order):
        client = Server(store.address)
        for at in range(0, len(order), 37):
            write_newest(store, client, order[at : at + 37])
        client.close()

    orders = [random_.sample(rows, len(rows)) for _ in range(4)]
    threads = [threading.Thread(target=write, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.rows([("card", key) for key in newest])
    assert [packed[12:28] for packed in found] == list(newest.values())


class Interrupted(Server):
    """A client whose first writing is followed by somebody else's publication."""

    def __init__(self, store) -> None:
        super().__init__(store.address)
        self._store = store
        self._left = 1

    def run(self, commands, timeout, opening=b""):
        """Send, then publish."""
        replies = super().run(commands, timeout, opening)
        if opening and self._left:
            self._left -= 1
            with publishing(self._store, AS_OF) as generation:
                generation.write("card", pl.DataFrame({"card": ["a", "b"], "n": [1, 1]}))
        return replies


def test_a_publication_in_between(store):
    """Rows that are written while another generation is published are in that one, where they are newer."""
    with publishing(store, AS_OF) as generation:
        generation.write("card", pl.DataFrame({"card": ["a", "b"], "n": [0, 0]}))
    client = Interrupted(store)
    moment = int(AS_OF.timestamp() * 1e6)
    write_newest(store, client, [row("a", 5, moment + 1), row("b", 5, moment - 1)])
    assert store.read([("card", ("a",)), ("card", ("b",))]) == [(5,), (1,)]
    client.close()


def test_lives(store):
    """A row lives as long as its age and the time since its writing allow; a newer one may be gone already."""
    now = int(datetime.now(UTC).timestamp() * 1e6)
    client = Server(store.address)
    hour = timedelta(hours=1)
    write_newest(store, client, [row("a", 1, now), row("b", 1, now - 2 * 3_600_000_000), row("c", 1, 0)])
    assert write_newest(store, client, [row("a", 2, now), row("b", 2, now - 2 * 3_600_000_000 + 1)], age=hour) == 2
    assert store.read([("card", (key,)) for key in "abc"]) == [(2,), (0,), (1,)]
    prefix = store.rows_prefix(client.get([store.pointer], 1.0)[0], "card")
    lives = []
    for age, lifetime in ((hour, None), (hour, hour / 2), (hour / 2, hour), (None, None)):
        write_newest(store, client, [row("d", 1, now)], age=age, lifetime=lifetime)
        name = prefix + encode_key(("d",))
        command = b"*2\r\n$4\r\nPTTL\r\n$%d\r\n%b\r\n" % (len(name), name)
        lives.append(client.run([(name, command)], 1.0)[0])
    assert [round(life / 1_800_000) if life > 0 else None for life in lives] == [2, 1, 1, None]
    client.close()


def test_rows_of_another_layout_give_way(store):
    """A row of the group as it was is replaced by any row of it as it is."""
    client = Server(store.address)
    write_newest(store, client, [row("a", 1, 10, layout=OTHER)])
    write_newest(store, client, [row("a", 2, 5)])
    assert store.read([("card", ("a",))]) == [(2,)]
    client.close()
