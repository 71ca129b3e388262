"""What hard negatives are worth to two towers: recall and NDCG on MovieLens-100k, with and without, seed by seed.

    python benchmarks/hard_negatives.py [--seeds 0 1 2] [--newest 30000] [--quick]

Three quarters of each user's ratings are known; towers of the last fifty films learn from the newest of them, and what
was rated before is not recommended. `valid` is the recall of 100 by which the weights are chosen. Settings are the same
for all, those of hard negatives are named by their number, pool and skip.
"""

import argparse
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import torch
from measured.candidates import stratified
from retrieval_quality import movies

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from mlsd_framework.runtime.ranking_metrics.accuracy import ndcg, recall
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant, judge
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.tower_examples import examples
from mlsd_framework.runtime.retrieval.two_tower import TwoTower as Retriever
from mlsd_framework.runtime.tabular.checkpoints import load_best
from mlsd_framework.runtime.tabular.features import Category, Embedding, LastItems
from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.tabular.trainer import lean_trainer
from mlsd_framework.runtime.towers.batches import PairsData
from mlsd_framework.runtime.towers.export import export
from mlsd_framework.runtime.towers.features import Towers
from mlsd_framework.runtime.towers.learning import learn
from mlsd_framework.runtime.towers.module import Settings, TwoTower
from mlsd_framework.runtime.towers.negatives import Negatives
from mlsd_framework.runtime.towers.tower import Shape
from mlsd_framework.runtime.towers.user_tower import VECTORS

TOWERS = Towers(
    user=(LastItems("history", "item", 50),),
    item=(Category("item", "item"),),
    embeddings=(Embedding("item", 32, minimum=2),),
)
SHAPE = Shape(32, (64,), "cosine", 0.1)
VARIANTS = {
    "without": Negatives(),
    "hard 4 of 100": Negatives(mined=4),
    "hard 4 of 100 behind 10": Negatives(mined=4, skipped=10),
}


def trained(log: Interactions, negatives: Negatives, newest: int, seed: int) -> tuple[Retriever, float, float]:
    """Return towers, the recall on their validation, and the seconds that the training took."""
    goods = pl.DataFrame({"item": np.arange(log.item_count)})
    taken = examples(log, pl.DataFrame(), history=50, newest=newest)
    encoding = learn(TOWERS, taken.users.head(taken.learned), goods)
    learned, validated = taken.pairs(encoding)
    size = min(1024, len(learned.items))
    data = PairsData(learned, validated, log.item_count, size=size, negatives=negatives, met=taken.met(log), seed=seed)
    settings = Settings(SHAPE, negatives, learning_rate=0.003, recall_at=100, seed=seed)
    model = TwoTower(encoding, Rows.of(encoding.item.encode(goods)), settings)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trainer = lean_trainer(Path(folder), epochs=10, patience=2, accelerator="cpu")
        trainer.fit(model, datamodule=data)
        took = time.perf_counter() - started
        load_best(model, Path(folder))
        export(model, encoding.user.encode(taken.users.tail(1000)), Path(folder))
        valid = float(trainer.early_stopping_callback.best_score)  # type: ignore[union-attr] # there is one
        return Retriever.load(Path(folder) / VECTORS), valid, took


def main() -> None:
    """Train and measure each variant with each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--newest", type=int, default=30_000)
    parser.add_argument("--quick", action="store_true", help="a tiny run, to see that it works")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        log = movies(Path(folder), quick=given.quick)
    if given.quick:
        given.seeds, given.newest = [0], 1_000
    part = stratified(log, 42)
    requests, items = np.divmod(part.taken, log.item_count)
    relevant = Relevant.of_pairs(requests, items.astype(np.int32), part.histories.requests)
    for seed in given.seeds:
        for name, negatives in VARIANTS.items():
            towers, valid, took = trained(part.log, negatives, given.newest, seed)
            judged = judge(towers.retrieve_new(part.histories, 500), relevant)
            found = [float(np.nanmean(one)) for one in (ndcg(judged, 10), recall(judged, 100), recall(judged, 500))]
            said = ", ".join(
                f"{what} {value:.4f}" for what, value in zip(("NDCG@10", "recall@100", "@500"), found, strict=True)
            )
            print(f"seed {seed}, {name}: {said}, valid {valid:.4f}, {took:.0f} s", flush=True)


if __name__ == "__main__":
    main()
