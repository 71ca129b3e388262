"""Training a two-tower model: steps a second of ours, of the same model in Lightning as it comes, and of a bare loop.

    python benchmarks/two_tower.py [--rows 200000] [--items 20000] [--steps 200] [--rounds 3] [--quick]

Two models: a small one of ids, where what surrounds a step weighs most and which the bars are for; and one that also
has the last ten items, numbers and wider layers. All three run the same towers, loss and optimizer on the same pairs.
"Lightning's defaults" is what a first script has: a Dataset of rows, a DataLoader that collates them, a Trainer with
its progress bar and checkpoints. The bare loop slices the same batches and calls backward itself. They take turns on
one thread; the medians are compared. Rows cost the defaults by the row, so smaller batches bring all three nearer.

Then hard negatives, four a row of a hundred mined: what a step costs beside one without, and what mining for all rows
costs before an epoch, when each is searched for among `--items` items.
"""

import argparse
import contextlib
import io
import logging
import statistics
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytorch_lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from mlsd_framework.runtime.tabular.features import Category, Embedding, LastItems, Number
from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.tabular.trainer import lean_trainer
from mlsd_framework.runtime.towers.batches import Batch, Epoch, Pairs, PairsData
from mlsd_framework.runtime.towers.features import Towers
from mlsd_framework.runtime.towers.learning import item_codes, learn
from mlsd_framework.runtime.towers.module import Settings, TwoTower
from mlsd_framework.runtime.towers.negatives import Negatives, pooled
from mlsd_framework.runtime.towers.tower import Shape

SMALL = Towers(
    user=(Category("user_id", "users"),),
    item=(Category("item_id", "items"),),
    embeddings=(Embedding("users", 16), Embedding("items", 16)),
)
LARGER = Towers(
    user=(Category("user_id", "users"), LastItems("last", "items", 10), Number("age")),
    item=(Category("item_id", "items"), Category("genre", "genres"), Number("year")),
    embeddings=(Embedding("users", 32), Embedding("items", 32), Embedding("genres", 8)),
)
MODELS = {
    "small": (SMALL, Settings(Shape(dimension=16, layers=()))),
    "larger": (LARGER, Settings(Shape(dimension=32, layers=(64,)))),
}
BARS = {"Lightning's defaults": 3.5, "a bare loop": 1 / 1.4}


class RowByRow(Dataset[tuple[Tensor, ...]]):
    """What a first script has: one row at a time."""

    def __init__(self, pairs: Pairs) -> None:
        """Take the pairs."""
        self.pairs = pairs

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.pairs.items)

    def __getitem__(self, row: int) -> tuple[Tensor, ...]:
        """Return one row."""
        return self.pairs.users.codes[row], self.pairs.users.values[row], self.pairs.items[row]


class AsItComes(TwoTower):
    """The same model on batches of collated rows; it logs its loss, as examples do."""

    log_q: Tensor

    def training_step(self, batch: tuple[Tensor, ...], index: int) -> Tensor:  # type: ignore[override]
        """Return the loss of a batch."""
        codes, values, items = batch
        pool, target = pooled(items, items[:0])
        loss = super().training_step(
            Batch(Rows(codes, values), pool, target, self.log_q[pool], pool.new_empty(len(items), 0)), index
        )
        self.log("loss", loss)
        return loss


def made(model: str, rows: int, size: int, items: int | None = None) -> tuple[TwoTower, PairsData, AsItComes]:
    """Return the model, its data, and the model for the defaults."""
    towers, settings = MODELS[model]
    users, items = rows // 40, items or rows // 50
    random = np.random.default_rng(0)
    taken = np.minimum(random.zipf(1.3, rows) - 1, items - 1)
    log = pl.DataFrame(
        {
            "user_id": random.integers(users, size=rows),
            "age": random.normal(40, 10, rows),
            "last": list(random.integers(items, size=(rows, 10))),
        }
    )
    catalogue = pl.DataFrame(
        {"item_id": np.arange(items), "genre": random.integers(20, size=items), "year": random.normal(2000, 9, items)}
    )
    encoding = learn(towers, log, catalogue)
    pairs = Pairs(
        Rows.of(encoding.user.encode(log)),
        torch.from_numpy(item_codes(catalogue["item_id"], pl.Series(taken))),
    )
    goods = Rows.of(encoding.item.encode(catalogue))
    data = PairsData(pairs, pairs.take(slice(0, 64)), items, size=size)
    as_it_comes = AsItComes(encoding, goods, settings)
    as_it_comes.log_q = data.log_q
    return TwoTower(encoding, goods, settings), data, as_it_comes


