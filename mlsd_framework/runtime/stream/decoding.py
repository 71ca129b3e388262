"""From payloads to a frame with the source's schema: a whole micro-batch at once, bad events told apart one by one."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter
from typing import Any, Self

import msgspec
import polars as pl

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.data.types import converted, dtype
from mlsd_framework.runtime.stream.event_type import event_columns, event_type
from mlsd_framework.runtime.stream.live import LiveSource
from mlsd_framework.runtime.stream.rejection import Reason, Rejected, fault_of
from mlsd_framework.runtime.stream.source import Chunk

KEY_BYTES = 64 << 10
PAYLOAD_BYTES = 1 << 20
_LEARNED = 64  # unknown fields that cost nothing more once they are known
_OTHERS = "(others)"  # those seen after that many
_OPEN = ord("[")
_TIMES = ("timestamp", "date", "duration")
_LISTS_OF_TIMES = tuple(f"list<{kind}>" for kind in _TIMES)

_Place = tuple[Chunk, int]
_Fault = tuple[Reason, str, pl.Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRules:
    """What an event has to keep to, beside the schema.

    `key_columns` may together have at most `key_bytes`, a payload `payload_bytes`; the event time may be at most
    `future` later than the ingest time, or where a source has none than the clock.
    """

    key_columns: tuple[str, ...] = ()
    ingest_time: str | None = None
    future: timedelta = timedelta(minutes=5)
    key_bytes: int = KEY_BYTES
    payload_bytes: int = PAYLOAD_BYTES


@dataclass(slots=True)
class Decoded:
    """What a micro-batch holds: a frame of its good events in order, and its bad ones.

    `origins` says for each row which payload it came from, as an index over all chunks. `unknown` counts fields that
    the schema does not have.
    """

    frame: pl.DataFrame
    origins: Sequence[int]
    rejected: list[Rejected] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)


class _Places:
    """Where payloads are, counted over all chunks: looked up for those that are rejected."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = chunks

    def __getitem__(self, at: int) -> _Place:
        for chunk in self._chunks:
            if at < len(chunk.payloads):
                return chunk, at
            at -= len(chunk.payloads)
        raise IndexError(at)


