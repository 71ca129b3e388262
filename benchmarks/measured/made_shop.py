"""A made grocer of any size: who bought what when, the fitted parts of a recommender, and what its store holds.

Every user has a taste, one of fifty departments, and some products are bought by far more often than others. Models are
fitted on that log as they would be on a real one, so that answers take as long; what they recommend is worth nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from catboost import CatBoostRegressor, Pool

from mlsd_framework.ir.system import System
from mlsd_framework.runtime.retrieval.als import Als
from mlsd_framework.runtime.retrieval.buy_again import BuyAgain
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.ease import Ease
from mlsd_framework.runtime.retrieval.interactions import DAY, Interactions
from mlsd_framework.runtime.retrieval.item_item import ItemItem
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.profile import Weighting
from mlsd_framework.runtime.retrieval.source import FileSource
from mlsd_framework.runtime.training import catboost_file, trees

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
DEPARTMENTS = [f"department {number}" for number in range(50)]
BRANDS = ["National", "Private"]
_LEAST, _STEP = 800_000, 7
HOW = Weighting(90 * DAY, "log")


@dataclass(frozen=True)
class Size:
    """How large the grocer is: items, users, events of a user, items that EASE knows, trees of the ranker."""

    items: int
    users: int
    events: int
    ease: int
    trees: int


def key_of(item: int) -> int:
    """Return the id of an item by its place."""
    return _LEAST + _STEP * item


def drawn(size: Size) -> Interactions:
    """Draw a year of purchases; seven of ten are of the user's own department."""
    draw = np.random.default_rng(0)
    number = size.users * size.events
    users = draw.integers(0, size.users, number).astype(np.int32)
    own = draw.integers(0, len(DEPARTMENTS), size.users)[users]
    department = np.where(draw.random(number) < 0.7, own, draw.integers(0, len(DEPARTMENTS), number))
    rank = np.minimum(draw.zipf(1.2, number), size.items // len(DEPARTMENTS)) - 1
    items = (rank * len(DEPARTMENTS) + department).astype(np.int32)
    first = int(FIRST.timestamp()) * 1_000_000
    return Interactions(users, items, first + np.sort(draw.integers(0, 365 * DAY, number)), size.users, size.items)


def fitted(log: Interactions, size: Size) -> dict[str, FileSource]:
    """Return the sources of `recommend.yaml` by name."""
    return {
        "again": BuyAgain.fit(log, horizon=7 * DAY),
        "ease": Ease.fit(log, l2=200.0, most=size.ease, weighting=HOW),
        "popular": Popularity.fit(log, half_life=28 * DAY),
        "together": ItemItem.fit(log, least=min(10, size.events // 10), fade=90 * DAY, weighting=HOW),
        "als": Als.fit(log, factors=64, l2=1.0, alpha=5.0, most=size.items // 2, iterations=3, weighting=HOW),
    }


def bundled(folder: Path, log: Interactions, size: Size, system: System) -> dict[str, Path | bytes]:
    """Fit and write what a version of the system holds, below `folder`; return its files."""
    files: dict[str, Path | bytes] = {}
    for name, source in fitted(log, size).items():
        files[f"models/{name}/source.safetensors"] = folder / f"{name}.safetensors"
        source.save(folder / f"{name}.safetensors")
    Catalogue(tuple(map(key_of, range(size.items)))).save(folder / "catalogue.safetensors")
    files["catalogues/item.safetensors"] = folder / "catalogue.safetensors"
    names = ranker_features(system)
    _rank(folder, names, size.trees)
    files["models/ranker/trees.safetensors"] = folder / "trees.safetensors"
    return files


def ranker_features(system: System) -> list[str]:
    """Return the features of the ranker in the order of its trees: numbers, then categories."""
    (ranker,) = (model for model in system.models if model.ranks)
    return sorted([feature.dotted for feature in ranker.features], key=lambda name: name.startswith("product."))


def _rank(folder: Path, names: list[str], number: int) -> None:
    draw = np.random.default_rng(1)
    rows = 4000
    numbers = {name: draw.gamma(2, 3, rows).astype(np.float32) for name in names if not name.startswith("product.")}
    categories = {"product.department": draw.choice(DEPARTMENTS, rows), "product.brand": draw.choice(BRANDS, rows)}
    frame = pl.DataFrame({**numbers, **categories}).select(names)
    kinds = categories["product.department"] == DEPARTMENTS[0], categories["product.brand"] == BRANDS[0]
    wanted = sum(numbers.values()) + 40.0 * kinds[0] + 20.0 * kinds[1] + draw.normal(0, 3, rows)
    model = CatBoostRegressor(
        iterations=number, depth=6, one_hot_max_size=255, verbose=False, allow_writing_files=False, thread_count=1
    )
    model.fit(Pool(frame, wanted, cat_features=list(categories)))
    catboost_file.save(model, folder / "model.cbm")
    known = {"product.department": DEPARTMENTS, "product.brand": BRANDS}
    trees.export_trees(folder / "model.cbm", folder / "trees.safetensors", categories=known, shap=False)


def rows_of_items(size: Size) -> Mapping[str, pl.DataFrame]:
    """Return the rows of the groups by item."""
    draw = np.random.default_rng(2)
    keys = pl.Series("product_id", list(map(key_of, range(size.items))))
    counts = [f"{name}_{days}d" for name in ("purchases", "buyers") for days in (7, 28, 91)]
    prices = [f"price_{days}d" for days in (7, 28, 91)]
    trend = {name: draw.poisson(20, size.items) for name in counts} | {
        name: draw.gamma(2, 3, size.items) for name in prices
    }
    sold = pl.col("price_28d").is_between(0.5, 1e9)  # the others have no price
    return {
        "trend": pl.DataFrame({"product_id": keys, **trend}).with_columns(
            pl.when(sold).then(pl.col(name)).alias(name) for name in prices
        ),
        "product": pl.DataFrame(
            {
                "product_id": keys,
                "department": [DEPARTMENTS[item % len(DEPARTMENTS)] for item in range(size.items)],
                "brand": draw.choice(BRANDS, size.items),
            }
        ),
    }


def purchases(log: Interactions) -> pl.DataFrame:
    """Return the log as the events of the source."""
    draw = np.random.default_rng(3)
    number = len(log.items)
    return pl.DataFrame(
        {
            "household_id": log.users.astype(np.int64),
            "basket_id": np.arange(number),
            "product_id": log.items.astype(np.int64) * _STEP + _LEAST,
            "spent": draw.gamma(2, 3, number),
            "at": pl.Series(log.times).cast(pl.Datetime("us", "UTC")),
        }
    )


def after(log: Interactions) -> datetime:
    """Return a moment a day after the last event."""
    return datetime.fromtimestamp(int(log.times[-1]) / 1e6, UTC) + timedelta(days=1)
