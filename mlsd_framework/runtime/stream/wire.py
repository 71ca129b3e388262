"""A connection that knows the two replies an updater lives on: entries of streams, and lengths from a transaction."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlsd_framework.runtime.features.resp import Connection, Reply, StoreError

# An entry that has one field `e` is eight lines: a pair, the id's length and itself, a pair of fields, the name's
# length and itself, the content's length and itself.
_LINES = 8
_SAME = ((0, b"*2"), (3, b"*2"), (4, b"$1"), (5, b"e"))
_FIELD = b"e"
_SHORT = [b"$%d" % length for length in range(2048)]
_SENT = 1 << 20
_PART = 1 << 18  # much comes at once here
_LENGTHS = re.compile(rb"(?::\d+\r\n)+")


@dataclass(slots=True)
class Entries:
    """Entries of one stream: their ids, and the content of the field `e`, None where an entry has none."""

    stream: bytes
    ids: list[bytes] = field(default_factory=list)
    contents: list[bytes | None] = field(default_factory=list)


class StreamConnection(Connection):
    """A connection of the updater's; as its parent, used by one thread and thrown away after any failure."""

    def _connect(self, timeout: float) -> socket.socket:
        opened = super()._connect(timeout)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT)  # a transaction goes out in one piece
        return opened

    def read_entries(self, command: bytes, timeout: float) -> list[Entries]:
        """Send an encoded XREAD and return what it found; an error reply is raised (E6225)."""
        self.send(command, timeout)
        try:
            line = self._line()
            if line[:1] != b"*":
                raise self._refusal(line)
            return [self._entries() for _ in range(int(line[1:]))] if line != b"*-1" else []
        except (TimeoutError, BlockingIOError):
            raise self._late(timeout) from None
        except (OSError, ValueError) as error:
            raise self._broken(error) from error

    def transact(self, payload: bytes, commands: int, timeout: float) -> list[Reply] | None:
        """Send MULTI, so many encoded commands and EXEC; return the replies, None where a watched name has changed.

        Where the store refuses a command, nothing is done and its first refusal is raised (E6225).
        """
        self.send(payload, timeout)
        try:
            self._queued(commands)
            line = self._line()
            if line == b"*-1":
                return None
            if line[:1] != b"*":
                raise self._refusal(line)
            return self._results(int(line[1:]))
        except (TimeoutError, BlockingIOError):
            raise self._late(timeout) from None
        except (OSError, ValueError) as error:
            raise self._broken(error) from error

    def _fill(self, wanted: int) -> None:
        super()._fill(max(wanted, _PART))

    def _entries(self) -> Entries:
        self._line()  # a pair
        found = Entries(self._bytes())
        number = int(self._line()[1:])
        while len(found.ids) < number:
            if self._many(found, number):
                continue
            # Not one whole entry is here yet, or it has other fields.
            name, content = _of_fields(self._reply())
            found.ids.append(name)
            found.contents.append(content)
        return found

    def _many(self, found: Entries, number: int) -> bool:
        """Take the whole entries of one field `e` that lie ahead, without looking at each; return whether any did."""
        lines = self._buffer[self._at :].split(b"\r\n")
        whole = min((len(lines) - 1) // _LINES, number - len(found.ids))
        if whole <= 0:
            return False
        rest = lines[whole * _LINES :]
        del lines[whole * _LINES :]
        contents = lines[7::_LINES]
        lengths = list(map(len, contents))
        # A content may hold a line's end itself: its length then tells, and the entries are taken one by one.
        if any(lines[at::_LINES] != [line] * whole for at, line in _SAME) or _told(lengths) != lines[6::_LINES]:
            return False
        found.ids += lines[2::_LINES]
        found.contents += contents
        self._at = len(self._buffer) - sum(map(len, rest)) - 2 * (len(rest) - 1)
        return True

    def _bytes(self) -> bytes:
        reply = self._reply()
        if not isinstance(reply, bytes):
            raise ValueError("a name is missing from the reply")  # noqa: TRY004 - the peer's fault, as other replies
        return reply

    def _queued(self, commands: int) -> None:
        expected = b"+OK\r\n" + b"+QUEUED\r\n" * commands
        while len(self._buffer) - self._at < len(expected):
            if not expected.startswith(self._buffer[self._at :]):
                break
            self._fill(0)
        if self._buffer.startswith(expected, self._at):
            self._at += len(expected)
            return
        refusals = [reply for reply in (self._reply() for _ in range(commands + 1)) if isinstance(reply, StoreError)]
        if refusals:
            self._line()  # EXECABORT says no more
            raise refusals[0]

    def _results(self, number: int) -> list[Reply]:
        found: list[Reply] = []
        while len(found) < number:
            run = _LENGTHS.match(self._buffer, self._at)
            if run is None:
                found.append(self._reply())
                continue
            # Lengths come in long runs; what follows a run is no part of it, for it would begin with a colon.
            self._at = run.end()
            found += map(int, run[0][1:-2].split(b"\r\n:"))
        return found

    def _refusal(self, line: bytes) -> StoreError:
        self._buffer, self._at = line + b"\r\n" + self._buffer[self._at :], 0
        reply = self._reply()
        if isinstance(reply, StoreError):
            return reply
        raise ValueError("the reply is not of the kind that was asked for")


def _told(lengths: list[int]) -> list[bytes]:
    """Return lengths as the protocol tells them."""
    if max(lengths) < len(_SHORT):
        return [_SHORT[length] for length in lengths]
    return [b"$%d" % length for length in lengths]


def _of_fields(entry: Reply) -> tuple[bytes, bytes | None]:
    match entry:
        case [bytes(name), list(fields)]:
            return name, _field(fields)
        case [bytes(name), None]:  # an entry that was deleted
            return name, None
    raise ValueError("an entry of a stream is not a pair")


def _field(fields: Sequence[Reply]) -> bytes | None:
    for name, content in zip(fields[::2], fields[1::2], strict=True):
        if name == _FIELD and isinstance(content, bytes):
            return content
    return None
