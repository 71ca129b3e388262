"""An index built again has what is in it, and finds what is declared: asked wider where its settings do not do."""

import numpy as np
import pytest

from mlsd_framework.runtime.index.door import Kind
from mlsd_framework.runtime.index.live import Gate, LiveIndex, measured_recall
from mlsd_framework.runtime.index.rebuilding import rebuilt
from mlsd_framework.runtime.index.recent_queries import RecentQueries
from mlsd_framework.runtime.index.vector_index import build_index
from tests.runtime.index.vectors import items_and_users

ITEMS = 6_000


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("scann", {"leaves": 100, "breadth": 1, "depth": 10}), ("exact", {})],
)
def test_it_finds_what_is_declared(kind: Kind, settings: dict[str, int]) -> None:
    """After thousands of writes the new one has no rows beside its engine, the same ids, and the declared recall."""
    vectors, queries = items_and_users(2 * ITEMS, 200)
    index = build_index(np.arange(ITEMS), vectors[:ITEMS], fingerprint="m", kind=kind, settings=settings)
    index.upsert(np.arange(ITEMS, 2 * ITEMS), vectors[ITEMS:])
    index.delete(np.arange(0, ITEMS, 3))
    gate = Gate(queries, 0.95)
    live = LiveIndex(index)
    assert live.refresh(lambda: rebuilt(index, gate), gate, keep=False) >= 0.95
    new = live.current
    assert live.previous is None
    assert (new.fresh, len(new)) == (0, len(index))
    assert np.sort(new.state.living()[0]).tolist() == np.sort(index.state.living()[0]).tolist()
    assert measured_recall(new, gate) >= 0.95
    if kind == "scann":
        assert new.about.settings["breadth"] > settings["breadth"]


def test_the_widest_is_what_there_is() -> None:
    """A gate that nothing passes ends with the widest, which the exchange then refuses."""
    vectors, queries = items_and_users(ITEMS, 50)
    index = build_index(np.arange(ITEMS), vectors, fingerprint="m", kind="scann", settings={"leaves": 60, "breadth": 7})
    assert rebuilt(index, Gate(queries, 1.1)).about.settings["breadth"] == 60


def test_the_last_queries_are_held() -> None:
    """As many as there is room for, the newest."""
    held = RecentQueries(2, size=5)
    assert len(held.sample()) == 0
    for number in range(8):
        held.add(np.full((1, 2), number, np.float32))
        assert sorted(held.sample()[:, 0].tolist()) == list(range(max(0, number - 4), number + 1))
    held.add(np.arange(24, dtype=np.float32).reshape(12, 2))
    assert sorted(held.sample()[:, 0].tolist()) == [14, 16, 18, 20, 22]
