"""When idle states may go: each has an expiry, set anew now and then rather than with every event."""

import time
from collections.abc import Iterable, Mapping, Sequence

_SHARE = 8  # a state's expiry is renewed when an eighth of its idle time has passed, or two
_MOST = 1 << 19  # states remembered


class Expiries:
    """The states of one group whose expiry was set in this period.

    What is remembered may be wrong after the store lost something or evicted a state: `forget` it then, and `renewed`
    finds states that begin anew.
    """

    def __init__(self, idle_ms: int | None) -> None:
        """Keep states for at least `idle_ms` after their last event; None: for ever."""
        self.lifetime_ms = None if idle_ms is None else idle_ms + 2 * (idle_ms // _SHARE)
        self._period = 0.0 if idle_ms is None else idle_ms / 1000 / _SHARE
        self._fresh: set[bytes] = set()
        self._until = 0.0

    def due(self, keys: Iterable[bytes]) -> Sequence[bytes]:
        """Return those whose expiry has to be set with this change."""
        if self.lifetime_ms is None:
            return ()
        now = time.monotonic()
        if now > self._until or len(self._fresh) > _MOST:
            self._fresh.clear()
            self._until = now + self._period
        fresh = self._fresh
        return [key for key in keys if key not in fresh]

    def done(self, due: Sequence[bytes]) -> None:
        """Note that the expiry of these was set."""
        self._fresh.update(due)

    def begun(self, blocks: Mapping[bytes, bytes], lengths: Sequence[int], due: Sequence[bytes]) -> list[bytes]:
        """Return states that began with this change though they were thought to have an expiry."""
        if self.lifetime_ms is None or len(due) == len(blocks):
            return []
        new = [key for (key, block), length in zip(blocks.items(), lengths, strict=True) if length == len(block)]
        known = set(due) if new else ()
        return [key for key in new if key not in known]

    def forget(self) -> None:
        """Forget everything."""
        self._fresh.clear()
