"""The state of a live group's keys: blocks for events, and what a state says at any moment."""

import hashlib
from array import array
from collections.abc import Mapping
from datetime import timedelta
from struct import Struct
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.dtypes import Dtype, Value
from mlsd_framework.runtime.features.windows import WindowGroup, as_microseconds, default_of, output_columns
from mlsd_framework.runtime.state import blocks, compaction
from mlsd_framework.runtime.state.events import HEADER, gather
from mlsd_framework.runtime.state.join import at_moment, joined
from mlsd_framework.runtime.state.program import program_of, words_of
from mlsd_framework.runtime.state.values import Parts, readers_of

if TYPE_CHECKING:
    import polars as pl

    from mlsd_framework.runtime.features.compiled import Integers

RETAINED = timedelta(hours=1)
"""Events stay as they are so long beyond all windows: for questions that come late, and for duplicates."""

_FOREVER = 2**63 - 1
_TILE_RECORDS = 512
_HEADER = Struct("<qIIqq")


class StateLayout:
    """How the states of a group are written and read; `dtypes` are the types of its source's key and of its values.

    A state is a run of blocks, so that to add events is to append bytes. Blocks may come in any order and an event
    more than once: what a state says does not change. It says the same as the offline home for moments that are at
    most `RETAINED` (or the allowed lateness, if longer) before the newest event.
    """

    def __init__(self, group: WindowGroup, dtypes: Mapping[str, Dtype]) -> None:
        """Compile the group."""
        self.group = group
        self._words = words_of(group, dtypes)
        self._program = program_of(group, self._words, dtypes)
        self.columns = output_columns(group, {name: dtypes[name] for name in self._words.values})
        self.defaults: tuple[Value, ...] = tuple(default_of(one) for one in group.aggregates for _ in group.windows)
        self._dtypes = tuple(column.dtype for column in self.columns)
        self._readers = readers_of(group, self._words, self._program, self._dtypes)
        self._refresh = as_microseconds(group.refresh) if group.refresh else 0
        self._lifetime = None in group.windows
        slack = max(group.allowed_lateness or timedelta(0), RETAINED)
        longest = max((width for width in group.windows if width is not None), default=timedelta(0))
        self._span = as_microseconds(longest + group.delay + slack) + self._program.resolution + self._refresh
        said = f"mlsd state 1\0{group!r}\0{self._words!r}\0{self._dtypes!r}"
        self._fingerprint = int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "little", signed=True)

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns of its key."""
        return self.group.entity

    @property
    def horizon_us(self) -> int | None:
        """How long after its newest event a state says nothing any more, in microseconds; none with a lifetime."""
        return None if self._lifetime else self._span

    def blocks(self, events: "pl.DataFrame") -> tuple[list[bytes], list[bytes]]:
        """Return the encoded keys of a frame's events, and for each the block that adds its events to a state."""
        from mlsd_framework.runtime.state.encode import encoded  # noqa: PLC0415 - who only reads does without polars

        keys, offsets, table, texts = encoded(events, self.group, self._words, self._program)
        words, ends = blocks.write_all(table, offsets, texts, self._program, self._fingerprint)
        written = words.tobytes()
        begin, made = 0, []
        for end in (ends * 8).tolist():
            made.append(written[begin:end])
            begin = end
        return keys, made

    def finish(self, state: bytes | None, at: int, known: int | None = None) -> tuple[Value, ...]:
        """Return the group's values at `at`, from events written by `known` (`at`, where left out); microseconds UTC.

        Raises `RunError`: a state of another layout (E6213), bytes that are not those written (E6214).
        """
        if not state:
            return self.defaults
        found = self._found(state)
        moment = at - at % self._refresh if self._refresh else at
        content, data = np.frombuffer(state, np.int64), np.frombuffer(state, np.uint8)
        cells, items = at_moment(content, data, found, self._program, moment, at if known is None else known)
        words, reals = cells.tolist(), cells.view(np.float64).tolist()
        end = moment - self._program.delay
        parts = [Parts(words[w], reals[w], moment, end, state, items) for w in range(len(words))]
        return tuple([read(parts[window]) for window, read in self._readers])

    def compact(self, state: bytes) -> bytes:
        """Write a state anew, shorter: in order, each event once, what is too old summed up or left out."""
        found = self._found(state)
        content, data = np.frombuffer(state, np.int64), np.frombuffer(state, np.uint8)
        events = gather(content, data, found, self._program, _FOREVER)
        program = self._program
        newest = int(events.words[0][-1]) if events.words.shape[1] else 0
        if len(events.summaries):
            newest = max(newest, int(events.summaries[:, 1].max()))
        oldest = newest - self._span
        kept = int(np.searchsorted(events.words[0], oldest))
        if program.resolution:
            oldest -= oldest % program.resolution
            kept = int(np.searchsorted(events.words[0], newest - newest % program.resolution))
            kept = events.words.shape[1] if events.words.shape[1] - kept > _TILE_RECORDS else kept
        rows = compaction.plan_rows(events, kept, oldest, program, self._lifetime)
        keys = _remembered(content, found, events.words[1, :kept]) if len(rows) else np.empty(0, np.int64)
        head = compaction.head_words(len(keys), len(rows), program)
        texts = np.zeros(len(content) * len(program.table) if len(rows) else 0, np.int64)
        _, items, _ = joined(events, rows, program, head, texts.view(np.uint8), 0)
        cells, items, used = joined(events, rows, program, head, texts.view(np.uint8), (head + len(items)) * 8)
        return bytes(
            compaction.assemble(
                events, cells, items, texts[: -(-used // 8)], keys, kept, program, self._fingerprint
            ).view(np.uint8)
        )

    def _found(self, state: bytes) -> "Integers":
        # Where the blocks are: offset in words, kind, number of entries. Their sums are checked.
        view, at, found = memoryview(state), 0, array("q")
        while at < len(state):
            if len(state) - at < _HEADER.size:
                raise self._damaged()
            fingerprint, checksum, kind, size, number = _HEADER.unpack_from(state, at)
            if size < _HEADER.size or size % 8 or at + size > len(state):
                raise self._damaged()
            if crc32(view[at + blocks.CHECKED_FROM : at + size]) != checksum:
                raise self._damaged()
            if fingerprint != self._fingerprint:
                raise RunError.of(
                    "E6213",
                    f"the state of a key of `{self.group.name}` was written with another definition of the group",
                    help="rebuild the live features from the log",
                )
            if kind > blocks.SUMMARIES or number < 0 or (kind == blocks.SUMMARIES and at):
                raise self._damaged()
            found.extend((at // 8, kind, number))
            at += size
        return np.frombuffer(found, np.int64).reshape(-1, 3)

    def _damaged(self) -> RunError:
        return RunError.of(
            "E6214",
            f"the state of a key of `{self.group.name}` has bytes that are not those written",
            help="rebuild the live features from the log",
        )


def _remembered(content: "Integers", found: "Integers", folded: "Integers") -> "Integers":
    # The source keys that went into summaries, the newest of them.
    held = content[HEADER + 1 : HEADER + 1 + content[HEADER]] if found[0, 1] == blocks.SUMMARIES else folded[:0]
    return np.concatenate((held, folded))[-compaction.KEPT_KEYS :]