class Decoder:
    """Decodes the events of one source; it learns fields that producers add, so that they slow nothing down."""

    def __init__(self, table: SourceTable, rules: EventRules) -> None:
        """Refuse a schema whose events cannot be told apart or placed in time (E6601)."""
        self.columns = event_columns(table)
        self._table = table
        self._rules = rules
        self._unknown: tuple[str, ...] = ()
        known = {column.name for column in self.columns}
        if table.event_time not in known:
            raise _unsuitable(table, "has no event time among its columns", "`event_time`, a timestamp of each event")
        if not table.key or not set(table.key) <= known:
            raise _unsuitable(table, "has no key among its columns", "`key`: what makes an event the same one again")
        if any(column.type in _LISTS_OF_TIMES for column in self.columns):
            raise _unsuitable(table, "has a list of times among its columns", "lists of numbers, texts or booleans")
        self._empty = pl.DataFrame(schema={column.name: dtype(column.type) for column in self.columns})
        self._learn()

    @classmethod
    def of(cls, live: LiveSource) -> Self:
        """Make the decoder of a live source, whoever feeds its states."""
        return cls(
            live.table, EventRules(key_columns=live.key_columns, ingest_time=live.ingest_time, future=live.future)
        )

    def decode(self, chunks: Sequence[Chunk]) -> Decoded:
        """Decode the payloads of all chunks, in order."""
        places = _Places(chunks)
        payloads = [payload for chunk in chunks for payload in chunk.payloads]
        result = Decoded(self._empty, ())
        events, origins = self._events(payloads, places, result)
        self._count_unknown(events, result)
        if events:
            result.frame, unread = self._frame(events)
            result.origins = origins
            self._check(result, unread, places)
        return result

    def _events(self, payloads: list[bytes], places: _Places, result: Decoded) -> tuple[list[Any], Sequence[int]]:
        limit = self._rules.payload_bytes
        if payloads and payloads[0][:1] != b"[" and max(map(len, payloads)) <= limit:
            try:
                # One by one: of payloads joined together two broken ones could make a whole one.
                return list(map(self._one.decode, payloads)), range(len(payloads))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
        events: list[Any] = []
        origins: list[int] = []
        for at, payload in enumerate(payloads):
            found = self._slowly(payload, places[at], result)
            events += found
            origins += [at] * len(found)
        return events, origins

    def _slowly(self, payload: bytes, place: _Place, result: Decoded) -> list[Any]:
        if len(payload) > self._rules.payload_bytes:
            self._reject(result, place, "size", f"the payload has {len(payload)} bytes", payload)
            return []
        try:
            return self._several.decode(payload) if payload[:1] == b"[" else [self._one.decode(payload)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return list(self._one_by_one(payload, place, result))

    def _one_by_one(self, payload: bytes, place: _Place, result: Decoded) -> Iterator[Any]:
        try:
            value = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            self._reject(result, place, "json", f"{fault}" if payload else "the payload is empty", payload)
            return
        several = isinstance(value, list)
        for event in value if several else [value]:
            found = fault_of(event, self.columns)
            if found:
                self._reject(result, place, *found, msgspec.json.encode(event) if several else payload)
                continue
            added = [name for name in event if name not in self._names]
            learned = [name for name in added if name not in self._unknown][: _LEARNED - len(self._unknown)]
            if learned:
                self._unknown += tuple(learned)
                self._learn()
            for name in added:
                if name not in self._unknown:
                    result.unknown[_OTHERS] += 1
                    del event[name]
            yield msgspec.convert(event, self._type)

    def _learn(self) -> None:
        self._names = {column.in_file for column in self.columns}
        self._type = event_type(self._table, self._unknown)
        self._one = msgspec.json.Decoder(self._type)
        self._several = msgspec.json.Decoder(list[self._type])  # type: ignore[name-defined] # a type made at run time

    def _count_unknown(self, events: Sequence[Any], result: Decoded) -> None:
        for at, name in enumerate(self._unknown):
            # An event decoded before the field was learned does not have it.
            number = sum(getattr(event, f"u{at}", msgspec.UNSET) is not msgspec.UNSET for event in events)
            if number:
                result.unknown[name] += number

    def _frame(self, events: Sequence[Any]) -> tuple[pl.DataFrame, list[_Fault]]:
        """Return the frame, and for each column of times in which some cannot be read which rows these are."""
        read = pl.DataFrame([_series(column, at, events) for at, column in enumerate(self.columns)])
        times = [column for column in self.columns if column.type in _TIMES]
        frame = read.with_columns(converted(column, read.schema[column.name]).alias(column.name) for column in times)
        unread: list[_Fault] = []
        for column in times:
            if frame.get_column(column.name).null_count():
                given = [getattr(event, f"c{self.columns.index(column)}") is not None for event in events]
                mask = pl.col(column.name).is_null() & pl.lit(pl.Series(given))
                unread.append(("type", f"`{column.in_file}` is not a time", mask))
        return frame, unread

    def _check(self, result: Decoded, faults: list[_Fault], places: _Places) -> None:
        """Reject rows whose fault shows in columns: times that are none, keys too long, events from the future."""
        frame, rules = result.frame, self._rules
        time_name = str(self._table.event_time)
        texts = [name for name in rules.key_columns if frame.schema[name] == pl.String]
        if sum(_longest(frame.get_column(name)) for name in texts) > rules.key_bytes:
            length = pl.sum_horizontal(pl.col(name).str.len_bytes() for name in texts)
            faults.append(("key_size", f"its key has more than {rules.key_bytes} bytes", length > rules.key_bytes))
        allowed, now = rules.future // timedelta(microseconds=1), time.time_ns() // 1000
        happened = frame.get_column(time_name).to_physical()
        came = frame.get_column(rules.ingest_time).to_physical() if rules.ingest_time else now
        is_future = happened > came + allowed
        if is_future.any():
            faults.append(("future", f"`{time_name}` is in the future", pl.lit(is_future)))
        if not faults:
            return
        broken = frame.select(broken.fill_null(value=False).alias(f"{at}") for at, (_, _, broken) in enumerate(faults))
        bad = broken.select(pl.any_horizontal(pl.all())).to_series()
        if not bad.any():
            return
        first = broken.select(pl.concat_list(pl.all()).list.arg_max()).to_series()
        for row in bad.arg_true():
            reason, detail, _ = faults[first[row]]
            place = places[result.origins[row]]
            self._reject(result, place, reason, detail, place[0].payloads[place[1]])
        result.frame = frame.filter(~bad)
        result.origins = [origin for origin, one in zip(result.origins, bad, strict=True) if not one]

    def _reject(self, result: Decoded, place: _Place, reason: Reason, detail: str, payload: bytes) -> None:
        chunk, at = place
        result.rejected.append(Rejected(chunk.partition, chunk.positions[at], reason, detail, payload))


def _series(column: Column, at: int, events: Sequence[Any]) -> pl.Series:
    values = list(map(attrgetter(f"c{at}"), events))
    if column.type not in _TIMES:
        return pl.Series(column.name, values, dtype=dtype(column.type), strict=True)
    if column.type == "duration" or column.time_format not in (None, "iso"):
        whole = all(type(value) is int for value in values if value is not None)
        return pl.Series(column.name, values, dtype=pl.Int64 if whole else pl.Float64, strict=False)
    return pl.Series(column.name, values, dtype=pl.String)


def _longest(texts: pl.Series) -> int:
    longest = texts.str.len_bytes().max()
    return longest if isinstance(longest, int) else 0


def _unsuitable(table: SourceTable, what: str, expected: str) -> RunError:
    return RunError.of("E6601", f"source `{table.name}` {what}, and its stream cannot be read", expected=expected)
