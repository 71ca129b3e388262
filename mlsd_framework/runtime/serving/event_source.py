"""A source whose events a service takes: the type of one, its stream, and telling good ones from bad ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec

from mlsd_framework.runtime.serving.validation import Fault, MalformedError, UnfitError, explain

_EXPLAINED = 100  # events: finding all that is wrong with one takes long, and nobody reads more
_SEVERAL = b"["
_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a body holds: good events, each with its place, its key and its JSON; faults of the others."""

    events: Sequence[tuple[int, bytes, bytes]]
    faults: Sequence[Fault]
    number: int


@dataclass(slots=True)
class EventSource:
    """A path, the type of an event, a real example, and the stream that events are added to.

    Events that are equal in the fields `by` stay in order: they go to one partition.
    """

    path: str
    source: str
    event: type[msgspec.Struct]
    stream: str
    partitions: int
    by: tuple[str, ...]
    example: Mapping[str, Any]
    _decoder: msgspec.json.Decoder[Any] = field(init=False)
    _key: Callable[[Any], object] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the decoder."""
        self._decoder = msgspec.json.Decoder(self.event)
        self._key = attrgetter(*self.by)

    def read(self, body: bytes, depth: int) -> Sent:
        """Tell good events of a body from bad ones; the body is one event or a list. Raises `MalformedError`."""
        several = body.lstrip(_SPACE)[:1] == _SEVERAL
        raws = _raws(body, depth) if several else [body]
        events: list[tuple[int, bytes, bytes]] = []
        faults: list[Fault] = []
        bad = 0
        for at, raw in enumerate(raws):
            content = bytes(raw)
            try:
                event = self._decoder.decode(content)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
                bad += 1
                if bad <= _EXPLAINED:
                    faults += self._faults(content, depth, f"[{at}]" if several else "")
            else:
                events.append((at, repr(self._key(event)).encode(), content))
        return Sent(events, faults, len(raws))

    def _faults(self, content: bytes, depth: int, place: str) -> list[Fault]:
        try:
            explain(content, self.event, depth)
        except UnfitError as unfit:
            return [msgspec.structs.replace(fault, path=_below(place, fault.path)) for fault in unfit.faults]
        except MalformedError as fault:
            if not place:
                raise
            return [Fault(path=place, expected="an event", got=str(fault))]
        return []


def _raws(body: bytes, depth: int) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        explain(body, list[object], depth)
        raise MalformedError("the body is not JSON") from None


def _below(place: str, path: str) -> str:
    if not place or path == "$":
        return place or path
    return f"{place}{path}" if path.startswith("[") else f"{place}.{path}"
