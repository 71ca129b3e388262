"""A small site that shows five items a page, each drawn evenly, to users who like one kind.

The chances of clicks are known, and what is seen first is clicked more often. So a log of the site says what any other
order of items would have earned.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tests.targets.made_shop import Shop

USERS, ITEMS, KINDS, SLOTS, DAYS, EVERY = 240, 20, 4, 5, 42, 2
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = (Path(__file__).parent / "cases" / "impressions.yaml").read_text(encoding="utf-8")
LIKED, OTHER, FADES = 0.5, 0.06, 0.85


def chance(users: NDArray[np.int64], items: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability that a user clicks an item in a place from 0: [rows] each."""
    return np.where(users % KINDS == items % KINDS, LIKED, OTHER) * FADES**places


def written(root: Path) -> Shop:
    """Write the spec and the files: impressions with their propensities, and clicks some seconds later."""
    draw = np.random.default_rng(8)
    visits = [(user, day) for user in range(USERS) for day in range(user % EVERY, DAYS, EVERY)]
    users = np.repeat([user for user, _ in visits], SLOTS).astype(np.int64)
    at = [BEGIN + timedelta(days=day, seconds=int(draw.integers(86_000))) for _, day in visits]
    places = np.tile(np.arange(SLOTS), len(visits))
    items = draw.integers(0, ITEMS, len(users))
    micro = pl.Datetime("us", "UTC")
    views = pl.DataFrame(
        {
            "page_id": np.repeat(np.arange(len(visits)), SLOTS),
            "at": pl.Series([one for one in at for _ in range(SLOTS)], dtype=micro),
            "user_id": users,
            "item_id": items,
            "place": (places + 1).astype(np.int32),
            "clicked": draw.random(len(users)) < chance(users, items, places),
            "propensity": np.full(len(users), 1 / ITEMS),
        }
    ).sort("at", maintain_order=True)
    data = root / "data"
    data.mkdir()
    views.with_row_index("view_id").cast({"view_id": pl.Int64}).write_parquet(data / "views.parquet")
    clicks = views.filter("clicked").select(
        pl.col("at") + pl.duration(seconds=1) * pl.col("place").cast(pl.Int64), "user_id", "item_id"
    )
    clicks.sort("at").with_row_index("click_id").cast({"click_id": pl.Int64}).write_parquet(data / "clicks.parquet")
    kinds = [f"kind {item % KINDS}" for item in range(ITEMS)]
    pl.DataFrame({"item_id": np.arange(ITEMS), "kind": kinds}).write_parquet(data / "items.parquet")
    (root / "specs").mkdir()
    (root / "specs" / "site.yaml").write_text(SPEC, encoding="utf-8")
    return Shop(root)
