"""Nearest items of users: ours beside ScaNN, FAISS, hnswlib and usearch, each tuned by hand, in one run.

    python benchmarks/ann.py [--items 1000000] [--queries 2000] [--threads 2] [--recall 0.95] [--only ScaNN] [--quick]

The last two need `pip install hnswlib usearch`, which no extra of ours brings; without them they are left out.

The vectors are no clusters that lie apart. They are what a factor model of users and items learns: items belong to
topics whose sizes follow a power law, each a Gaussian of low rank around a faint centre, with a share of noise in all
directions; their lengths are heavy-tailed, as popular items' are. Users mix several topics, with noise of their own,
so queries lie elsewhere than items do. Scores are dot products; what is true is found by exact search in blocks.

Ours is tuned on users of its own and held against others. A peer's settings are the fastest of its grid that reach the
recall on those others, which favours the peer. Then the best of all take turns for five rounds, and of each the best
round counts. Threads are the same for all; queries come in batches of 256.
"""

import argparse
import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from mlsd_framework.runtime.index.door import Engine, Kind, Rows, Vectors
from mlsd_framework.runtime.index.engines import usual_leaves
from mlsd_framework.runtime.index.exact import exact_search
from mlsd_framework.runtime.index.faiss_engine import FaissSettings, build_faiss
from mlsd_framework.runtime.index.scann_engine import ScannSettings, build_scann
from mlsd_framework.runtime.index.tuning import recall_of, tuned_index
from mlsd_framework.runtime.index.vector_index import VectorIndex

DIM, K, BATCH, ROUNDS = 64, 10, 256, 5
SHARES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.12, 0.16)
DEPTHS = (50, 100, 150, 200, 300, 400, 600, 800)
QUEUES = (24, 32, 48, 64, 80, 96, 128, 192, 384)
Search = Callable[[Vectors, int], Any]


@dataclass(frozen=True)
class Setting:
    """One setting of a contender: how it searches a batch with so many threads, and how long it took to build."""

    name: str
    search: Search
    build_s: float


@dataclass(frozen=True)
class Figure:
    """What was measured of the best setting of a contender: queries a second by threads."""

    contender: str
    setting: Setting
    recall: float
    rates: dict[int, float]


def factor_model(items: int, users: int, seed: int = 0) -> tuple[Vectors, Vectors]:
    """Return vectors of items, [items, 64], and of users, [users, 64], as the docstring above says."""
    random = np.random.default_rng(seed)
    topics, rank = 500, 24
    sizes = 1 / np.arange(1, topics + 1) ** 0.8
    shared = random.normal(size=(rank, DIM)) / np.arange(1, rank + 1)[:, None] ** 0.25
    centres = random.normal(size=(topics, rank)).astype(np.float32)

    def placed(weights: NDArray[np.float64], noise: float) -> Vectors:
        inner = weights + random.normal(size=weights.shape)
        return (inner @ shared + noise * random.normal(size=(len(inner), DIM))).astype(np.float32)

    of_items = np.empty((items, DIM), np.float32)
    for start in range(0, items, 100_000):
        part = of_items[start : start + 100_000]
        chosen = random.choice(topics, len(part), p=sizes / sizes.sum())
        part[:] = placed(0.8 * centres[chosen], 0.5)
        part *= np.abs(random.standard_t(5, size=(len(part), 1))).clip(0.2, 4).astype(np.float32) ** 0.35
    mixes = random.choice(topics, (users, 4), p=sizes / sizes.sum())
    shares = random.dirichlet(np.ones(4), users)
    return of_items, placed(np.einsum("um,umr->ur", shares, 1.2 * centres[mixes]), 0.3)


