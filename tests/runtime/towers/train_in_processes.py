"""Trains a small model in so many processes: `train_in_processes.py FOLDER PROCESSES`; Lightning starts the others."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import polars as pl
import torch

from mlsd_framework.runtime.tabular.features import Category, Embedding
from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.tabular.trainer import lean_trainer
from mlsd_framework.runtime.towers.batches import Pairs, PairsData
from mlsd_framework.runtime.towers.features import Towers
from mlsd_framework.runtime.towers.learning import learn
from mlsd_framework.runtime.towers.module import Settings, TwoTower
from mlsd_framework.runtime.towers.negatives import Negatives
from mlsd_framework.runtime.towers.tower import Shape

torch.set_num_threads(1)
folder, processes = Path(sys.argv[1]), int(sys.argv[2])
generator = torch.Generator().manual_seed(0)
users = torch.randint(20, (512,), generator=generator)
items = (users + torch.randint(3, (512,), generator=generator)) % 20

towers = Towers((Category("u", "users"),), (Category("i", "items"),), (Embedding("users", 8), Embedding("items", 8)))
log, goods = pl.DataFrame({"u": users.numpy()}), pl.DataFrame({"i": range(20)})
encoding = learn(towers, log, goods)
pairs = Pairs(Rows.of(encoding.user.encode(log)), items)
negatives = Negatives(uniform=4, mined=2, mined_pool=6, skipped=1)
module = TwoTower(encoding, Rows.of(encoding.item.encode(goods)), Settings(Shape(8, (8,)), negatives, recall_at=3))
data = PairsData(pairs, pairs.take(slice(0, 101)), 20, size=64, negatives=negatives)

trainer = lean_trainer(
    folder, epochs=3, accelerator="cpu", devices=processes, strategy="ddp" if processes > 1 else "auto"
)
trainer.fit(module, datamodule=data)
