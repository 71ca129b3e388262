"""Writes rows to the online store: a generation of its own for each materialisation, which readers see all at once."""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.client import Client, client_of
from mlsd_framework.runtime.features.keys import encode_keys
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.resp import encode
from mlsd_framework.runtime.features.sending import send_behind

if TYPE_CHECKING:
    import polars as pl

_ROWS = 4096  # a round trip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Generation:
    """Rows that are being written and that no reader sees yet."""

    def __init__(self, store: OnlineStore, client: Client, as_of: datetime, timeout: float) -> None:
        """Take the store, a client of it and the moment as of which the rows are computed (aware)."""
        if as_of.tzinfo is None:
            raise RunError.of(
                "E6203", f"the moment {as_of} has no time zone", expected="an aware time, such as one in UTC"
            )
        now = time.time_ns()
        self._event, self._created = (as_of - _EPOCH) // timedelta(microseconds=1), now // 1000
        self.name = b"%d-%d" % (now, self._event)
        self._store = store
        self._client = client
        self._timeout = timeout

    def write(self, group: str, frame: "pl.DataFrame") -> int:
        """Write every row of a frame (entity columns and the layout's) and return how many.

        A row whose key has a null is left out, as nobody can ask for it.
        """
        layout = self._store.layouts[group]
        missing = [name for name in layout.entity if name not in frame.columns]
        if missing:
            raise RunError.of(
                "E6202",
                f"the rows of `{group}` lack the column `{missing[0]}`",
                expected=f"one of: {', '.join(frame.columns)}",
            )
        prefix = self._store.rows_prefix(self.name, group)
        written = 0

        def packed() -> Iterator[list[tuple[bytes, bytes]]]:
            nonlocal written
            for part in frame.iter_slices(_ROWS):
                rows = layout.pack_frame(part, self._event, self._created)
                keys = encode_keys(part.select(layout.entity))
                pairs = [(prefix + key, row) for key, row in zip(keys, rows, strict=True) if key is not None]
                written += len(pairs)
                yield pairs

        send_behind(packed(), lambda pairs: self._client.put(pairs, self._timeout))
        return written


@contextlib.contextmanager
def publishing(
    store: OnlineStore, as_of: datetime, *, grace: timedelta = timedelta(seconds=60), timeout: float = 10.0
) -> Iterator[Generation]:
    """Yield a generation to write rows into.

    On success make it the one that readers see, and let older ones expire after `grace`.

    A failure or a kill before the end leaves readers with what they had; the rows written so far are swept by the
    next success. One writer a system at a time: of two, the one that ends last is seen. `timeout` is for one round
    trip, in seconds.
    """
    client = client_of(store.address)
    try:
        generation = Generation(store, client, as_of, timeout)
        yield generation
        client.put([(store.pointer, generation.name)], timeout)
        _expire_older(store, client, generation.name, int(grace / timedelta(milliseconds=1)), timeout)
    finally:
        client.close()


def retire(store: OnlineStore, *, timeout: float = 10.0) -> None:
    """Remove the pointer and every row of the store's feature definitions, once no bundle reads them."""
    client = client_of(store.address)
    try:
        remove(client, [store.pointer], timeout)
        for names in client.scan(store.pointer + b":*", timeout):
            remove(client, names, timeout)
    finally:
        client.close()


def remove(client: Client, names: list[bytes], timeout: float) -> None:
    """Remove keys; the memory is given back in the background."""
    client.run([(name, encode(b"UNLINK", name)) for name in names], timeout)


def _expire_older(store: OnlineStore, client: Client, published: bytes, milliseconds: int, timeout: float) -> None:
    begun = _begun(published)
    prefix = len(store.pointer) + 1
    after = b"%d" % milliseconds
    for names in client.scan(store.pointer + b":*", timeout):
        old = [name for name in names if (_begun(name[prefix:].partition(b":")[0]) or begun) < begun]
        # NX: a row that expires already keeps its time.
        client.run([(name, encode(b"PEXPIRE", name, after, b"NX")) for name in old], timeout)


def _begun(generation: bytes) -> int:
    # When a generation was begun; 0 for the names of what belongs to none.
    number = generation.partition(b"-")[0]
    return int(number) if number.isdigit() else 0
