"""Keeping states short: one that has outgrown twice its last compacted size is written anew, in one block.

A compaction is a compare-and-set of its own, beside the transactions of events: where an event comes between, the
state is left for another time. Each round does a bounded amount of work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.resp import encode_many
from mlsd_framework.runtime.stream.live import StateFormat
from mlsd_framework.runtime.stream.live_store import LiveStore

_BOUND = 1 << 18  # sizes remembered; a state whose size is forgotten is compacted once more


@dataclass(frozen=True, slots=True)
class CompactionBounds:
    """A state is compacted from `least` bytes on; a round takes `states` of them and `octets` in all, about."""

    least: int = 1024
    states: int = 64
    octets: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a round did."""

    done: int = 0
    changed: int = 0
    unreadable: int = 0


class Compaction:
    """The states that have grown, and the size that each had when it was last compacted."""

    def __init__(self, bounds: CompactionBounds = CompactionBounds()) -> None:
        """Know of none."""
        self._bounds = bounds
        self._sizes: dict[bytes, int] = {}
        self._grown: dict[bytes, tuple[StateFormat, int]] = {}

    def grew(self, layout: StateFormat, prefix: bytes, keys: Sequence[bytes], lengths: Sequence[int]) -> None:
        """Learn the lengths of states after an append."""
        least, sizes = self._bounds.least, self._sizes
        if max(lengths, default=0) < least:
            return
        for key, length in zip(keys, lengths, strict=True):
            if length >= least:
                name = prefix + key
                if length > 2 * sizes.get(name, least // 2):
                    self._grown[name] = (layout, length)

    def forget(self) -> None:
        """Forget what has grown, as when the generation changes."""
        self._grown.clear()
        self._sizes.clear()

    @property
    def is_due(self) -> bool:
        """Whether a state has grown."""
        return bool(self._grown)

    def run(self, store: LiveStore, share: float = 1.0) -> Compacted:
        """Compact some of the states that have grown, or a `share` of as many; raises StoreError."""
        taken = self._taken(share)
        if not taken:
            return Compacted()
        names = list(taken)
        found = store.exchange((b"WATCH", *names), (b"MGET", *names))[1]
        states = found if isinstance(found, list) else []
        commands: list[tuple[bytes, ...]] = []
        sizes: dict[bytes, int] = {}
        unreadable = 0
        for name, state in zip(names, states, strict=True):
            if not isinstance(state, bytes):
                continue  # gone, or no string
            try:
                compacted = taken[name].compact(state)
            except RunError:
                # What it was is for the reader to say; here it is left as it is, and not looked at again for a while.
                unreadable += 1
                sizes[name] = len(state)
                continue
            sizes[name] = len(compacted)
            if len(compacted) < len(state):
                commands.append((b"SET", name, compacted, b"KEEPTTL"))
        if not commands:
            store.exchange((b"UNWATCH",))
        elif store.transact([encode_many(commands)], len(commands)) is None:
            return Compacted(changed=len(names))  # they come again with the append that came between
        self._remember(sizes)
        return Compacted(done=len(commands), unreadable=unreadable)

    def _taken(self, share: float) -> dict[bytes, StateFormat]:
        taken: dict[bytes, StateFormat] = {}
        octets = 0
        states, most = max(self._bounds.states * share, 1), self._bounds.octets * share
        while self._grown and len(taken) < states and octets < most:
            name, (layout, length) = self._grown.popitem()
            taken[name] = layout
            octets += length
        return taken

    def _remember(self, sizes: dict[bytes, int]) -> None:
        self._sizes.update(sizes)
        while len(self._sizes) > _BOUND:
            del self._sizes[next(iter(self._sizes))]
