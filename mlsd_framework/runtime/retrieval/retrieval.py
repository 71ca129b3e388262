"""The stage that retrieves: every source is asked, their answers are merged, and each says what it thinks of them all.

The same object answers one request in the service and thousands where training examples and metrics are made.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Candidates, Column
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.merge import merge
from mlsd_framework.runtime.retrieval.source import Source

_ALIKE: Final = 1e-9
"""Of a score: a spread below it is nothing but rounding."""


@dataclass(frozen=True, slots=True)
class Ask:
    """How many items a source is asked for, which is its quota too; `new` asks for items that no history holds."""

    n: int
    new: bool = False

    def of(self, source: Source, histories: Histories) -> Candidates:
        """Return what the source finds."""
        return source.retrieve_new(histories, self.n) if self.new else source.retrieve(histories, self.n)


@dataclass(frozen=True)
class Retrieval:
    """Who is asked for what, and how many candidates come of it; `standardise` adds a column for each source."""

    asks: Mapping[str, Ask]
    n: int
    standardise: bool = False

    def found(self, sources: Mapping[str, Source], histories: Histories) -> dict[str, Candidates]:
        """Return what each source finds, the best first with its `score`."""
        return {name: ask.of(sources[name], histories) for name, ask in self.asks.items()}

    def asking(self, sources: Mapping[str, Source], histories: Histories) -> dict[str, Callable[[], Candidates]]:
        """Return for each source the function that asks it, to be called by whoever asks several at once."""
        return {name: partial(ask.of, sources[name], histories) for name, ask in self.asks.items()}

    def alone(self, sources: Mapping[str, Source], histories: Histories) -> dict[str, Candidates]:
        """Return what each source would recommend by itself: what merging has to beat.

        Items of the history are among them, unless every source is asked for new ones.
        """
        ask = Ask(self.n, new=all(one.new for one in self.asks.values()))
        return {name: ask.of(sources[name], histories) for name in self.asks}

    def merged(
        self, sources: Mapping[str, Source], found: Mapping[str, Candidates], histories: Histories
    ) -> Candidates:
        """Return the candidates of what was found, each source in its turn.

        For each source there are the columns `candidates.<source>_score`, what it says of the candidate whoever found
        it, and `candidates.<source>_rank`, from 0: NaN where it says nothing, or is not among `found`. With
        `standardise` there is `candidates.<source>_z` too, the score as `standardised` has it.
        """
        if not found:
            merged = Candidates(np.zeros(histories.requests + 1, np.int64), np.empty(0, np.int32))
        else:
            merged = merge(found, {name: self.asks[name].n for name in found}, self.n)
        return Candidates(merged.offsets, merged.items, dict(self._columns(sources, merged, histories)))

    def candidates(self, sources: Mapping[str, Source], histories: Histories) -> Candidates:
        """Ask every source, one after another, and merge."""
        return self.merged(sources, self.found(sources, histories), histories)

    def _columns(
        self, sources: Mapping[str, Source], merged: Candidates, histories: Histories
    ) -> Iterator[tuple[str, Column]]:
        missing = np.full(len(merged.items), np.nan)
        for name in self.asks:
            there = f"{name}.rank" in merged.columns
            scores = sources[name].score(histories, merged).astype(np.float64) if there else missing
            yield f"candidates.{name}_score", scores
            yield f"candidates.{name}_rank", merged.columns[f"{name}.rank"] if there else missing
            if self.standardise:
                yield f"candidates.{name}_z", standardised(merged, scores)


def standardised(candidates: Candidates, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how many standard deviations each score is above the mean of its request's: [rows].

    Scores that are NaN stay so and do not count; where all of a request are alike, each is 0.
    """
    request_of = candidates.request_of
    there = np.isfinite(scores)
    said, of = scores[there], request_of[there]
    count = np.maximum(np.bincount(of, minlength=candidates.requests), 1)
    off = said - (np.bincount(of, said, candidates.requests) / count)[of]
    spread = np.sqrt(np.bincount(of, off**2, candidates.requests) / count)[of]
    found = np.full(len(scores), np.nan)
    found[there] = np.divide(off, spread, out=np.zeros_like(off), where=spread > _ALIKE * np.abs(said))
    return found
