"""A small shop whose customers like one kind of product: its spec, its files, and the system deployed from them."""

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mlsd_framework.runtime.operations import client
from mlsd_framework.runtime.operations.status import Status
from mlsd_framework.runtime.serving.bundle import Bundle, load_bundle
from mlsd_framework.runtime.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS, KINDS, PRODUCTS, DAYS, EVERY = 240, 6, 120, 49, 6
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = (Path(__file__).parent / "cases" / "shop.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Shop:
    """The project of the shop."""

    root: Path

    @property
    def place(self) -> Workspace:
        """Its workspace."""
        return Workspace(self.root / ".mlsd" / "shop")

    @property
    def status(self) -> Status:
        """How it is."""
        return client.status(self.place)

    @property
    def bundle(self) -> Bundle:
        """The version that serves."""
        return load_bundle(self.place.versions / self.place.current.read_text().strip())

    @property
    def service(self) -> Path:
        """The generated service."""
        return self.root / "generated" / "shop" / "service" / "service.py"

    def told(self, *arguments: str) -> str:
        """Run a command that succeeds and return what it printed."""
        found = subprocess.run(
            [sys.executable, "-m", "mlsd_framework.cli.main", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout


def liked(customer: int) -> int:
    """Return the kind that a customer likes."""
    return customer % KINDS


def kind_of(product: int) -> int:
    """Return a product's kind."""
    return product % KINDS


def written(root: Path) -> Shop:
    """Write the spec and the files: of ten products that a customer buys nine are of the kind that it likes."""
    draw = np.random.default_rng(5)
    rows = []
    for customer in range(CUSTOMERS):
        for day in range(customer % EVERY, DAYS, EVERY):
            kinds = np.where(draw.random(3) < 0.9, liked(customer), draw.integers(0, KINDS, 3))
            places = np.minimum(draw.geometric(0.15, 3) - 1, PRODUCTS // KINDS - 1)
            at = BEGIN + timedelta(days=day, seconds=int(draw.integers(86_400)))
            products = dict.fromkeys((1000 + kinds + KINDS * places).tolist())
            rows += [(customer * DAYS + day, product, customer, at) for product in products]
    columns = {"basket_id": pl.Int64, "product_id": pl.Int64, "user_id": pl.Int64, "at": pl.Datetime("us", "UTC")}
    data = root / "data"
    data.mkdir()
    pl.DataFrame(rows, columns, orient="row").sort("at", maintain_order=True).write_parquet(data / "purchases.parquet")
    products = np.arange(1000, 1000 + PRODUCTS)
    pl.DataFrame(
        {
            "product_id": products,
            "kind": [f"kind {kind_of(one - 1000)}" for one in products.tolist()],
            "name": [f"product {one}" for one in products.tolist()],
        }
    ).write_parquet(data / "products.parquet")
    cities = ["Rom" if customer % 2 else "Köln" for customer in range(CUSTOMERS)]
    pl.DataFrame({"user_id": np.arange(CUSTOMERS), "city": cities}).write_parquet(data / "people.parquet")
    (root / "specs").mkdir()
    (root / "specs" / "shop.yaml").write_text(SPEC)
    return Shop(root)