class Clock(pytorch_lightning.Callback):
    """Takes the time from the tenth step of an epoch to its last."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.started = self.ended = 0.0
        self.steps = 0

    def on_train_batch_start(self, _: object, __: object, ___: object, index: int) -> None:
        """Start after the first steps."""
        if index == 10:
            self.started = time.perf_counter()

    def on_train_batch_end(self, _: object, __: object, ___: object, ____: object, index: int) -> None:
        """Note the end of the newest step."""
        self.ended, self.steps = time.perf_counter(), index - 9

    @property
    def milliseconds(self) -> float:
        """What one step took."""
        return (self.ended - self.started) / self.steps * 1000


def ours(module: TwoTower, data: PairsData, steps: int) -> float:
    """Return milliseconds a step of the lean trainer."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"limit_train_batches": steps, "limit_val_batches": 0, "callbacks": [clock], "accelerator": "cpu"}
        trainer = lean_trainer(Path(folder), epochs=1, enable_checkpointing=False, **settings)
        trainer.fit(module, datamodule=data)
    return clock.milliseconds


def defaults(module: AsItComes, data: PairsData, steps: int) -> float:
    """Return milliseconds a step of Lightning as it comes."""
    clock = Clock()
    loader = DataLoader(RowByRow(data.train), batch_size=data.size, shuffle=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        trainer = pytorch_lightning.Trainer(
            max_epochs=1, limit_train_batches=steps, default_root_dir=folder, callbacks=[clock], accelerator="cpu"
        )
        trainer.fit(module, loader)
    return clock.milliseconds


def bare(module: TwoTower, data: PairsData, steps: int) -> float:
    """Return milliseconds a step of a loop by hand."""
    optimizer = module.configure_optimizers()
    module.train()
    started = 0.0
    for index, batch in enumerate(data.train_dataloader()):
        if index == 10:
            started = time.perf_counter()
        if index == steps:
            break
        loss = module.training_step(batch, index)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return (time.perf_counter() - started) / (min(index + 1, steps) - 10) * 1000


def hard_ones(rows: int, items: int, size: int, steps: int) -> None:
    """Print what hard negatives cost the larger model."""
    without, data, _ = made("larger", rows, size, items)
    plain = ours(without, data, steps)
    negatives = Negatives(mined=4, mined_pool=100)
    mining = PairsData(data.train, data.valid, items, size=size, negatives=negatives)
    took = []
    mined = torch.empty(0)
    for engine in ("exact", "scann"):
        mining.negatives = replace(negatives, engine=engine)
        started = time.perf_counter()
        mined = mining.mined(torch.arange(rows), without)
        took.append(f"{time.perf_counter() - started:.1f} s ({engine})")
    module, _, _ = made("larger", rows, size, items)
    mining.mined = lambda chosen, _: mined[chosen]  # type: ignore[method-assign] # steps alone are timed
    mining.train_dataloader = lambda: Epoch(mining, 1, embeds=module)  # type: ignore[method-assign] # as the second epoch
    beside = ours(module, mining, steps)
    print(f"{rows:,} rows, {items:,} items: {1000 / plain:.0f} steps/s, with hard negatives {1000 / beside:.0f}")
    print(f"an epoch is {rows // size} steps, {rows // size * plain / 1000:.1f} s; mining before it {', '.join(took)}")


def main() -> None:
    """Measure each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=20_000, help="items of the catalogue, with hard negatives")
    parser.add_argument("--size", type=int, default=1024, help="rows of a batch")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tiny run, to see that it works")
    given = parser.parse_args()
    if given.quick:
        given.rows, given.items, given.size, given.steps, given.rounds = 8_000, 500, 128, 20, 1
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # two threads that wait for each other measure the machine's other work
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for model in MODELS:
        compare(model, given)
    hard_ones(given.rows, given.items, given.size, given.steps)


def compare(model: str, given: argparse.Namespace) -> None:
    """Run the three in turn on one model and print their medians and ratios."""
    module, data, as_it_comes = made(model, given.rows, given.size)
    steps = given.steps
    runs = {
        "ours": lambda: ours(module, data, steps),
        "a bare loop": lambda: bare(module, data, steps),
        "Lightning's defaults": lambda: defaults(as_it_comes, data, steps),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(given.rounds):
        for name, run in runs.items():
            taken[name].append(run())
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, milliseconds in medians.items():
        print(f"{model}, {name}: {milliseconds:.2f} ms a step, {1000 / milliseconds:.0f} steps/s")
    for name, bar in BARS.items():
        ratio = medians[name] / medians["ours"]
        verdict = f" (bar {bar:.2f}: {'met' if ratio >= bar else 'missed'})" if model == "small" else ""
        print(f"{model}, ours beside {name}: {ratio:.2f} of its rate{verdict}")


if __name__ == "__main__":
    main()
