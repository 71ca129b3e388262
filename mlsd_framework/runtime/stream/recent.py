"""The events of a moment ago, by the source's key: most duplicates come soon, and need not reach a state."""

from collections.abc import Sequence

import polars as pl


class RecentEvents:
    """A bounded memory of 64-bit hashes of keys that are committed; it forgets the older half when it is full.

    What it does not recognise, a state does: it spares work and decides nothing. It must be emptied when the store may
    have lost something, as an event that is remembered here would then be missing there.
    """

    def __init__(self, key: Sequence[str], most: int = 1 << 18) -> None:
        """Take the columns of the key and how many events to remember at most."""
        self._key = list(key)
        self._half = max(most // 2, 1)
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def hashes(self, frame: pl.DataFrame) -> list[int]:
        """Return the hash of each row's key."""
        key = pl.col(self._key[0]) if len(self._key) == 1 else pl.struct(self._key)
        return frame.select(key.hash()).to_series().to_list()

    def is_new(self, hashes: Sequence[int]) -> list[bool] | None:
        """Say for each whether it was neither remembered nor came earlier in the list; None where all are new."""
        newer, older = self._newer, self._older
        if newer.isdisjoint(hashes) and older.isdisjoint(hashes) and len(set(hashes)) == len(hashes):
            return None
        seen: set[int] = set()
        marks = []
        for one in hashes:
            marks.append(one not in newer and one not in older and one not in seen)
            seen.add(one)
        return marks

    def remember(self, hashes: Sequence[int]) -> None:
        """Remember events, once they are committed."""
        self._newer.update(hashes)
        if len(self._newer) > self._half:
            self._older, self._newer = self._newer, set()

    def clear(self) -> None:
        """Forget everything."""
        self._newer, self._older = set(), set()
