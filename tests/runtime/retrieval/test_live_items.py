"""Items that change while they are served, against a plain dictionary; views that stay as they were; steps on disk."""

import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.vector_index import build_index
from mlsd_framework.runtime.retrieval import item_changes, live_items
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.grown_catalogue import GrownCatalogue
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.item_changes import ChangeFolder, ItemChanges
from mlsd_framework.runtime.retrieval.item_table import ItemTable, Where
from mlsd_framework.runtime.retrieval.items import Key
from mlsd_framework.runtime.retrieval.live_items import ItemsView, LiveItems, Present
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.two_tower import TwoTower

if TYPE_CHECKING:
    from mlsd_framework.runtime.towers.user_tower import UserTower

DIM, BASE = 3, 6
KEYS = st.integers(0, 15)


@dataclass(frozen=True)
class Known:
    """What there is to know of an item that is there."""

    words: str
    vector: tuple[float, ...]


Step = Mapping[int, Known | None]
KNOWN = st.builds(
    Known,
    st.text(max_size=3),
    st.tuples(*[st.floats(-8, 8, width=16) for _ in range(DIM)]),
)
STEPS = st.lists(st.dictionaries(KEYS, st.none() | KNOWN, min_size=1, max_size=6), max_size=8)


def named(key: int, *, text: bool) -> Key:
    """Return a key of one of the two kinds that there are."""
    return f"k{key:02}" if text else key


def begun(*, text: bool) -> tuple[LiveItems, dict[Key, Known]]:
    """Return the items of a version, every other key, and the same as a dictionary."""
    draw = np.random.default_rng(3)
    vectors = draw.normal(size=(BASE, DIM)).astype(np.float16).astype(np.float32)
    keys = tuple(named(2 * one, text=text) for one in range(BASE))
    words = tuple(f"word {one}" for one in range(BASE))
    index = build_index(np.arange(BASE), vectors, fingerprint="a")
    towers = TwoTower(cast("UserTower", None), vectors, "a", index)
    plain = {key: Known(words[row], tuple(vectors[row].tolist())) for row, key in enumerate(keys)}
    return LiveItems(Catalogue(keys, words), {"towers": towers}), plain


def changes(step: Step, *, text: bool = False, towers: str = "a") -> ItemChanges:
    """Return a step as the indexer writes it."""
    found = [one or Known("", (0.0,) * DIM) for one in step.values()]
    return ItemChanges(
        tuple(named(key, text=text) for key in step),
        tuple(one.words for one in found),
        np.array([one is not None for one in step.values()]),
        {"towers": np.array([one.vector for one in found], np.float32)},
        {"towers": towers},
        at=7,
    )


def applied(plain: dict[Key, Known], step: Step, *, text: bool) -> dict[Key, Known]:
    """Return the dictionary after a step."""
    after = dict(plain)
    for key, one in step.items():
        after.pop(named(key, text=text), None)
        if one is not None:
            after[named(key, text=text)] = one
    return after


def told(view: ItemsView) -> dict[Key, Known]:
    """Return all that a view finds by the vectors of its index, as a dictionary."""
    tower = view.towers["towers"]
    assert tower.index is not None
    queries = np.eye(DIM, dtype=np.float32)
    ids, scores = tower.index.search(queries, len(view.catalogue) + 1)
    assert (np.sort(ids, axis=1) == np.sort(ids[0])).all()
    codes = np.sort(ids[0][ids[0] >= 0]).astype(np.int32)
    vectors = tower.vectors_of(codes)
    for axis in range(DIM):
        found = dict(zip(ids[axis].tolist(), scores[axis].tolist(), strict=True))
        assert [found[code] for code in codes.tolist()] == vectors[:, axis].tolist()
    keys = view.catalogue.keys_of(codes)
    assert view.catalogue.codes_of(keys).tolist() == codes.tolist()
    assert [view.catalogue.key(code) for code in codes.tolist()] == keys
    assert len(keys) == len(tower.index) == view.alive
    words = [view.catalogue.describe(code) for code in codes.tolist()]
    return {
        key: Known(str(text), tuple(vector.tolist())) for key, text, vector in zip(keys, words, vectors, strict=True)
    }


@settings(deadline=None)
@given(STEPS, st.booleans(), st.sets(st.integers(0, 8)))
def test_items_are_what_a_dictionary_says(
    steps: list[Step],
    text: bool,
    rebalanced: set[int],
) -> None:
    """After each step exactly the items that are there are found; earlier views go on saying what they said.

    So it is when the engine is built again after some of the steps.
    """
    live, plain = begun(text=text)
    views = [(live.current, plain)]
    for number, step in enumerate(steps, 1):
        live.take_in(changes(step, text=text), number)
        plain = applied(plain, step, text=text)
        views.append((live.current, plain))
        if number in rebalanced:
            assert live.rebalance("towers", recall=0.9, k=2) == 1.0
            assert live.indexes["towers"].current.fresh == 0
            views.append((live.current, plain))
    for view, expected in views:
        assert told(view) == expected
    for key in range(18):
        code = live.current.catalogue.code(named(key, text=text))
        alive = code >= 0 and (live.current.there is None or bool(live.current.there[code]))
        assert alive == (named(key, text=text) in plain)


