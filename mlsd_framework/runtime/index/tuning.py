"""Settings found for a declared recall: each is measured on sample queries, the fastest that reaches it is taken."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.checking import checked_ids, checked_queries, checked_vectors
from mlsd_framework.runtime.index.door import Distance, Engine, Ids, Kind, Rows, Vectors
from mlsd_framework.runtime.index.engines import GRAPH_LINKS, asked_with, build_engine, usual_leaves
from mlsd_framework.runtime.index.exact import ExactEngine, exact_search
from mlsd_framework.runtime.index.vector_index import About, Trial, VectorIndex, index_of

DEPTHS = (2, 4, 6, 9, 13, 20, 30, 50, 80, 130)
"""Candidates that are looked at again, in multiples of `k`."""

MARGIN = 0.003
"""So much more than the declared recall is aimed at: other queries than the sample differ by about that."""

ROUNDS = 3

FINALISTS = 2
"""So many of the fastest of each size are measured again, in turns: what else the machine does falls on all alike."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached: the share of the `k` truly nearest rows, on queries, [q, dim], in batches of `batch`."""

    queries: Vectors
    truth: Rows
    k: int
    recall: float
    batch: int
    threads: int

    @property
    def aimed_at(self) -> float:
        """The recall that a trial has to show."""
        return min(self.recall + MARGIN, (1 + self.recall) / 2)


def tuned_index(  # noqa: PLR0913 - all but the first four have a usual value
    ids: Ids,
    vectors: Vectors,
    queries: Vectors,
    *,
    fingerprint: str,
    kinds: Sequence[Kind] = ("scann",),
    recall: float = 0.95,
    k: int = 10,
    distance: Distance = "dot",
    batch: int = 256,
    leaves: Sequence[int] | None = None,
    threads: int = 1,
) -> VectorIndex:
    """Build the fastest index of some kinds that finds `recall` of the `k` nearest of sample queries, [q, dim].

    Speed is measured on batches of `batch` queries, as they will come. `leaves` are the sizes to build; without them
    some around the usual one are built. The trace says what was measured. E6809 where no kind reaches the recall.
    """
    rows = checked_vectors(vectors, None, distance)
    named = checked_ids(ids, len(rows), once=True)
    asked = checked_queries(queries, rows.shape[1], distance)
    if not len(asked):
        raise RunError.of("E6802", "there are no queries to measure on", expected="some hundred")
    truth, _ = exact_search(rows, asked, k)
    goal = Goal(asked, truth, k, recall, batch, threads)
    trace, reached = _searched(kinds, rows, leaves, goal)
    if not reached:
        raise _unreached(trace, goal)
    taken, engine = _fastest(reached, goal)
    marked = tuple(msgspec.structs.replace(one, taken=one is taken) for one in trace)
    settings = dict(engine.settings())
    about = About(distance=distance, fingerprint=fingerprint, kind=engine.kind, settings=settings, trace=marked)
    return index_of(named, rows, about, threads, engine)


def choose(  # noqa: PLR0913 - as above
    ids: Ids,
    vectors: Vectors,
    queries: Vectors,
    *,
    fingerprint: str,
    recall: float = 0.95,
    k: int = 10,
    distance: Distance = "dot",
    batch: int = 256,
    kinds: Sequence[Kind] = ("exact", "scann"),
    threads: int = 1,
) -> VectorIndex:
    """Measure exact search against others on the data at hand and return the fastest that reaches the recall."""
    return tuned_index(
        ids,
        vectors,
        queries,
        fingerprint=fingerprint,
        kinds=("exact", *(kind for kind in kinds if kind != "exact")),
        recall=recall,
        k=k,
        distance=distance,
        batch=batch,
        threads=threads,
    )


def recall_of(found: Rows, truth: Rows) -> float:
    """Return the share of what is truly nearest that was found, [q, k] each; where -1 stands there is nothing."""
    if not (truth >= 0).any():
        return 1.0
    hits = (found[:, :, None] == truth[:, None, :]) & (truth >= 0)[:, None, :]
    return float(hits.any(axis=1).sum() / (truth >= 0).sum())


def _searched(
    kinds: Sequence[Kind], rows: Vectors, leaves: Sequence[int] | None, goal: Goal
) -> tuple[list[Trial], list[tuple[Trial, Engine]]]:
    """Return all trials, and of each size the fastest of those that reach the recall."""
    reached: list[tuple[Trial, Engine]] = []
    trace: list[Trial] = []
    for kind in kinds:
        for engine in _built(kind, rows, leaves, goal):
            tried = list(_trials(engine, goal))
            trace += [trial for trial, _ in tried]
            enough = [one for one in tried if one[0].recall >= goal.aimed_at]
            reached += sorted(enough, key=lambda one: -one[0].per_second)[:FINALISTS]
    return trace, reached


