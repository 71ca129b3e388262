"""Two towers as a source: the nearest vectors, alone and through an index of each kind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.index.door import Kind
from mlsd_framework.runtime.index.vector_index import build_index
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.two_tower import TwoTower
from mlsd_framework.runtime.tabular.features import Category, Embedding, LastItems, Number
from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.towers.export import export
from mlsd_framework.runtime.towers.features import Towers
from mlsd_framework.runtime.towers.learning import learn
from mlsd_framework.runtime.towers.module import Settings
from mlsd_framework.runtime.towers.module import TwoTower as Module
from mlsd_framework.runtime.towers.negatives import Negatives
from mlsd_framework.runtime.towers.tower import Shape
from mlsd_framework.runtime.towers.user_tower import VECTORS
from mlsd_framework.runtime.training.indexing import chosen, put
from tests.runtime.retrieval.drawn import rows_of

ITEMS = 200
TOWERS = Towers(
    user=(LastItems("history", "items", 3), Category("city", "cities"), Number("age")),
    item=(Category("item", "items"),),
    embeddings=(Embedding("items", 8), Embedding("cities", 4)),
)
KINDS: tuple[Kind, ...] = ("exact", "scann", "faiss-ivfpq", "faiss-hnsw")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return towers as they begin, exported; nothing has to be learned to be near."""
    torch.set_num_threads(1)
    random = np.random.default_rng(3)
    users = pl.DataFrame(
        {
            "history": random.integers(0, ITEMS, (300, 3)).tolist(),
            "city": random.choice(["Rom", "Köln"], 300).tolist(),
            "age": random.normal(40, 10, 300),
        }
    )
    encoding = learn(TOWERS, users, pl.DataFrame({"item": np.arange(ITEMS)}))
    settings = Settings(Shape(8, (16,)), Negatives(), learning_rate=1e-3, recall_at=10, seed=3)
    torch.manual_seed(5)
    goods = Rows.of(encoding.item.encode(pl.DataFrame({"item": np.arange(ITEMS)})))
    made = tmp_path_factory.mktemp("towers")
    export(Module(encoding, goods, settings), encoding.user.encode(users), made)
    return made


@pytest.fixture(scope="module")
def towers(folder: Path) -> TwoTower:
    """Return the source."""
    return TwoTower.load(folder / VECTORS)


@pytest.fixture(scope="module")
def asked() -> Histories:
    """Return 70 requests, each with up to four events; every seventh has none."""
    random = np.random.default_rng(4)
    lengths = np.array([number % 7 % 5 for number in range(70)])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    items = random.integers(0, ITEMS, offsets[-1]).astype(np.int32)
    city = np.array([["Rom", "Köln", None, "Ulm"][number % 4] for number in range(70)], object)
    age = np.where(np.arange(70) % 3 == 0, np.nan, np.arange(70.0))
    times = np.arange(offsets[-1], dtype=np.int64)
    return Histories(offsets, items, times, np.full(70, 10**6), {"city": city, "age": age})


def by_hand(towers: TwoTower, histories: Histories, request: int) -> np.ndarray:
    """Return the product of the user's vector with every item's, the user as a row of features."""
    one = histories.request(request)
    age = float(one.columns["age"][0])
    row = {
        "history": one.items.tolist(),
        "city": one.columns["city"][0],
        "age": None if np.isnan(age) else age,
    }
    return towers.vectors.astype(np.float64) @ towers.tower.vector(row).astype(np.float64)


def empty(histories: Histories, request: int) -> bool:
    """Return whether a request has no event before."""
    return histories.offsets[request] == histories.offsets[request + 1]


def test_the_nearest_items_are_those_of_all_products(towers: TwoTower, asked: Histories) -> None:
    """Best first with their products as scores; a batch is its requests one by one, an empty history has no rows."""
    together = towers.retrieve(asked, 10)
    for request in range(asked.requests):
        rows = rows_of(together, request)
        if empty(asked, request):
            assert rows == []
            continue
        products = by_hand(towers, asked, request)
        assert [score for _, score in rows] == pytest.approx(sorted(products, reverse=True)[:10], abs=1e-5)
        assert [products[item] for item, _ in rows] == pytest.approx([score for _, score in rows], abs=1e-5)
        alone = rows_of(towers.retrieve(asked.request(request), 10))
        assert [score for _, score in alone] == pytest.approx([score for _, score in rows], abs=1e-5)