@settings(deadline=None)
@given(STEPS, st.integers(0, 8), st.integers(1, 9))
def test_steps_on_disk_lead_to_the_same(steps: list[Step], began: int, joined: int) -> None:
    """A reader from any step on, of files joined at whatever time, has what one has that took each step."""
    live, plain = begun(text=True)
    late, _ = begun(text=True)
    for step in steps:
        plain = applied(plain, step, text=True)
    with tempfile.TemporaryDirectory() as scratch, pytest.MonkeyPatch.context() as patched:
        patched.setattr(item_changes, "JOINED", joined)
        folder = ChangeFolder(Path(scratch) / "items", "v1")
        for number, step in enumerate(steps, 1):
            folder.write(changes(step, text=True), number, number)
            if number == began:
                for at, found in folder.after(late.current.steps):
                    late.take_in(found, at)
            folder.join()
        for one in (live, late):
            for at, found in folder.after(one.current.steps):
                one.take_in(found, at)
            assert one.current.steps == len(steps)
            assert told(one.current) == plain
        assert len(folder.files()) <= max(joined, 1)


def test_an_engine_is_built_again_when_much_has_come_and_enough_was_asked() -> None:
    """Not before either; what finds too little is not taken, and not tried again until as much more has come."""
    live, _ = begun(text=False)
    draw = np.random.default_rng(0)

    def come(first: int, number: int) -> None:
        known = {first + one: Known("x", tuple(draw.normal(size=DIM))) for one in range(number)}
        live.take_in(changes(known), live.current.steps + 1)

    come(100, live_items.LEAST_BESIDE)
    assert live.due() == []
    come(10_000, 1)
    assert live.due() == []  # nobody has asked
    asked = live.current.towers["towers"].asked
    assert asked is not None
    asked.add(draw.normal(size=(live_items.LEAST_ASKED, DIM)).astype(np.float32))
    assert live.due() == ["towers"]
    with pytest.raises(RunError, match="E6809"):
        live.rebalance("towers", recall=1.5, k=10)
    assert live.due() == []
    come(20_000, live_items.LEAST_BESIDE + 1)
    assert live.due() == ["towers"]
    assert live.rebalance("towers", recall=1.0, k=10) == 1.0
    assert live.due() == []
    assert len(live.indexes["towers"].current.state.base.ids) == live.current.alive


def mixed_up(view: ItemsView) -> list[str]:
    """Return what is wrong with an answer by a view."""
    tower = view.towers["towers"]
    assert tower.index is not None
    ids, scores = tower.index.search(np.ones((1, DIM), np.float32), 20)
    codes = ids[0][ids[0] >= 0].astype(np.int32)
    if codes.max(initial=-1) >= len(view.catalogue):
        return ["an item without a key"]
    own = tower.vectors_of(codes).sum(axis=1)
    faults = [] if np.allclose(own, scores[0][: len(codes)], rtol=1e-4, atol=1e-4) else ["a score of another vector"]
    return faults + ([] if view.there is None or view.there[codes].all() else ["an item that is gone"])


def test_requests_see_one_view_while_items_come_and_engines_are_built() -> None:
    """Under writes, deletions and rebuilds every item of an answer is one of its view, by its key and its vector."""
    live, _ = begun(text=False)
    draw = np.random.default_rng(1)
    over = threading.Event()
    faults: list[str] = []

    def ask() -> None:
        while not over.is_set():
            faults.extend(mixed_up(live.current))

    def build() -> None:
        while not over.is_set():
            live.rebalance("towers", recall=0.9, k=5)

    threads = [threading.Thread(target=run) for run in (ask, ask, build)]
    for thread in threads:
        thread.start()
    for number in range(300):
        keys = draw.integers(0, 500, 5).tolist()
        step = {key: Known("x", tuple(draw.normal(size=DIM))) if key % 3 else None for key in keys}
        live.take_in(changes(step), number + 1)
    over.set()
    for thread in threads:
        thread.join()
    assert faults == []