def ours(items: Vectors, sample: Vectors, recall: float, threads: int) -> tuple[Setting, VectorIndex]:
    """Return our index, tuned on a sample of other users."""
    started = time.perf_counter()
    leaves = (usual_leaves(len(items)) // 2, usual_leaves(len(items)))
    index = tuned_index(
        np.arange(len(items)), items, sample, fingerprint="benchmark", recall=recall, leaves=leaves, threads=threads
    )
    took = time.perf_counter() - started

    def search(queries: Vectors, number: int) -> Rows:
        index.threads = number
        return index.search(queries, K)[0]

    return Setting(f"{index.about.kind} {index.about.settings}", search, took), index


def latencies(index: VectorIndex, sample: Vectors) -> None:
    """Print how long it takes from an upsert's call until a search has it, and beside a searching thread."""
    waits, stop = [], threading.Event()

    def searching() -> None:
        while not stop.is_set():
            index.search(sample[:1], K)

    reader = threading.Thread(target=searching)
    reader.start()
    for place in range(200):
        loud = sample[place % len(sample)] * 100
        started = time.perf_counter()
        index.upsert(np.array([len(index)]), loud[None])
        written = time.perf_counter()
        assert len(index) - 1 in index.search(loud[None], K)[0]
        waits.append(written - started)
    stop.set()
    reader.join()
    middle, worst = statistics.median(waits) * 1e3, sorted(waits)[int(0.99 * len(waits))] * 1e3
    print(f"ours, upsert until visible, beside a search: median {middle:.3f} ms, p99 {worst:.3f} ms")
    rows = np.arange(50_000) % len(sample)
    started = time.perf_counter()
    for part in np.array_split(rows, 500):
        index.upsert(part, sample[part % len(sample)])
    print(f"ours, upserts by 100: {len(rows) / (time.perf_counter() - started):,.0f}/s")


def rows_of(engine: Engine, queries: Vectors, threads: int) -> Rows:
    """Return the rows that an engine finds."""
    return engine.search(queries, K, threads)[0]


def scann(items: Vectors, threads: int) -> Iterator[Setting]:
    """Yield ScaNN by hand: leaves, leaves to search, candidates to reorder."""
    for leaves in (usual_leaves(len(items)) // 2, usual_leaves(len(items))):
        started = time.perf_counter()
        built = build_scann(items, ScannSettings(leaves, 10, 100), threads)
        took = time.perf_counter() - started
        for share in SHARES:
            for depth in DEPTHS:
                asked = ScannSettings(leaves, max(1, int(leaves * share)), depth)
                yield Setting(
                    f"{leaves} {asked.breadth} {depth}",
                    partial(rows_of, built.asked_with(asked)),
                    took,
                )


def faiss(items: Vectors, threads: int, kind: Kind) -> Iterator[Setting]:
    """Yield FAISS by hand: lists and second looks, or links and queue."""
    graph = kind == "faiss-hnsw"
    sizes = (16, 32) if graph else (usual_leaves(len(items)) // 2, usual_leaves(len(items)))
    for size in sizes:
        started = time.perf_counter()
        built = build_faiss(items, kind, FaissSettings(size, 10, 100), threads)
        took = time.perf_counter() - started
        for breadth in QUEUES if graph else tuple(max(1, int(size * share)) for share in SHARES):
            for depth in (K,) if graph else DEPTHS:
                asked = FaissSettings(size, breadth, depth)
                yield Setting(
                    f"{size} {breadth} {depth}",
                    partial(rows_of, built.asked_with(asked)),
                    took,
                )


def hnswlib(items: Vectors, threads: int) -> Iterator[Setting]:
    """Yield hnswlib by hand: links and queue."""
    import hnswlib as library  # noqa: PLC0415 - not everyone has it

    for links in (16, 32):
        started = time.perf_counter()
        index = library.Index(space="ip", dim=DIM)
        index.init_index(max_elements=len(items), ef_construction=200, M=links)
        index.add_items(items, num_threads=threads)
        took = time.perf_counter() - started
        for queue in QUEUES:

            def search(queries: Vectors, number: int, queue: int = queue, index: Any = index) -> Rows:  # noqa: ANN401 - without types
                index.set_ef(queue)
                return index.knn_query(queries, k=K, num_threads=number)[0].astype(np.int64)

            yield Setting(f"{links} {queue}", search, took)


def usearch(items: Vectors, threads: int) -> Iterator[Setting]:
    """Yield usearch by hand: links and queue."""
    from usearch.index import Index  # noqa: PLC0415 - not everyone has it

    for links in (16, 32):
        started = time.perf_counter()
        index = Index(ndim=DIM, metric="ip", dtype="f32", connectivity=links, expansion_add=200)
        index.add(np.arange(len(items)), items, threads=threads)
        took = time.perf_counter() - started
        for queue in QUEUES:

            def search(queries: Vectors, number: int, queue: int = queue, index: Any = index) -> Rows:  # noqa: ANN401 - without types
                index.expansion_search = queue
                return index.search(queries, K, threads=number).keys.astype(np.int64)

            yield Setting(f"{links} {queue}", search, took)


def best_of(
    contender: str, settings: Iterator[Setting], queries: Vectors, truth: Rows, goal: float, threads: int
) -> Figure | None:
    """Return the fastest setting that reaches the recall; None where none does."""
    found: Figure | None = None
    fastest = 0.0
    for setting in settings:
        recall = recall_of(answers(setting, queries, 1)[0], truth)
        if recall < goal:
            continue
        rate = max(answers(setting, queries, threads)[1] for _ in range(2))
        if rate > fastest:
            found, fastest = Figure(contender, setting, recall, {}), rate
    gc.collect()
    return found


def race(figures: Sequence[Figure], queries: Vectors, numbers: Sequence[int]) -> list[Figure]:
    """Return the figures with their rates: of each the best of `ROUNDS` rounds, in which all take turns."""
    rates: list[dict[int, float]] = [dict.fromkeys(numbers, 0.0) for _ in figures]
    for _ in range(ROUNDS):
        for number in numbers:
            for figure, best in zip(figures, rates, strict=True):
                best[number] = max(best[number], answers(figure.setting, queries, number)[1])
    return [replace(figure, rates=best) for figure, best in zip(figures, rates, strict=True)]


def answers(setting: Setting, queries: Vectors, threads: int) -> tuple[Rows, float]:
    """Return the rows that are found, and queries a second, in batches."""
    started = time.perf_counter()
    with threadpool_limits(threads, "blas"):
        parts = [setting.search(queries[at : at + BATCH], threads) for at in range(0, len(queries), BATCH)]
    return np.concatenate(parts), len(queries) / (time.perf_counter() - started)


def main() -> None:
    """Measure all contenders and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="the peers to measure, as the table calls them")
    parser.add_argument("--quick", action="store_true", help="3,000 items: does it run?")
    given = parser.parse_args()
    started = time.perf_counter()
    count, users = (3_000, 200) if given.quick else (given.items, given.queries)
    items, all_users = factor_model(count, 2 * users)
    sample, queries = all_users[:users], all_users[users:]
    truth, _ = exact_search(items, queries, K)
    numbers = sorted({1, given.threads})
    print(f"{count:,} x {DIM}, {users:,} queries by {BATCH}, recall@{K} >= {given.recall}")
    tuned, index = ours(items, sample, given.recall, given.threads)
    contenders: dict[str, Iterator[Setting]] = {
        "ours, tuned": iter([tuned]),
        "exact, blocked": iter([Setting("", lambda q, _: exact_search(items, q, K)[0], 0.0)]),
        "ScaNN": scann(items, given.threads),
        "FAISS IVF-PQ fast scan": faiss(items, given.threads, "faiss-ivfpq"),
        "FAISS HNSW": faiss(items, given.threads, "faiss-hnsw"),
        "hnswlib": hnswlib(items, given.threads),
        "usearch": usearch(items, given.threads),
    }
    found: list[Figure] = []
    for name, settings in contenders.items():
        if given.only is not None and name not in {*given.only, "ours, tuned"}:
            continue
        try:
            figure = best_of(name, settings, queries, truth, given.recall, given.threads)
        except ModuleNotFoundError as missing:
            print(f"{name:24}  not measured: `{missing.name}` is not installed", flush=True)
            continue
        if figure is None:
            print(f"{name:24}  no setting of the grid reaches the recall", flush=True)
            continue
        print(f"{name:24}  chosen after {time.perf_counter() - started:,.0f} s: {figure.setting.name}", flush=True)
        found.append(figure)
    show(race(found, queries, numbers), numbers)
    latencies(index, sample)  # the last, since rows that came later are looked at one by one


def show(figures: Sequence[Figure], numbers: Sequence[int]) -> None:
    """Print the table; the first is compared with the others."""
    heads = "".join(f"{f'q/s, {number} thr.':>14}{'ours is':>9}" for number in numbers)
    print(f"{'':24}{'recall':>8}{heads}{'build s':>9}  setting")
    ours_at = figures[0].rates
    for figure in figures:
        rates = "".join(
            f"{figure.rates[number]:>14,.0f}{ours_at[number] / figure.rates[number]:>8.2f}x" for number in numbers
        )
        print(f"{figure.contender:24}{figure.recall:>8.4f}{rates}{figure.setting.build_s:>9.1f}  {figure.setting.name}")


if __name__ == "__main__":
    main()
