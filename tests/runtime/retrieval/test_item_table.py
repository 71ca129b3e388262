"""What is known of items, and for which of them conditions hold: kept in a file, grown, and held to plain Python."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features import sql_polars as sql
from mlsd_framework.runtime.retrieval.item_columns import normal
from mlsd_framework.runtime.retrieval.item_table import KEPT, Given, ItemTable, Where
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.retrieval import Ask, Retrieval
from tests.runtime.retrieval.drawn import ITEMS, asked, logs

SCHEMA = {"kind": pl.Categorical(), "price": pl.Float32(), "stock": pl.Boolean(), "since": pl.Datetime("ms", "UTC")}
START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = st.tuples(
    st.sampled_from(["a", "b", "ü", None]),
    st.sampled_from([0.5, 2.0, None]),
    st.sampled_from([True, False, None]),
    st.sampled_from([START, START + timedelta(days=9), None]),
)
LIKED = Where(
    sql.in_list(pl.col("kind"), pl.col("likes")) & (pl.col("price") < pl.col("most")),
    ("kind", "price"),
    {"likes": pl.List(pl.String), "most": pl.Float64},
)
SOLD = Where(pl.col("stock") | (pl.col("kind") == "a"), ("stock", "kind"))
ALL = Where(pl.lit(value=True))
LATER = Where(pl.col("since") <= pl.col("at"), ("since",), {"at": pl.Datetime("us", "UTC")})


def table(rows: list[Any]) -> ItemTable:
    """Return the table of some rows."""
    return ItemTable.of([pl.DataFrame(rows, SCHEMA, orient="row")])


def liked(row: Any, likes: tuple[str, ...], most: float) -> bool:
    """Say by hand whether a row is liked: null is never."""
    kind, price, *_ = row
    return kind is not None and price is not None and kind in likes and price < most


def sold(row: Any) -> bool:
    """Say by hand whether a row is sold."""
    return bool(row[2]) or row[0] == "a"


@given(
    st.lists(ROWS, max_size=12),
    st.lists(st.tuples(st.lists(st.sampled_from("abü")).map(tuple), st.sampled_from([1.0, 3.0])), max_size=5),
)
@settings(max_examples=80, deadline=None)
def test_a_condition_holds_where_it_is_true(rows: list[Any], requests: list[tuple[tuple[str, ...], float]]) -> None:
    """Masks are those of each row by hand, whatever was asked before."""
    items = table(rows)
    for likes, most in requests:
        wanted = [liked(row, likes, most) for row in rows]
        assert items.mask(LIKED, {"likes": likes, "most": most}).tolist() == wanted
    assert items.mask(SOLD, {}).tolist() == [sold(row) for row in rows]
    assert items.mask(SOLD, {}) is items.mask(SOLD, {"likes": ("a",)})
    assert items.mask(ALL, {}).tolist() == [True] * len(rows)
    at = round((START + timedelta(days=1)).timestamp() * 1e6)
    assert items.mask(LATER, {"at": at}).tolist() == [row[3] == START for row in rows]


@given(
    st.lists(ROWS, max_size=8),
    st.lists(st.dictionaries(st.integers(0, 11), ROWS, min_size=1, max_size=4), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_a_table_grows(rows: list[Any], steps: list[dict[int, Any]]) -> None:
    """After steps that change rows and add some behind, masks and rows are those of a table made of the outcome."""
    items, now = table(rows), list(rows)
    likes = {"likes": ("a", "ü"), "most": 3.0}
    for step in steps:
        # New items have the next places.
        places = [place for place in sorted(step) if place < len(now)]
        places += range(len(now), len(now) + len(step) - len(places))
        now += [None] * (max(places) + 1 - len(now))
        for place, row in zip(places, step.values(), strict=True):
            now[place] = row
        before = items.mask(LIKED, likes).copy()
        grown = normal(pl.DataFrame(list(step.values()), SCHEMA, orient="row"))
        earlier, items = items, items.grown(np.array(places, np.int32), grown, len(now))
        assert earlier.mask(LIKED, likes).tolist() == before.tolist()
        assert len(items) == len(now)
        assert items.mask(LIKED, likes).tolist() == [liked(row, ("a", "ü"), 3.0) for row in now]
        assert items.mask(SOLD, {}).tolist() == [sold(row) for row in now]
        assert items.of_places(np.arange(len(now), dtype=np.int32)).equals(table(now).rows)


def test_a_table_comes_back_from_its_file(tmp_path: Path) -> None:
    """All types and nulls do; the same rows give the same bytes, and a file that is damaged is refused."""
    path = tmp_path / "items.safetensors"
    rows = pl.DataFrame([("a", 0.5, True, START), (None,) * 4, ("ü", 2.0, False, START)], SCHEMA, orient="row")
    more = pl.DataFrame(
        {"day": [START.date(), None, START.date()], "long": [timedelta(1), None, timedelta(2)], "n": [1, None, 2**60]}
    )
    items = ItemTable.of([rows, more])
    items.save(path)
    content = path.read_bytes()
    assert ItemTable.load(path).rows.equals(items.rows)
    assert ItemTable.load(path).rows.schema == items.rows.schema
    items.save(path)
    assert path.read_bytes() == content
    path.write_bytes(content[:-9])
    with pytest.raises(RunError, match="E6471"):
        ItemTable.load(path)


def test_masks_are_kept_up_to_a_number_and_are_not_written() -> None:
    """The one that was not asked for longest gives way, and nobody can change one that others have."""
    items = table([("a", 0.5, True, START)])
    first = items.mask(LIKED, {"likes": ("a",), "most": 1.0})
    assert items.mask(LIKED, {"likes": ["a"], "most": 1.0}) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = False
    for number in range(KEPT):
        items.mask(LIKED, {"likes": (str(number),), "most": 1.0})
    assert items.mask(LIKED, {"likes": ("a",), "most": 1.0}) is not first


@given(logs(least=1), st.lists(st.sampled_from([(), ("a",), ("a", "b")]), min_size=8, max_size=8), st.booleans())
@settings(max_examples=30, deadline=None)
def test_each_request_is_asked_for_what_it_is_allowed(log: Any, likes: list[tuple[str, ...]], new: bool) -> None:
    """Conditions of one source and of all hold together; a batch is its requests one by one."""
    histories = asked(log)
    kinds = ["a", "b", "b", None, "a", "c", "a", "b"][:ITEMS]
    items = ItemTable.of([pl.DataFrame({"kind": kinds, "stock": [True, False] * (ITEMS // 2)})])
    both = Where(sql.in_list(pl.col("kind"), pl.col("likes")), ("kind",), {"likes": pl.List(pl.String)})
    retrieval = Retrieval(
        {"liked": Ask(3, new=new, where=both), "top": Ask(4)}, n=6, where=Where(pl.col("stock"), ("stock",))
    )
    sources = {"liked": Popularity.fit(log), "top": Popularity.fit(log)}
    told = Given(items, {"likes": likes[: histories.requests]})
    found, alone = retrieval.found(sources, histories, told), retrieval.alone(sources, histories, told)
    for request in range(histories.requests):
        one = Given(items, {"likes": [likes[request]]})
        each = retrieval.asking(sources, histories.request(request), one)
        for name, ask in each.items():
            assert ask().items.tolist() == found[name].of(request).tolist()
        assert all(item % 2 == 0 and kinds[item] in likes[request] for item in found["liked"].of(request).tolist())
        assert all(item % 2 == 0 for item in found["top"].of(request).tolist())
        assert set(found["liked"].of(request).tolist()) <= set(alone["liked"].of(request).tolist()) or new