def test_conditions_know_what_came_since(tmp_path: Path) -> None:
    """Steps bring columns of items too, through their files and joined; a mask is of the view that it is asked of."""
    begun_, _ = begun(text=False)
    sold = Where(pl.col("product.sold"), ("product.sold",))
    table = ItemTable.of([pl.DataFrame({"product.sold": [True, False] * (BASE // 2)})])
    live = LiveItems(begun_.catalogue, begun_.towers, table)
    folder = ChangeFolder(tmp_path, "v1")
    steps: list[tuple[Step, list[bool | None]]] = [
        ({0: Known("word 0", (1.0, 0.0, 0.0)), 1: Known("new", (0.0, 1.0, 0.0))}, [False, True]),
        ({3: Known("newer", (0.0, 0.0, 1.0)), 4: None, 1: Known("new", (0.0, 1.0, 0.0))}, [True, None, None]),
    ]
    for number, (step, held) in enumerate(steps, 1):
        columns = pl.DataFrame({"product.sold": held}, {"product.sold": pl.Boolean})
        folder.write(replace(changes(step), columns=columns), number, number)
    first = live.current
    wanted = [[False, False, True, False, True, False, True], [False, False, True, False, True, False, False, True]]
    read = list(folder.after(0))
    for (number, step), masks in zip(read, wanted, strict=True):
        live.take_in(step, number)
        assert live.current.known is not None
        assert live.current.known.mask(sold, {}).tolist() == masks
    assert first.known is table
    joined = read[0][1].then(read[1][1])
    assert joined.columns is not None
    assert dict(zip(joined.keys, joined.columns["product.sold"].to_list(), strict=True)) == {
        0: False, 1: None, 3: True, 4: None,
    }  # fmt: skip
    with pytest.raises(RunError, match="E6812"):
        live.take_in(changes(steps[0][0]), 3)


def test_what_is_of_other_towers_is_refused() -> None:
    """Vectors by other towers, or of another length, change nothing."""
    live, plain = begun(text=False)
    step = {1: Known("one", (1.0, 2.0, 3.0))}
    with pytest.raises(RunError, match="E6807"):
        live.take_in(changes(step, towers="b"), 1)
    short = replace(changes(step), vectors={"towers": np.ones((1, DIM + 1), np.float32)})
    with pytest.raises(RunError, match="E6801"):
        live.take_in(short, 1)
    assert (live.current.steps, told(live.current)) == (0, plain)


@pytest.mark.parametrize("fault", ["damaged", "missing", "version"])
def test_a_folder_that_cannot_be_right_is_refused(tmp_path: Path, fault: str) -> None:
    """A changed byte, a step that is not there and another version's changes are told, not taken."""
    folder = ChangeFolder(tmp_path, "v1")
    for number in (1, 2):
        folder.write(changes({number: Known("x", (1.0, 2.0, 3.0))}), number, number)
    first = folder.files()[0].path
    if fault == "damaged":
        content = bytearray(first.read_bytes())
        content[-1] ^= 1
        first.write_bytes(content)
    elif fault == "missing":
        first.unlink()
    else:
        folder = ChangeFolder(tmp_path, "v2")
    with pytest.raises(RunError, match="E6807" if fault == "version" else "E6812"):
        list(folder.after(0))


@settings(deadline=None)
@given(st.sets(st.integers(0, 19), max_size=20), st.integers(1, 20), st.booleans())
def test_what_is_gone_is_in_no_answer(gone: set[int], n: int, new: bool) -> None:
    """Of a source's order the first that are there are answered, as many as are asked for where there are so many."""
    source = Popularity(np.arange(20, dtype=np.int32)[None], np.linspace(1, 0.1, 20)[None])
    there = np.array([item not in gone for item in range(20)])
    history = Histories(np.array([0, 2]), np.array([3, 5], np.int32), np.array([0, 1]), np.array([9]))
    kept = Present(source, there)
    found = kept.retrieve_new(history, n) if new else kept.retrieve(history, n)
    expected = [item for item in range(20) if item not in gone and not (new and item in (3, 5))][:n]
    assert found.items.tolist() == expected
    assert kept.score(history, Candidates(np.array([0, 1]), np.array([4], np.int32))).tolist() == pytest.approx(
        [source.scores[0, 4]]
    )


def test_a_key_is_added_once() -> None:
    """A grown catalogue refuses a key that it has."""
    base = Catalogue((1, 2), ("one", "two"))
    with pytest.raises(ValueError, match="there already"):
        GrownCatalogue(base, (2,))
    with pytest.raises(ValueError, match="there already"):
        GrownCatalogue(base).grown([7, 7], {})


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), unique=True, max_size=10), st.lists(st.integers(0, 40), max_size=12))
def test_histories_know_what_came_since(added: list[int], items: list[int]) -> None:
    """A history keeps the items of the version and those that came, by their places, and leaves out all others."""
    base = Catalogue(tuple(range(0, 31, 3)))
    more = [one for one in added if one % 3]
    grown = GrownCatalogue(base, tuple(more))
    place: dict[int, int] = {key: code for code, key in enumerate([*range(0, 31, 3), *more])}
    times = list(range(len(items), 0, -1))
    found: Any = grown.history(items, times, 100)
    assert found.items.tolist() == [place[one] for one in items[::-1] if one in place]
    assert found.times.tolist() == [time for one, time in zip(items[::-1], times[::-1], strict=True) if one in place]
    assert grown.keys_of(found.items) == [one for one in items[::-1] if one in place]
