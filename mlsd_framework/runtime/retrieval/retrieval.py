"""The stage that retrieves: every source is asked, their answers are merged, and each says what it thinks of them all.

The same object answers one request in the service and thousands where training examples and metrics are made.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Candidates, Column, Mask
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.merge import merge
from mlsd_framework.runtime.retrieval.source import NOTHING, Answer, Source, gathered

if TYPE_CHECKING:
    from mlsd_framework.runtime.retrieval.item_table import Given, Where

_ALIKE: Final = 1e-9
"""Of a score: a spread below it is nothing but rounding."""

_SLICE: Final = 4096  # requests at a time, of which every source keeps what it finds


@dataclass(frozen=True, slots=True)
class Ask:
    """How many items a source is asked for, which is its quota too; `new` asks for items that no history holds.

    `where` is for which items it is asked, all where there is none.
    """

    n: int
    new: bool = False
    where: "Where | None" = None

    def of(self, source: Source, histories: Histories, allowed: Mask | None = None) -> Candidates:
        """Return what the source finds; nothing where no item is allowed."""
        if allowed is not None and not allowed.any():
            return gathered([NOTHING] * histories.requests)
        retrieve = source.retrieve_new if self.new else source.retrieve
        return retrieve(histories, self.n, allowed=allowed)


@dataclass(frozen=True)
class Retrieval:
    """Who is asked for what, and how many candidates come of it; `standardise` adds a column for each source.

    `where` is for which items all of them are asked. Where there are conditions, those who ask tell what is `given`.
    """

    asks: Mapping[str, Ask]
    n: int
    standardise: bool = False
    where: "Where | None" = None

    def found(
        self, sources: Mapping[str, Source], histories: Histories, given: "Given | None" = None
    ) -> dict[str, Candidates]:
        """Return what each source finds, the best first with its `score`."""
        return {name: self._found(ask, sources[name], histories, given) for name, ask in self.asks.items()}

    def asking(
        self, sources: Mapping[str, Source], histories: Histories, given: "Given | None" = None
    ) -> dict[str, Callable[[], Candidates]]:
        """Return for each source the function that asks it, to be called by whoever asks several at once.

        It is of one request. What it is allowed is found out here.
        """
        return {
            name: partial(ask.of, sources[name], histories, self._allowed(ask, given, 0))
            for name, ask in self.asks.items()
        }

    def alone(
        self, sources: Mapping[str, Source], histories: Histories, given: "Given | None" = None
    ) -> dict[str, Candidates]:
        """Return what each source would recommend by itself: what merging has to beat.

        Items of the history are among them, unless every source is asked for new ones.
        """
        new = all(one.new for one in self.asks.values())
        asks = {name: replace(one, n=self.n, new=new) for name, one in self.asks.items()}
        return {name: self._found(ask, sources[name], histories, given) for name, ask in asks.items()}

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

    def candidates(
        self, sources: Mapping[str, Source], histories: Histories, given: "Given | None" = None
    ) -> Candidates:
        """Ask every source, one after another, and merge."""
        return self.merged(sources, self.found(sources, histories, given), histories)

    def _conditions(self, ask: Ask) -> "list[Where]":
        return [one for one in (self.where, ask.where) if one is not None]

    def _allowed(self, ask: Ask, given: "Given | None", request: int) -> Mask | None:
        conditions = self._conditions(ask)
        if not conditions:
            return None
        if given is None:
            raise ValueError("there is a condition, and nothing is given of what it is about")
        return given.allowed(conditions, request)

    def _found(self, ask: Ask, source: Source, histories: Histories, given: "Given | None") -> Candidates:
        """Ask for the requests that are allowed the same items at once."""
        conditions = self._conditions(ask)
        if not conditions or given is None or not histories.requests:
            return ask.of(source, histories, self._allowed(ask, given, 0) if histories.requests else None)
        parts = given.alike(conditions, histories.requests)
        if len(parts) == 1:
            return ask.of(source, histories, self._allowed(ask, given, 0))
        answers: list[Answer] = [NOTHING] * histories.requests
        for part in parts:
            found = ask.of(source, histories.taken(part), self._allowed(ask, given, int(part[0])))
            scores = found.columns["score"]
            for place, request in enumerate(part.tolist()):
                rows = slice(found.offsets[place], found.offsets[place + 1])
                answers[request] = found.items[rows], scores[rows]
        return gathered(answers)

    def of_shown(
        self, sources: Mapping[str, Source], shown: Candidates, histories: Histories, given: "Given | None" = None
    ) -> Candidates:
        """Return candidates that came from elsewhere, such as a log of what was shown, with the columns of `merged`.

        A score is what the source says of the item. A rank is the place of the item among what the source finds for
        this history when it is asked as here, NaN where it does not find it. A standardised score is by the mean and
        the deviation of the candidates that would be merged, so that each column means what it means of these.
        """
        parts = [
            self._said(
                sources,
                shown.between(first, last),
                histories.between(first, last),
                None if given is None else given.between(first, last),
            )
            for first in range(0, shown.requests, _SLICE)
            for last in [min(first + _SLICE, shown.requests)]
        ]
        names = parts[0] if parts else self._said(sources, shown, histories, given)
        columns = {name: np.concatenate([one[name] for one in parts or [names]]) for name in names}
        return Candidates(shown.offsets, shown.items, columns)

    def _said(
        self, sources: Mapping[str, Source], shown: Candidates, histories: Histories, given: "Given | None"
    ) -> dict[str, NDArray[np.float64]]:
        found = self.found(sources, histories, given)
        merged = self.merged(sources, found, histories) if self.standardise else None
        columns = {}
        for name in self.asks:
            scores = sources[name].score(histories, shown).astype(np.float64)
            columns[f"candidates.{name}_score"] = scores
            columns[f"candidates.{name}_rank"] = _ranks(shown, found[name])
            if merged is not None:
                among = (merged, merged.columns[f"candidates.{name}_score"])
                columns[f"candidates.{name}_z"] = standardised(shown, scores, among)
        return columns

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


def _ranks(shown: Candidates, found: Candidates) -> NDArray[np.float64]:
    """Return the place of each row of `shown` among what was found for the same request, from 0; NaN for none."""
    wide = int(max(shown.items.max(initial=0), found.items.max(initial=0))) + 1
    wanted, keys = (one.request_of * wide + one.items for one in (shown, found))
    order = np.argsort(keys)
    at = np.searchsorted(keys, wanted, sorter=order)
    rows = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros(len(wanted), np.int64)
    there = keys[rows] == wanted if len(order) else np.zeros(len(wanted), np.bool_)
    ranks = np.full(len(wanted), np.nan)
    ranks[there] = found.place_of[rows[there]]
    return ranks


def standardised(
    candidates: Candidates,
    scores: NDArray[np.float64],
    among: tuple[Candidates, NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Return by how many standard deviations each score is above the mean of its request's: [rows].

    Scores that are NaN stay so and do not count; where all of a request are alike, each is 0. Mean and deviation are
    those of `among`, other candidates of the same requests with their scores, where these are given.
    """
    judged, known = (candidates, scores) if among is None else among
    there = np.isfinite(known)
    said, of = known[there], judged.request_of[there]
    count = np.maximum(np.bincount(of, minlength=judged.requests), 1)
    mean = np.bincount(of, said, judged.requests) / count
    spread = np.sqrt(np.bincount(of, (said - mean[of]) ** 2, judged.requests) / count)
    found = np.full(len(scores), np.nan)
    there = np.isfinite(scores)
    said, of = scores[there], candidates.request_of[there]
    off = said - mean[of]
    found[there] = np.divide(off, spread[of], out=np.zeros_like(off), where=spread[of] > _ALIKE * np.abs(said))
    return found
