"""Items that come while a version serves: what taking them in costs a worker, and what it does to a search beside it.

Run from the repository's root: `python benchmarks/live_items.py [--items N] [--quick]`. An index by ScaNN over
vectors in clusters, as towers give them, is searched one query at a time; then rows come, change and go. The peer is
what there is without taking in: loading the version's index, which is what a worker would do for each change.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from mlsd_framework.runtime.index.door import Kind, Vectors
from mlsd_framework.runtime.index.saved import load_index
from mlsd_framework.runtime.index.tuning import tuned_index
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.item_changes import ItemChanges
from mlsd_framework.runtime.retrieval.live_items import LiveItems
from mlsd_framework.runtime.retrieval.two_tower import TwoTower

DIM, NEIGHBOURS, RECALL = 32, 150, 0.95


def vectors(rows: int, centres: Vectors, seed: int) -> Vectors:
    """Return vectors of length 1 about some centres: [rows, DIM]."""
    draw = np.random.default_rng(seed)
    found = centres[draw.integers(0, len(centres), rows)] + 0.4 * draw.normal(size=(rows, DIM))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def milliseconds(run: Callable[[], object], rounds: int) -> list[float]:
    """Return the times of some runs."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        found.append((time.perf_counter() - began) * 1e3)
    return found


def told(what: str, times: list[float]) -> None:
    """Print a line of figures."""
    print(f"{what:<44} median {statistics.median(times):8.3f} ms   worst {max(times):8.3f} ms   of {len(times)}")


class Worker:
    """The items of a worker, and what comes to them."""

    def __init__(self, items: int, kind: Kind) -> None:
        """Make a version of so many items."""
        self.centres = np.random.default_rng(0).normal(size=(400, DIM)).astype(np.float32)
        held, self.queries = vectors(items, self.centres, 1), vectors(500, self.centres, 2)
        index = tuned_index(
            np.arange(items), held, self.queries, fingerprint="a", kinds=(kind,), recall=RECALL, k=10, batch=1
        )
        towers = TwoTower(cast("Any", None), held, "a", index)  # nothing here embeds a user
        words = tuple(f"product {one}" for one in range(items))
        self.live = LiveItems(Catalogue(tuple(range(items)), words), {"t": towers})
        self._numbers: Iterator[int] = iter(range(items, 10 * items))
        self._draw = np.random.default_rng(3)
        self._items = items

    def search(self) -> None:
        """Ask once, as a request does."""
        tower = self.live.current.towers["t"]
        query = self.queries[self._draw.integers(len(self.queries))][None]
        if tower.index is not None and tower.asked is not None:
            tower.asked.add(query)
            tower.index.search(query, NEIGHBOURS)

    def come(self, new: int, gone: int = 0) -> None:
        """Take a step in with so many new items, and some that are gone."""
        keys = [next(self._numbers) for _ in range(new)]
        keys += self._draw.choice(self._items, gone, replace=False).tolist()
        there = np.repeat([True, False], [new, gone])
        own = vectors(new + gone, self.centres, 4 + self.live.current.steps)
        words = tuple(f"product {key}" for key in keys)
        step = ItemChanges(tuple(keys), words, there, {"t": own}, {"t": "a"}, 1)
        self.live.take_in(step, self.live.current.steps + 1)


def while_rebuilt(worker: Worker) -> tuple[list[float], float, float]:
    """Return the times of searches while the engine is built again, the seconds that takes, and what it finds."""
    over, times = threading.Event(), list[float]()

    def ask() -> None:
        while not over.is_set():
            times.extend(milliseconds(worker.search, 1))
            time.sleep(0.005)

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.perf_counter()
    recall = worker.live.rebalance("t", RECALL, 10)
    seconds = time.perf_counter() - began
    over.set()
    asking.join()
    return times, seconds, recall


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=92_331, help="of the catalogue; that of the grocer by default")
    parser.add_argument("--quick", action="store_true", help="a small catalogue and few rounds")
    given = parser.parse_args()
    items, rounds = (4_000, 3) if given.quick else (given.items, 9)
    worker = Worker(items, "exact" if given.quick else "scann")
    milliseconds(worker.search, 50)
    before = milliseconds(worker.search, 50 * rounds)
    told(f"search for {NEIGHBOURS} of {items:,}", before)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        worker.live.indexes["t"].current.save(folder)
        loaded = milliseconds(lambda: load_index(folder, fingerprint="a"), 3)
    told("the peer: the whole index loaded", loaded)
    for rows in (1, 100, 1_000):
        taken = milliseconds(lambda rows=rows: worker.come(rows), rounds)  # type: ignore[misc] # rows of this turn
        told(f"{rows:,} new items taken in", taken)
    gone = milliseconds(lambda: worker.come(0, 10), rounds)
    told("10 items taken out", gone)
    while worker.live.indexes["t"].current.fresh < 0.11 * items:
        worker.come(1_000)
    told("search with a tenth beside the engine", milliseconds(worker.search, 50 * rounds))
    times, seconds, recall = while_rebuilt(worker)
    told("search while it is built again", times or [0.0])
    told("search afterwards", milliseconds(worker.search, 50 * rounds))
    print(f"built again in {seconds:.2f} s, recall {recall:.4f} of {RECALL} declared")


if __name__ == "__main__":
    main()
