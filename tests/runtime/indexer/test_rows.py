"""What is said of items is compared key by key, whatever columns and tables say it."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.data.schema import Checks, Column, SourceTable
from mlsd_framework.runtime.indexer.declarations import IndexedItems, ItemColumns
from mlsd_framework.runtime.indexer.rows import ItemRows
from mlsd_framework.runtime.retrieval.catalogue import Catalogue

LOOSE = Checks(duplicates="ignore")
LISTED = SourceTable(
    name="listed",
    paths=("listed.parquet",),
    columns=(Column(name="id", type="int64"), Column(name="kind", type="string", nullable=True)),
    checks=LOOSE,
)
PRICED = SourceTable(
    name="priced",
    paths=("priced.parquet",),
    columns=(Column(name="id", type="int64"), Column(name="price", type="float64", nullable=True)),
    checks=LOOSE,
)
ITEMS = IndexedItems(
    entity="item",
    table=LISTED,
    key="id",
    title=("kind",),
    towers={"towers": (ItemColumns("p", PRICED, "id", ("price",)), ItemColumns("l", LISTED, "id", ("kind",)))},
)
KINDS = st.lists(st.tuples(st.integers(0, 6), st.none() | st.sampled_from("abc")), max_size=8)
PRICES = st.lists(st.tuples(st.integers(0, 6), st.none() | st.sampled_from([0.5, 1.0])), max_size=8)


def read(kinds: list[tuple[int, Any]], prices: list[tuple[int, Any]]) -> ItemRows:
    """Return what two files say."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pl.DataFrame(kinds, {"id": pl.Int64, "kind": pl.String}, orient="row").write_parquet(folder / "listed.parquet")
        pl.DataFrame(prices, {"id": pl.Int64, "price": pl.Float64}, orient="row").write_parquet(
            folder / "priced.parquet"
        )
        return ItemRows.read(ITEMS, folder, folder)


def said(kinds: list[tuple[int, Any]], prices: list[tuple[int, Any]]) -> dict[int, tuple[Any, Any]]:
    """Return all that the files say of each item that is listed, in their order."""
    return {
        key: ([kind for one, kind in kinds if one == key], [price for one, price in prices if one == key])
        for key, _ in kinds
    }


@settings(deadline=None)
@given(KINDS, PRICES, KINDS, PRICES)
def test_an_item_has_changed_where_any_row_of_it_has(
    kinds: list[tuple[int, Any]],
    prices: list[tuple[int, Any]],
    later_kinds: list[tuple[int, Any]],
    later_prices: list[tuple[int, Any]],
) -> None:
    """As a dictionary of all rows says: new items and changed ones, no others; items are those that are listed."""
    before, after = read(kinds, prices), read(later_kinds, later_prices)
    first, then = said(kinds, prices), said(later_kinds, later_prices)
    assert before.changed_since(None) == before.keys() == sorted(first)
    assert after.keys() == sorted(then)
    assert after.changed_since(before.digests) == sorted(key for key, own in then.items() if first.get(key) != own)


@settings(deadline=None)
@given(KINDS, PRICES, st.sets(st.integers(0, 6)))
def test_a_tower_reads_the_last_row_of_each_item(
    kinds: list[tuple[int, Any]], prices: list[tuple[int, Any]], asked: set[int]
) -> None:
    """Of some items alone it reads what it reads of them among all, in the order of the catalogue."""
    rows = read(kinds, prices)
    wanted = sorted(asked & set(rows.keys()))
    some = rows.of(wanted)
    listed = some.listed()
    assert list(listed.keys) == wanted
    frame = some.seen_by("towers", listed, np.arange(len(listed)))
    last_kind, last_price = dict(kinds), dict(prices)
    assert frame.columns == ["item", "p.price", "l.kind"]
    assert frame["p.price"].to_list() == [last_price.get(key) for key in wanted]
    assert frame["l.kind"].to_list() == [last_kind[key] for key in wanted]
    whole = Catalogue.of(rows.rows["listed"].collect(), "id", ("kind",))
    assert [listed.describe(row) for row in range(len(listed))] == [whole.describe(whole.code(key)) for key in wanted]
