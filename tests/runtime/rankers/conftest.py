"""Requests whose relevant candidates are known by two features together, never by one, and rankers of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from mlsd_framework.runtime.rankers.batches import Requests, RequestsData
from mlsd_framework.runtime.rankers.fields import Shape
from mlsd_framework.runtime.rankers.module import Loss, Network, Ranker, Settings
from mlsd_framework.runtime.tabular.checkpoints import load_best
from mlsd_framework.runtime.tabular.features import Category, Embedding, Feature, LastItems, Number
from mlsd_framework.runtime.tabular.learning import learn_one
from mlsd_framework.runtime.tabular.trainer import lean_trainer

GROUPS, ITEMS, REQUESTS, EACH, LENGTH = 4, 24, 240, 20, 6
FEATURES: tuple[Feature, ...] = (
    Number("price"),
    Category("group", "groups"),
    Category("user_group", "user_groups"),
    Category("item", "items"),
    LastItems("history", "items", LENGTH),
)
EMBEDDINGS = (Embedding("groups", 8), Embedding("user_groups", 8), Embedding("items", 8))
Trained = Callable[..., tuple[Ranker, float]]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small tensors: a second thread would only wait for the first."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def rows() -> pl.DataFrame:
    """Return candidates, a row each: relevant ones are of the group of the user, whose history is of it too."""
    random = np.random.default_rng(4)
    request = np.repeat(np.arange(REQUESTS), EACH)
    items = np.concatenate([random.choice(ITEMS, EACH, replace=False) for _ in range(REQUESTS)])
    users = random.integers(GROUPS, size=REQUESTS)
    lists = [(random.integers(ITEMS // GROUPS, size=LENGTH) * GROUPS + user).tolist() for user in users]
    chance = np.where(items % GROUPS == users[request], 0.8, 0.02)
    return pl.DataFrame(
        {
            "request": request,
            "price": np.where(random.random(len(items)) < 0.1, np.nan, random.normal(10, 3, len(items))),
            "group": [f"g{item % GROUPS}" if item % 9 else None for item in items],
            "user_group": [f"u{users[one]}" for one in request],
            "item": items,
            "history": [lists[one] for one in request],
            "bought": random.random(len(items)) < chance,
        }
    )


@pytest.fixture
def trained(rows: pl.DataFrame, tmp_path: Path) -> Trained:
    """Return a function that trains a ranker, and gives it with the NDCG of the validation requests."""

    def train(
        network: Network,
        loss: Loss = "listwise",
        *,
        features: tuple[Feature, ...] = FEATURES,
        epochs: int = 6,
        shape: Shape | None = None,
        folder: str = "training",
    ) -> tuple[Ranker, float]:
        learned = rows.filter(pl.col("request") < 180)
        named = {one.embedding for one in features if isinstance(one, Category | LastItems)}
        encoding = learn_one(features, [one for one in EMBEDDINGS if one.name in named], learned)
        parts = [
            Requests.of(encoding.encode(part), part["bought"].to_numpy(), part["request"].to_numpy())
            for part in (learned, rows.filter(pl.col("request") >= 180))
        ]
        module = Ranker(encoding, Settings(network, loss, shape or Shape((16,)), learning_rate=0.01, top=5, seed=3))
        trainer = lean_trainer(tmp_path / folder, epochs=epochs, monitor="ndcg", accelerator="cpu")
        trainer.fit(module, datamodule=RequestsData(*parts, size=16, seed=3))
        load_best(module, tmp_path / folder)
        return module, float(trainer.callback_metrics["ndcg"])

    return train