def test_any_candidate_has_a_score(towers: TwoTower, asked: Histories) -> None:
    """It is the product, whoever found the item; NaN where the history is empty."""
    items = np.tile(np.array([0, 7, 199], np.int32), asked.requests)
    scores = towers.score(asked, Candidates(np.arange(0, 3 * asked.requests + 1, 3, dtype=np.int64), items))
    for request in range(asked.requests):
        found = scores[3 * request : 3 * request + 3]
        if empty(asked, request):
            assert np.isnan(found).all()
        else:
            assert found == pytest.approx(by_hand(towers, asked, request)[[0, 7, 199]], abs=1e-5)


def test_new_items_are_none_of_the_history(towers: TwoTower, asked: Histories) -> None:
    """The nearest that the history does not hold, as many as asked for."""
    found = towers.retrieve_new(asked, 10)
    for request in range(asked.requests):
        held = asked.request(request).items
        if empty(asked, request):
            continue
        products = by_hand(towers, asked, request)
        products[held] = -np.inf
        scores = [score for _, score in rows_of(found, request)]
        assert scores == pytest.approx(sorted(products, reverse=True)[:10], abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_finds_what_all_products_find(towers: TwoTower, asked: Histories, tmp_path: Path, kind: Kind) -> None:
    """Most of the nearest, best first, with the scores of the source; more than there are gives what it finds."""
    index = build_index(np.arange(ITEMS), towers.vectors, fingerprint=towers.version, kind=kind)
    index.save(tmp_path / "index")
    through = towers.with_index(tmp_path / "index")
    found, exact = through.retrieve(asked, 10), towers.retrieve(asked, 10)
    assert found.lengths.tolist() == exact.lengths.tolist()
    hits = sum(
        len(set(found.of(request).tolist()) & set(exact.of(request).tolist())) for request in range(asked.requests)
    )
    assert hits >= (1.0 if kind == "exact" else 0.8) * len(exact.items)
    np.testing.assert_allclose(through.score(asked, found), found.columns["score"], atol=1e-4)
    assert all((np.diff([score for _, score in rows_of(found, one)]) <= 1e-6).all() for one in range(70))
    everything = through.retrieve(asked.request(1), 2 * ITEMS)
    assert len(set(everything.items.tolist())) == len(everything.items) <= ITEMS
    assert everything.items.min(initial=0) >= 0


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("share", [0.5, 0.05, 0.0])
def test_what_is_allowed_is_searched(towers: TwoTower, asked: Histories, kind: Kind | None, share: float) -> None:
    """Among some items the nearest are those of all products with these, whole lists of them, by an index too."""
    allowed = np.random.default_rng(7).random(ITEMS) < share
    through = towers
    if kind is not None:
        index = build_index(np.arange(ITEMS), towers.vectors, fingerprint=towers.version, kind=kind)
        through = replace(towers, index=index)
    for retrieve in (through.retrieve, through.retrieve_new):
        found = retrieve(asked, 10, allowed=allowed)
        assert allowed[found.items].all()
        everything = getattr(towers, retrieve.__name__)(asked, ITEMS)
        exact = everything.where(allowed[everything.items]).top(10)
        assert found.lengths.tolist() == exact.lengths.tolist()
        hits = sum(len(set(found.of(one)) & set(exact.of(one))) for one in range(asked.requests))
        assert hits >= (1.0 if kind in (None, "exact") else 0.8) * len(exact.items)


def test_an_index_of_other_vectors_is_refused(towers: TwoTower, tmp_path: Path) -> None:
    """Model and index are one version."""
    build_index(np.arange(ITEMS), towers.vectors, fingerprint="sha256:another", kind="exact").save(tmp_path / "index")
    with pytest.raises(RunError, match="E6807"):
        towers.with_index(tmp_path / "index")


def test_a_chosen_index_takes_the_place_of_the_one_before(towers: TwoTower, asked: Histories, tmp_path: Path) -> None:
    """It is of the model's version, says what was measured, and is read from the folder it was put to."""
    for engines in (("exact",), ("exact", "scann")):
        put(chosen(towers, asked, recall=0.9, k=10, engines=engines), tmp_path / "indexes" / "items")
        index = towers.with_index(tmp_path / "indexes" / "items").index
        assert index is not None
        assert len(index) == ITEMS


def test_damaged_vectors_are_named(folder: Path, tmp_path: Path) -> None:
    """A file of vectors that is cut or not there is E6471."""
    path = tmp_path / VECTORS
    with pytest.raises(RunError, match="E6471"):
        TwoTower.load(path)
    content = (folder / VECTORS).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match="E6471"):
        TwoTower.load(path)
