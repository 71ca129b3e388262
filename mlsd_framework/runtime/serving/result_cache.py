"""Lists that were made are answered again while nothing that they were made from has changed, for a time at most.

An entry is found by the version, the user and the context of the request, and is good for the **stamp** it was put
with: a digest of the rows and states of the user as the online store had them (`OnlineStore.read_stamped`), in the read
that a pipeline begins with anyway. Whatever changes what the user did changes those bytes, and the next look-up, in
whichever worker, finds another stamp.

Nothing is told to anybody, so nothing can get lost. Were the event door to invalidate, a list made between the door's
answer and the updater's commit would be made from the old history and kept as new; an updater that tells has to do so
in the transaction of its commit, for each partition and each worker, and a `kill -9` or a broken subscription loses the
message. Bytes that the updater commits are the message: an event counts from the moment at which features know it,
whether it came by the door, the stream or a batch, and the cache adds nothing to that freshness. It costs a hit the
read of the store and saves all that comes after it.

Where the store is dead there is no stamp: a list within its time is answered, marked by the stage that failed, and is
better than one for a user of whom nothing is known. Made without a stamp or with a stage missing, a list is not kept.
An event whose time lies ahead of the request is in the bytes before the features show it: such a one, as whatever comes
from time alone (a window that empties) or from rows that are no part of the stamp, is seen when the entry's time is up.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.serving.recommendations import Recommendations

ENTRY_BYTES = 400
"""What Python takes for an entry besides its bytes, about."""


class _Entry(NamedTuple):
    stamp: bytes
    encoded: bytes
    until: float
    size: int


class ResultCache:
    """The lists of one worker, the least recently used of which give way; for one thread."""

    __slots__ = ("_clock", "_decoder", "_encoder", "_entries", "_max_bytes", "_ttl", "size")

    def __init__(self, ttl: float, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Answer a list for `ttl` seconds at most, and take at most `max_bytes` of memory."""
        self._ttl = ttl
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Recommendations)
        self.size = 0

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def get(self, key: bytes, stamp: bytes | None, call: Call) -> Recommendations | None:
        """Return the list kept under `key` as an answer to `call`, where it is within its time and of this `stamp`.

        Without a stamp, because the store did not answer, within its time is enough. A traced call finds nothing. What
        came of it is counted: hit, unverified (without a stamp), miss, expired, invalidated (of another stamp).
        """
        if call.traced or call.warming:
            return None
        entry = self._entries.get(key)
        if entry is None:
            call.count("result_cache", "miss")
            return None
        if self._clock() >= entry.until:
            self._drop(key)
            call.count("result_cache", "expired")
            return None
        if stamp is not None and stamp != entry.stamp:
            self._drop(key)
            call.count("result_cache", "invalidated")
            return None
        self._entries.move_to_end(key)
        call.count("result_cache", "unverified" if stamp is None else "hit")
        made = self._decoder.decode(entry.encoded)
        made.request_id, made.degraded, made.cached = call.request_id, call.degraded, True
        return made

    def put(self, key: bytes, stamp: bytes | None, made: Recommendations, call: Call) -> None:
        """Keep `made` under `key`, unless it was made without a stamp, without one of its stages, or for a trace."""
        if stamp is None or call.degraded or call.traced or call.warming:
            return
        self._drop(key)
        encoded = bytes(memoryview(self._encoder.encode(made)))  # the encoder's own bytes keep room for more
        size = len(key) + len(stamp) + len(encoded) + ENTRY_BYTES
        if size > self._max_bytes:
            return
        self._entries[key] = _Entry(stamp, encoded, self._clock() + self._ttl, size)
        self.size += size
        while self.size > self._max_bytes:
            self.size -= self._entries.popitem(last=False)[1].size
            call.count("result_cache_evictions")

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size


def entry_key(version: str, user: object, *context: object) -> bytes:
    """Return the key of an entry: `context` is all of the request that the list depends on but its moment."""
    return msgspec.msgpack.encode((version, user, *context))
