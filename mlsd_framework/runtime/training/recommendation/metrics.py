"""All metrics of a list by name: relevance, what lies beyond it, and figures of all lists together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics import accuracy, beyond_relevance, exposure
from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, IntArray, Judged
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.training.recommendation.subject import Subject


@dataclass(frozen=True)
class Context:
    """What metrics read beside a list, computed once for all lists."""

    subject: Subject

    @cached_property
    def known(self) -> Candidates:
        """The distinct items of each user's history."""
        histories = self.subject.histories
        request = np.repeat(np.arange(histories.requests), np.diff(histories.offsets))
        return self._distinct(request * len(self.subject.catalogue) + histories.items)

    def new(self, request_of: IntArray, codes: "NDArray[np.integer]") -> NDArray[np.bool_]:
        """Tell which items are not in the history of their request: [rows]."""
        items = len(self.subject.catalogue)
        return ~np.isin(request_of * items + codes, self.known.request_of * items + self.known.items)

    @cached_property
    def met_by(self) -> IntArray:
        """How many users met each item before: [catalogue]."""
        return self.subject.catalogue.met_by

    @cached_property
    def taste(self) -> FloatArray:
        """The mean popularity of what is in each user's history: [requests]."""
        most = int(self.known.lengths.max(initial=0))
        return exposure.average_popularity(self.known, max(most, 1), self.met_by)

    @cached_property
    def kept(self) -> dict[int, Candidates]:
        """Hold what is expected among the first k, once for all lists."""
        return {}

    def expected(self, k: int) -> Candidates:
        """Return what nobody is surprised by: the items of the user's history, and the k that most users met."""
        if k not in self.kept:
            items = len(self.subject.catalogue)
            popular = np.argsort(-self.met_by, kind="stable")[:k]
            each = (np.arange(self.known.requests)[:, None] * items + popular).ravel()
            self.kept[k] = self._distinct(np.concatenate([self.known.request_of * items + self.known.items, each]))
        return self.kept[k]

    def _distinct(self, keys: IntArray) -> Candidates:
        keys = np.unique(keys)
        request, item = np.divmod(keys, max(len(self.subject.catalogue), 1))
        counts = np.bincount(request, minlength=self.subject.histories.requests)
        return Candidates(offsets_of(counts), item.astype(np.int32))


Each = Callable[[Candidates, int, Context], FloatArray]
"""(list, k, context) -> [requests]."""


def _novelty(ranked: Candidates, k: int, context: Context) -> FloatArray:
    return beyond_relevance.novelty(ranked, k, context.met_by, max(context.subject.catalogue.users, 1))


def _diversity(ranked: Candidates, k: int, context: Context) -> FloatArray:
    vectors = context.subject.catalogue.vectors
    if vectors is None:
        raise RunError.of(
            "E6323",
            "metric `intra_list_diversity` needs vectors of items and the catalogue has none",
            help="give the items vectors, such as those of a model that embeds them, or leave the metric out",
        )
    return beyond_relevance.intra_list_diversity(ranked, k, vectors)


def _serendipity(ranked: Candidates, k: int, context: Context) -> FloatArray:
    return beyond_relevance.serendipity(ranked, context.subject.relevant, context.expected(k), k)


def _popularity(ranked: Candidates, k: int, context: Context) -> FloatArray:
    return exposure.average_popularity(ranked, k, context.met_by)


def _popularity_lift(ranked: Candidates, k: int, context: Context) -> FloatArray:
    return exposure.popularity_lift(_popularity(ranked, k, context), context.taste)


BEYOND: Mapping[str, Each] = {
    "novelty": _novelty,
    "intra_list_diversity": _diversity,
    "serendipity": _serendipity,
    "average_popularity": _popularity,
    "popularity_lift": _popularity_lift,
}
"""A value a request, by name; all are of the first k."""

OVERALL: Mapping[str, Callable[[FloatArray], float]] = {
    "coverage": exposure.catalogue_coverage,
    "gini": exposure.gini,
}
"""One value of all lists, from the exposure of each item among the first k: [catalogue]."""

COMPARED = frozenset({*accuracy.METRICS, "serendipity"})
"""Metrics of which more is better, so that a ratio to a baseline says something."""


def base_of(name: str) -> str:
    """Return what is before the `@`."""
    return name.partition("@")[0]


def depth_of(name: str) -> int | None:
    """Return the k of `name@k`, None for whole lists; raises E6322 for a name that is not a metric's."""
    base, at, number = name.partition("@")
    depth = int(number) if number.isascii() and number.isdigit() else 0
    whole = base in accuracy.METRICS and not at
    if base not in {*accuracy.METRICS, *BEYOND, *OVERALL} or (depth < 1 and not whole):
        known = ", ".join(f"{one}@k" for one in sorted({*accuracy.METRICS, *BEYOND, *OVERALL}))
        raise RunError.of("E6322", f"metric `{name}` is not known", expected=f"one of {known}")
    return depth if at else None


def stage_of(metric: str, longest: Mapping[str, int]) -> str:
    """Name the stage where a metric says something, from the length of each stage's longest list, in their order.

    That is the last one; but recall@500 of ten items is that of a cut, so a metric is told of the last stage that has a
    list as long, or, where all are shorter, of the last of those whose lists are longest.
    """
    depth = min(depth_of(metric) or 0, max(longest.values()))
    return [name for name, length in longest.items() if length >= depth][-1]


def before_cuts(stages: Mapping[str, Candidates]) -> str:
    """Name the last stage that does more than to leave the ends of lists away."""
    names = list(stages)
    while len(names) > 1 and _is_cut(stages[names[-1]], stages[names[-2]]):
        names.pop()
    return names[-1]


def _is_cut(after: Candidates, before: Candidates) -> bool:
    """Tell whether lists are the beginnings of others."""
    if (after.lengths > before.lengths).any():
        return False
    kept = before.place_of < after.lengths[before.request_of]
    return bool(np.array_equal(before.items[kept], after.items))


def beyond_at(k: int, subject: Subject) -> tuple[str, ...]:
    """Return the names of all metrics beyond relevance that the catalogue has the facts for."""
    known = [name for name in BEYOND if name != "intra_list_diversity" or subject.catalogue.vectors is not None]
    return tuple(f"{name}@{k}" for name in (*known, *OVERALL))


def per_request(name: str, ranked: Candidates, judged: Judged, context: Context) -> FloatArray:
    """Return a metric of each request: [requests]; raises E6322 and E6323."""
    depth, base = depth_of(name), base_of(name)
    if base in BEYOND and depth is not None:
        return BEYOND[base](ranked, depth, context)
    return accuracy.per_request(name, judged)


def overall(name: str, ranked: Candidates, context: Context) -> float:
    """Return a metric of all lists together."""
    shown = exposure.exposure(ranked, depth_of(name) or 0, len(context.subject.catalogue))
    return OVERALL[base_of(name)](shown)