def _unreached(trace: list[Trial], goal: Goal) -> RunError:
    nearest = max(trace, key=lambda one: one.recall)
    return RunError.of(
        "E6809",
        f"no setting finds {goal.aimed_at:.1%} of the {goal.k} nearest; the best finds {nearest.recall:.1%}",
        expected=f"a recall of {goal.recall}",
        help="declare less, or let `exact` be among the kinds",
    )


def _fastest(reached: list[tuple[Trial, Engine]], goal: Goal) -> tuple[Trial, Engine]:
    """Return the fastest of those that reach the recall; they take turns, so that other work falls on all alike."""
    rates = [trial.per_second for trial, _ in reached]
    for _ in range(ROUNDS if len(reached) > 1 else 0):
        rates = [
            max(rate, _measured(engine, goal).per_second) for rate, (_, engine) in zip(rates, reached, strict=True)
        ]
    return reached[int(np.argmax(rates))]


def _built(kind: Kind, vectors: Vectors, leaves: Sequence[int] | None, goal: Goal) -> Iterator[Engine]:
    if kind == "exact":
        yield ExactEngine(vectors)
        return
    usual = usual_leaves(len(vectors))
    sizes = leaves or ((GRAPH_LINKS, 2 * GRAPH_LINKS) if kind == "faiss-hnsw" else (usual // 2, usual, 2 * usual))
    for size in sizes:
        bounded = max(1, size if kind == "faiss-hnsw" else min(size, len(vectors) // 16))
        yield build_engine(kind, vectors, {"leaves": bounded, "k": goal.k}, goal.threads)


def _trials(engine: Engine, goal: Goal) -> Iterator[tuple[Trial, Engine]]:
    """Yield, for each depth, the least breadth that reaches the recall, measured; the widest where none does."""
    if engine.kind == "exact":
        yield _measured(engine, goal), engine
        return
    leaves = engine.settings()["leaves"]
    graph = engine.kind == "faiss-hnsw"
    ladder = _ladder(goal.k if graph else 1, 1_024 if graph else leaves)
    last = 0.0
    for depth in (1,) if graph else DEPTHS:

        def asked(breadth: int, depth: int = depth) -> Engine:
            return asked_with(engine, breadth, depth * goal.k, goal.k)

        widest = asked(ladder[-1])
        recall = _recall(widest, goal)
        if recall < goal.aimed_at:
            yield Trial(engine.kind, dict(widest.settings()), round(recall, 4), 0.0), widest
            continue
        place = _least(ladder, lambda breadth: _recall(asked(breadth), goal) >= goal.aimed_at)
        trial = _measured(asked(ladder[place]), goal)
        yield trial, asked(ladder[place])
        if trial.per_second < 0.8 * last:  # looking deeper only costs from here on
            return
        last = max(last, trial.per_second)


def _least(ladder: list[int], reaches: Callable[[int], bool]) -> int:
    """Return the place of the first rung that reaches the goal, the last one where none does."""
    low, high = 0, len(ladder) - 1
    while low < high:
        middle = (low + high) // 2
        if reaches(ladder[middle]):
            high = middle
        else:
            low = middle + 1
    return low


def _ladder(least: int, most: int) -> list[int]:
    """Return whole numbers from the least to the most, each about an eighth more than the one before."""
    rungs = [least]
    while rungs[-1] < most:
        rungs.append(min(most, max(rungs[-1] + 1, round(rungs[-1] * 1.125))))
    return rungs


def _recall(engine: Engine, goal: Goal) -> float:
    return recall_of(engine.search(goal.queries, goal.k, goal.threads)[0], goal.truth)


def _measured(engine: Engine, goal: Goal) -> Trial:
    """Return the recall and the best rate of some rounds over the queries, at most some seconds."""
    batches = np.array_split(goal.queries, max(1, len(goal.queries) // goal.batch))[: max(1, 65_536 // goal.batch)]
    best = float("inf")
    begun = time.perf_counter()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for queries in batches:
            engine.search(queries, goal.k, goal.threads)
        best = min(best, time.perf_counter() - started)
        if time.perf_counter() - begun > 3:  # noqa: PLR2004 - it is slow, and that is known well enough
            break
    rate = sum(len(one) for one in batches) / best
    return Trial(engine.kind, dict(engine.settings()), round(_recall(engine, goal), 4), round(rate, 1))
