"""A small world of users who like items of one group, and a model of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from mlsd_framework.runtime.tabular.features import Category, Embedding, Given, LastItems, Number
from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.tabular.trainer import lean_trainer
from mlsd_framework.runtime.towers.batches import Pairs, PairsData
from mlsd_framework.runtime.towers.features import Towers
from mlsd_framework.runtime.towers.learning import Encoding, item_codes, learn
from mlsd_framework.runtime.towers.module import Settings, TwoTower
from mlsd_framework.runtime.towers.negatives import Negatives
from mlsd_framework.runtime.towers.tower import Shape

TOWERS = Towers(
    user=(
        Category("user_id", "users"),
        Category("favourite", "genres"),
        LastItems("last", "items", 4),
        LastItems("last_long", "items", 6, "attention"),
        Number("age"),
    ),
    item=(Category("item_id", "items"), Category("genre", "genres"), Number("price"), Given("text", 3)),
    embeddings=(Embedding("users", 8), Embedding("items", 8), Embedding("genres", 4)),
)
GROUPS, USERS, ITEMS, ROWS = 4, 40, 60, 1_600
Made = Callable[..., tuple[TwoTower, PairsData]]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small tensors: a second thread would only wait for the first."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def log() -> pl.DataFrame:
    """Return who took what: users take items of their group, popular ones more often."""
    random = np.random.default_rng(1)
    users = random.integers(USERS, size=ROWS)
    weights = 1 / np.arange(1, ITEMS // GROUPS + 1)
    within = random.choice(ITEMS // GROUPS, size=(ROWS, 7), p=weights / weights.sum())
    items = within * GROUPS + (users % GROUPS)[:, None]
    return pl.DataFrame(
        {
            "user_id": [f"u{user}" for user in users],
            "favourite": [f"g{user % GROUPS}" if user % 3 else None for user in users],
            "last": [row[: user % 6].tolist() for row, user in zip(items, users, strict=True)],
            "last_long": items[:, :6].tolist(),
            "age": np.where(users % 7 == 0, np.nan, 20.0 + users),
            "item_id": items[:, 6],
        }
    )


@pytest.fixture(scope="session")
def catalogue() -> pl.DataFrame:
    """Return the items."""
    random = np.random.default_rng(2)
    return pl.DataFrame(
        {
            "item_id": np.arange(ITEMS),
            "genre": [f"g{item % GROUPS}" for item in range(ITEMS)],
            "price": random.normal(10, 3, ITEMS),
            "text": [None if item == 5 else random.normal(size=3).tolist() for item in range(ITEMS)],
        }
    )


@pytest.fixture(scope="session")
def encoding(log: pl.DataFrame, catalogue: pl.DataFrame) -> Encoding:
    """Return the encoding of both."""
    return learn(TOWERS, log, catalogue)


@pytest.fixture
def made(log: pl.DataFrame, catalogue: pl.DataFrame, encoding: Encoding) -> Made:
    """Return a function that makes a model and its data."""
    items = torch.from_numpy(item_codes(catalogue["item_id"], log["item_id"]))
    pairs = Pairs(Rows.of(encoding.user.encode(log)), items)
    goods = Rows.of(encoding.item.encode(catalogue))

    def make(shape: Shape | None = None, negatives: Negatives | None = None) -> tuple[TwoTower, PairsData]:
        drawn = negatives or Negatives()
        chosen = shape or Shape(8, (16,), temperature=0.2)
        settings = Settings(chosen, drawn, learning_rate=5e-3, recall_at=10, seed=3)
        train, valid = pairs.take(slice(0, 1_200)), pairs.take(slice(1_200, None))
        return TwoTower(encoding, goods, settings), PairsData(train, valid, ITEMS, size=128, negatives=drawn, seed=3)

    return make


@pytest.fixture
def trained(made: Made, tmp_path: Path) -> tuple[TwoTower, PairsData]:
    """Return a model after two epochs."""
    module, data = made()
    lean_trainer(tmp_path / "training", epochs=2, accelerator="cpu").fit(module, datamodule=data)
    return module, data
