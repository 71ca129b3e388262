"""Merging: sources in turn by quota, duplicates joined, what each said kept."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.merge import merge

LISTS = st.lists(st.lists(st.integers(0, 30), unique=True, max_size=12), min_size=2, max_size=2)
SOURCES = st.dictionaries(st.sampled_from(["a", "b", "c"]), LISTS, min_size=1)


def _made(lists: list[list[int]]) -> Candidates:
    items = np.array([item for one in lists for item in one], np.int32)
    return Candidates(offsets_of(np.array([len(one) for one in lists])), items, {"score": np.arange(len(items)) * 0.5})


def _by_hand(lists: dict[str, list[int]], quotas: dict[str, int], n: int) -> list[int]:
    turns = sorted(
        ((rank + 1) / quotas[name], place, item)
        for place, (name, items) in enumerate(lists.items())
        for rank, item in enumerate(items[: quotas[name]])
    )
    return list(dict.fromkeys(item for _, _, item in turns))[:n]


@given(SOURCES, st.tuples(*[st.integers(0, 9)] * 3), st.integers(0, 25))
@settings(deadline=None)
def test_each_source_has_its_turn(lists: dict[str, list[list[int]]], numbers: tuple[int, ...], n: int) -> None:
    """Order, membership and what each source said are as sorted by hand, for each request by itself."""
    quotas = dict(zip("abc", numbers, strict=True))
    made = {name: _made(of_name) for name, of_name in lists.items()}
    merged = merge(made, quotas, n)
    for request in range(2):
        of_request = {name: of_name[request] for name, of_name in lists.items()}
        items = merged.of(request).tolist()
        assert items == _by_hand(of_request, quotas, n)
        rows = slice(merged.offsets[request], merged.offsets[request + 1])
        for name, found in of_request.items():
            ranks = merged.columns[f"{name}.rank"][rows].tolist()
            scores = merged.columns[f"{name}.score"][rows].tolist()
            said = made[name].columns["score"][made[name].offsets[request] :].tolist()
            for item, rank, score in zip(items, ranks, scores, strict=True):
                assert (rank, score) == (
                    (found.index(item), said[found.index(item)]) if item in found else (rank, score)
                )
                assert math.isnan(rank) == math.isnan(score) == (item not in found)


def test_without_quotas_all_rows_come_in_turn() -> None:
    """Sources alternate from the first one, and nothing is lost."""
    merged = merge({"a": _made([[1, 2, 3]]), "b": _made([[3, 4]])})
    assert merged.items.tolist() == [1, 3, 2, 4]
    np.testing.assert_array_equal(merged.columns["a.rank"], [0, 2, 1, np.nan])
    np.testing.assert_array_equal(merged.columns["b.rank"], [np.nan, 0, np.nan, 1])
