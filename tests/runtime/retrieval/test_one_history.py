"""The history of one request, from the lists that a live feature has."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.catalogue import Catalogue

ITEMS = Catalogue((3, 5, 8))
LISTS = st.lists(st.tuples(st.sampled_from([3, 4, 5, 8, None]), st.integers(0, 99)), max_size=8)


@given(LISTS, st.integers(100, 200))
def test_known_items_oldest_first(rows: list[tuple[int | None, int]], at: int) -> None:
    """Items stand oldest first with their times, those that the catalogue does not have are left out; as in batch."""
    items, times = tuple(item for item, _ in rows), tuple(time for _, time in rows)
    found = ITEMS.history(items, times, at)  # type: ignore[arg-type] # a list feature may hold a null
    wanted = [(ITEMS.keys.index(item), time) for item, time in reversed(rows) if item in ITEMS.keys]
    assert list(zip(found.items.tolist(), found.times.tolist(), strict=True)) == wanted
    assert (found.offsets.tolist(), found.at.tolist()) == ([0, len(wanted)], [at])
    together = ITEMS.histories(
        pl.Series([list(items)], dtype=pl.List(pl.Int64)),
        pl.Series([list(times)], dtype=pl.List(pl.Int64)),
        pl.Series([at], dtype=pl.Int64),
    )
    assert together.items.tolist() == found.items.tolist()
    assert together.times.tolist() == found.times.tolist()
