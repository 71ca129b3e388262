"""What a source of candidates is: fitted on a log, saved and loaded, it answers histories with candidates.

A source works from the histories it is given and never from who asks: a new event changes the next answer, and a new
user needs no new model. Many requests are answered one after another by what answers one, so values are the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.features.compiled import compiled
from mlsd_framework.runtime.retrieval.best import best
from mlsd_framework.runtime.retrieval.candidates import Candidates, Codes, Mask, Offsets, offsets_of
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.profile import AMOUNTS, Amount, Weighting
from mlsd_framework.runtime.retrieval.source_file import Setting, Shape, inconsistent, read_source, write_source

Scores = NDArray[np.floating]
Answer = tuple[Codes, NDArray[np.float64]]
"""The items of one request, best first, and their scores."""

_Made = TypeVar("_Made")

NOTHING: Answer = (np.empty(0, np.int32), np.empty(0, np.float64))


class Source(ABC):
    """What finds candidates."""

    @abstractmethod
    def retrieve(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` best items of each request, best first, with their `score`; those that are allowed alone."""

    @abstractmethod
    def score(self, histories: Histories, candidates: Candidates) -> NDArray[np.float64]:
        """Return the score of each candidate, whoever found it: [rows]; NaN where there is none."""

    def retrieve_new(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` best items of each request that its history does not hold; those that are allowed alone."""
        longest = int(np.diff(histories.offsets).max(initial=0))
        return unseen(self.retrieve(histories, n + longest, allowed=allowed), histories).top(n)

    def once(self, histories: Histories, make: Callable[[], _Made]) -> _Made:
        """Return what `make` computes of the histories, for one request once: `retrieve` and `score` both need it.

        What is kept must not change. That of many requests is not kept, since it may be large.
        """
        if histories.requests != 1:
            return make()
        # Kept with the source, so that no other source can come to have its id meanwhile.
        return histories.kept(id(self), lambda: (self, make()))[1]


class FileSource(Source):
    """A frozen dataclass whose fields are the ARRAYS and the SETTINGS of its file."""

    KIND: ClassVar[str]
    ARRAYS: ClassVar[Mapping[str, Shape]]
    SETTINGS: ClassVar[Mapping[str, type[Setting]]]

    def save(self, path: Path) -> None:
        """Write it to one safetensors file; the same content gives the same bytes."""
        settings = {name: getattr(self, name) for name in self.SETTINGS}
        write_source(path, self.KIND, settings, {name: getattr(self, name) for name in self.ARRAYS})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check it.

        Raises:
            RunError: E6471 where it cannot be read as such a file, E6472 where its content contradicts itself.
        """
        settings, arrays = read_source(path, cls.KIND, cls.SETTINGS, cls.ARRAYS)
        made = cls(**arrays, **settings)
        fault = made.fault()
        if fault is not None:
            raise inconsistent(path, cls.KIND, fault)
        return made

    @abstractmethod
    def fault(self) -> str | None:
        """Return what contradicts itself in what was read, or nothing."""


class ModelSource(FileSource):
    """A source that gives each of its items a score by the weighted items of a history.

    `codes` [scored] are the items it can score, rising; a place is a place among them. Items outside are neither
    candidates nor do they count in a history.
    """

    codes: Codes
    half_life: int
    amount: str
    FLOOR: ClassVar[float] = -np.inf
    """Only scores above it make candidates."""

    @property
    def weighting(self) -> Weighting:
        """How the events of a history become weights."""
        return Weighting(self.half_life, cast("Amount", self.amount))

    @abstractmethod
    def scores(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> Scores:
        """Return a new array with the score of every place: [scored]; a history has at least one place."""

    def retrieve(self, histories: Histories, n: int, *, allowed: Mask | None = None, seen: bool = True) -> Candidates:
        """Return the `n` best items of each request with their `score`, without those of its history unless `seen`.

        Equal scores stand in the order of codes. A history without a known item gets no rows.
        """
        barred = None if allowed is None else np.flatnonzero(~among(allowed, self.codes))
        answers = []
        for places, scores in self._scored(histories):
            if scores is None:
                answers.append(NOTHING)
                continue
            if not seen or barred is not None:
                scores = scores.copy()  # noqa: PLW2901 - they are kept as they are
            if not seen:
                scores[places] = -np.inf
            if barred is not None:
                scores[barred] = -np.inf
            answers.append(best(scores, self.codes, n, self.FLOOR))
        return gathered(answers)

    def retrieve_new(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:
        """Return the `n` best items of each request that its history does not hold; those that are allowed alone."""
        return self.retrieve(histories, n, allowed=allowed, seen=False)

    def score(self, histories: Histories, candidates: Candidates) -> NDArray[np.float64]:
        """Return the score of each candidate, whoever found it: [rows]; NaN where item or history is unknown."""
        found = np.full(len(candidates.items), np.nan)
        for request, (_, scores) in enumerate(self._scored(histories)):
            if scores is not None:
                rows = slice(candidates.offsets[request], candidates.offsets[request + 1])
                wanted, known = self._places(candidates.items[rows])
                found[rows][known] = scores[wanted[known]]
        return found

    def fault(self) -> str | None:
        """Check what every such source has, then what this one has."""
        if self.amount not in AMOUNTS:
            return f"`amount` is `{self.amount}`"
        if self.half_life < 0:
            return "`half_life` is below 0"
        if len(self.codes) and (self.codes[0] < 0 or (np.diff(self.codes.astype(np.int64)) <= 0).any()):
            return "`codes` do not rise"
        return self.fault_of_model()

    @abstractmethod
    def fault_of_model(self) -> str | None:
        """Return what contradicts itself in the arrays of this model, or nothing."""

    def _places(self, items: Codes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the place of each item, and whether it has one."""
        places = np.searchsorted(self.codes, items)
        known = np.zeros(len(items), np.bool_)
        inside = places < len(self.codes)
        known[inside] = self.codes[places[inside]] == items[inside]
        return places, known

    def _scored(self, histories: Histories) -> Iterable[tuple[NDArray[np.int64], Scores | None]]:
        """Return the places of each request's known items and the score of every place, none where none is known."""
        each = (
            (places, self.scores(places, weights) if len(places) else None)
            for places, weights in self._profiles(histories)
        )
        return self.once(histories, lambda: list(each)) if histories.requests == 1 else each

    def _profiles(self, histories: Histories) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Yield the places and the weights of each request's known items."""
        profiles = self.weighting.profiles(histories)
        places, known = self._places(profiles.items)
        if known.all():
            for first, last in zip(profiles.offsets[:-1], profiles.offsets[1:], strict=True):
                yield places[first:last], profiles.weights[first:last]
            return
        for first, last in zip(profiles.offsets[:-1], profiles.offsets[1:], strict=True):
            kept = known[first:last]
            yield places[first:last][kept], profiles.weights[first:last][kept]


def among(allowed: Mask, items: Codes) -> NDArray[np.bool_]:
    """Return which items are allowed: [rows]; a mask says nothing of places beyond it, and they are not."""
    if not len(allowed):
        return np.zeros(len(items), np.bool_)
    return allowed[np.minimum(items, len(allowed) - 1)] & (items < len(allowed))


def permitted(answer: Answer, allowed: Mask | None) -> Answer:
    """Return the part of a request's answer that is allowed."""
    if allowed is None:
        return answer
    kept = among(allowed, answer[0])
    return answer[0][kept], answer[1][kept]


def gathered(answers: Sequence[Answer]) -> Candidates:
    """Return the answers of requests side by side, their scores as the column `score`."""
    lengths = np.array([len(items) for items, _ in answers], np.int64)
    items, scores = NOTHING if not answers else map(np.concatenate, zip(*answers, strict=True))
    columns: dict[str, NDArray[Any]] = {"score": scores}
    return Candidates(offsets_of(lengths), items, columns)


def looked_up(known: Sequence[Answer], candidates: Candidates) -> NDArray[np.float64]:
    """Return what each request knows of its candidates: [rows], NaN where nothing; items of `known` rise."""
    found = np.full(len(candidates.items), np.nan)
    for request, (items, values) in enumerate(known):
        rows = slice(candidates.offsets[request], candidates.offsets[request + 1])
        wanted = candidates.items[rows]
        places = np.searchsorted(items, wanted)
        inside = np.flatnonzero(places < len(items))
        right = inside[items[places[inside]] == wanted[inside]]
        found[rows][right] = values[places[right]]
    return found


def fault_in_offsets(name: str, offsets: NDArray[np.int64], parts: int, rows: int) -> str | None:
    """Return the fault of offsets that do not cut so many rows into so many parts."""
    right = len(offsets) == parts + 1 and offsets[0] == 0 and offsets[-1] == rows and (np.diff(offsets) >= 0).all()
    return None if right else f"`{name}` do not cut {rows} rows into {parts} parts"


def unseen(candidates: Candidates, histories: Histories) -> Candidates:
    """Return the candidates that are not in their request's history."""
    return candidates.where(_unseen(candidates.offsets, candidates.items, histories.offsets, histories.items))


@compiled
def _unseen(offsets: Offsets, items: Codes, held_offsets: Offsets, held: Codes) -> NDArray[np.bool_]:
    wide = 0
    for code in items:
        wide = max(wide, code + 1)
    holder = np.full(wide, -1, np.int64)
    kept = np.empty(len(items), np.bool_)
    for request in range(len(offsets) - 1):
        for row in range(held_offsets[request], held_offsets[request + 1]):
            if held[row] < wide:
                holder[held[row]] = request
        for row in range(offsets[request], offsets[request + 1]):
            kept[row] = holder[items[row]] != request
    return kept
