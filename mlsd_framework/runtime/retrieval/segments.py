"""Popularity by segment: what those like the asking user deal with most, such as of one age."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Mask, offsets_of
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.source import FileSource


@dataclass(frozen=True)
class SegmentPopularity(FileSource):
    """The lists of `Popularity`, a row a segment and one of all; `texts` are the segments' values, cut by `ends`.

    `column` is what histories call the value of who asks. A value that was not there, and null, gets the list of all.
    """

    KIND: ClassVar = "popularity-by-segment"
    ARRAYS: ClassVar = {
        "items": (np.int32, 2), "scores": (np.float64, 2), "texts": (np.uint8, 1), "ends": (np.int64, 1),
    }  # fmt: skip
    SETTINGS: ClassVar = {"column": str}

    items: Codes
    scores: NDArray[np.float64]
    texts: NDArray[np.uint8]
    ends: NDArray[np.int64]
    column: str

    @classmethod
    def fit(
        cls,
        log: Interactions,
        values: Sequence[object],
        column: str,
        *,
        window: int = 0,
        half_life: int = 0,
        shrinkage: float = 100.0,
        keep: int = 1000,
    ) -> Self:
        """Count the events by the value of their user, one for each user of the log in the order of codes.

        All else is as `Popularity.fit` has it.
        """
        known = sorted({_text(one) for one in values if one is not None})
        place = {text: code for code, text in enumerate(known)}
        segment_of = np.array([-1 if one is None else place[_text(one)] for one in values], np.int64)
        counted = Popularity.fit(
            log,
            window=window,
            half_life=half_life,
            segments=segment_of[log.users],
            shrinkage=shrinkage,
            keep=keep,
        )
        rows = np.arange(len(counted.items))
        # A segment without events of its own has no row between those of others and that of all.
        missing = len(known) + 1 - len(rows)
        order = np.concatenate([rows[:-1], np.full(missing, rows[-1]), rows[-1:]])
        encoded = [text.encode() for text in known]
        ends = offsets_of(np.array([len(one) for one in encoded], np.int64))
        texts = np.frombuffer(b"".join(encoded), np.uint8)
        return cls(counted.items[order], counted.scores[order], texts, ends, column)

    def retrieve(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` most popular items of each request's segment with their `score`."""
        return self._lists().retrieve(histories, n, self._segments(histories), allowed=allowed)

    def score(self, histories: Histories, candidates: Candidates) -> NDArray[np.float64]:
        """Return the score of each candidate, whoever found it: [rows]; NaN where it is not among the kept."""
        return self._lists().score(histories, candidates, self._segments(histories))

    def fault(self) -> str | None:
        """Check shapes and values."""
        segments = len(self.ends) - 1
        if len(self.items) != segments + 1:
            return f"`items` are of {len(self.items) - 1} segments, and there are {segments}"
        if (
            not len(self.ends)
            or self.ends[0] != 0
            or self.ends[-1] != len(self.texts)
            or (np.diff(self.ends) < 0).any()
        ):
            return "`ends` do not cut `texts`"
        return self._lists().fault()

    def _lists(self) -> Popularity:
        return Popularity(self.items, self.scores)

    def _segments(self, histories: Histories) -> NDArray[np.int64]:
        column = histories.columns.get(self.column)
        if column is None:
            return np.full(histories.requests, -1, np.int64)
        content, ends = self.texts.tobytes(), self.ends.tolist()
        cut = enumerate(pairwise(ends))
        place = {content[first:last].decode(): code for code, (first, last) in cut}
        return np.array([-1 if _null(one) else place.get(_text(one), -1) for one in column.tolist()], np.int64)


def _null(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float | bool) and value == int(value) else str(value)
