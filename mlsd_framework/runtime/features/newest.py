"""Writes rows one by one into the generation that is published; of two rows of a key, the newer one stays.

Newer is the later moment, then the later creation, then the later writing. The store itself compares, so that any
number of writers may write in any order. A publication (see `publishing`) replaces all of it at once.
"""

import hashlib
import time
from collections.abc import Sequence
from datetime import timedelta

from mlsd_framework.runtime.features.client import Client
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import moments
from mlsd_framework.runtime.features.resp import encode, store_error

_SWITCHES = 5
_CALLS = 16  # scripts a round trip
_SCRIPT = b"""
local kept = 0
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
for i, name in ipairs(KEYS) do
  local row = ARGV[i + 2]
  local a, b, c, d = struct.unpack('>I4I4I4I4', row, 13)
  local old = redis.call('GETRANGE', name, 0, 27)
  local newer = true
  if #old == 28 and string.sub(old, 1, 8) == string.sub(row, 1, 8) then
    local e, f, g, h = struct.unpack('>I4I4I4I4', old, 13)
    if a ~= e then newer = a > e elseif b ~= f then newer = b > f
    elseif c ~= g then newer = c > g else newer = d >= h end
  end
  if newer then
    kept = kept + 1
    local until_ms = tonumber(ARGV[2])
    if until_ms > 0 then until_ms = now + until_ms else until_ms = nil end
    if tonumber(ARGV[1]) > 0 and (a > 0 or b > 0) then
      local gone = math.floor(((a - 2147483648) * 4294967296 + b) / 1000) + tonumber(ARGV[1])
      if not until_ms or gone < until_ms then until_ms = gone end
    end
    if not until_ms then redis.call('SET', name, row)
    elseif until_ms > now then redis.call('SET', name, row, 'PXAT', string.format('%.0f', until_ms))
    else redis.call('DEL', name) end
  end
end
return kept
"""
_SHA = hashlib.sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()
_LOAD = encode(b"SCRIPT", b"LOAD", _SCRIPT)


def write_newest(
    store: OnlineStore,
    client: Client,
    rows: Sequence[tuple[str, bytes, bytes]],
    *,
    age: timedelta | None = None,
    lifetime: timedelta | None = None,
    timeout: float = 10.0,
) -> int:
    """Write (group, encoded key, packed row) where it is newer than what is there; return how many were.

    With `age` a row is gone that long after its moment, with `lifetime` that long after it was written. Where nothing
    is published yet, an own generation is. Rows of another layout give way to any. What is written while another
    generation is published is written into that one, too.
    """
    limits = [b"%d" % (length // timedelta(milliseconds=1) if length else 0) for length in (age, lifetime)]
    generation = _generation(store, client, rows, timeout)
    for _ in range(_SWITCHES):
        prefixes = {group: store.rows_prefix(generation, group) for group in {group for group, _, _ in rows}}
        named = [(prefixes[group] + key, row) for group, key, row in rows]
        step = client.keys_a_call * _CALLS
        kept = sum(_kept(client, named[at : at + step], limits, timeout) for at in range(0, len(named), step))
        published = client.get([store.pointer], timeout)[0]
        if published == generation or not isinstance(published, bytes):
            return kept
        generation = published
    raise store_error("E6222", "the online store publishes features faster than rows can be written")


def _kept(client: Client, named: Sequence[tuple[bytes, bytes]], limits: list[bytes], timeout: float) -> int:
    commands = []
    for at in range(0, len(named), client.keys_a_call):
        some = named[at : at + client.keys_a_call]
        names, rows = [name for name, _ in some], [row for _, row in some]
        commands.append((names[0], encode(b"EVALSHA", _SHA, b"%d" % len(some), *names, *limits, *rows)))
    return sum(reply for reply in client.run(commands, timeout, _LOAD) if isinstance(reply, int))


def _generation(store: OnlineStore, client: Client, rows: Sequence[tuple[str, bytes, bytes]], timeout: float) -> bytes:
    published = client.get([store.pointer], timeout)[0]
    if isinstance(published, bytes):
        return published
    as_of = max((moments(row)[0] for _, _, row in rows), default=0)
    name = b"%d-%d" % (time.time_ns(), as_of)
    client.run([(store.pointer, encode(b"SET", store.pointer, name, b"NX"))], timeout)
    found = client.get([store.pointer], timeout)[0]
    return found if isinstance(found, bytes) else name
