"""Items found by what they are in words: the generated scripts run on a small shop, from its tables to the answers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.plan.meaning import retriever_parts
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.content import Content
from mlsd_framework.runtime.training import artefacts
from mlsd_framework.runtime.workspace import Workspace
from mlsd_framework.targets import artefacts as targets

ROOT = Path(__file__).parents[3]
SPEC = """
mlsd: 1
system: shop
sources:
  purchases:
    kind: events
    path: data/purchases.parquet
    key: purchase_id
    event_time: at
    stream: purchases
    schema: {purchase_id: int64, at: timestamp, user_id: int64, item_id: int64}
  products:
    kind: table
    path: data/products.parquet
    key: item_id
    schema: {item_id: int64, title: string?, brand: category?, in_stock: bool}
entities: {user: user_id, item: {key: item_id, from: products}}
features:
  taste: {entity: user, from: purchases, windows: [lifetime], aggregate: {items: "last_n(item_id, 9)", times: "last_n(at, 9)"}}
label: {name: bought, of: /recommend, from: purchases, within: 7d, moments: 4}
models:
  words: {kind: content, from: purchases, text: [title, brand], embedding: hashed, half_life: 28d}
serving:
  /recommend:
    request: {user_id: int64, at: {type: timestamp, default: now}, k: {type: int32, default: 10}}
    pipeline:
      - fetch: taste
      - retrieve: {history: {items: taste.items_lifetime, times: taste.times_lifetime}, sources: {words: 9}, n: 9}
      - take: k
"""  # noqa: E501 - a spec
# The last three are new: nobody has bought them.
PRODUCTS = {
    1: ("Whole milk", "Farm"),
    2: ("Fresh tomatoes", "Farm"),
    3: ("Toilet paper", None),
    4: (None, None),
    5: ("Skimmed milk", "Farm"),
    6: ("Cherry tomato", "Farm"),
    7: ("Yoghurt", " "),
}
BOUGHT = (1, 2, 3, 4)
BRAND = "sources.products.schema.brand"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with the shop's spec and its tables; products are in no order."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "shop.yaml").write_text(SPEC)
    (tmp_path / "data").mkdir()
    titles, brands = zip(*PRODUCTS.values(), strict=True)
    products = pl.DataFrame({"item_id": list(PRODUCTS), "title": titles, "brand": brands, "in_stock": True})
    products.reverse().write_parquet(tmp_path / "data" / "products.parquet")
    count = 40
    purchases = pl.DataFrame(
        {
            "purchase_id": np.arange(count),
            "at": pl.Series(1_767_225_600_000_000 + np.arange(count) * 3_600_000_000).cast(pl.Datetime("us", "UTC")),
            "user_id": np.arange(count) % 5,
            "item_id": np.array(BOUGHT)[np.arange(count) % len(BOUGHT)],
        }
    )
    purchases.write_parquet(tmp_path / "data" / "purchases.parquet")
    return tmp_path


def _fitted(shop: Path, *assignments: str) -> tuple[Catalogue, Content, str]:
    """Build the system, run two of its scripts as a person would, and return what they leave and print."""
    compiled = compile_spec(shop / "specs" / "shop.yaml", assignments=assignments)
    folder = shop / "generated" / "shop"
    write(folder, {one.path: one.text for one in targets(compiled.system, compiled.registry)})
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MLSD_PROJECT": str(shop)}
    printed = ""
    for name in ("catalogue", "words"):
        command = [sys.executable, str(folder / "training" / f"{name}.py")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed += done.stdout
    workspace = Workspace(shop / ".mlsd" / "shop")
    artefacts.open_model(workspace.model("words"))
    source = Content.load(workspace.model("words") / "source.safetensors")
    return Catalogue.load(workspace.catalogue("item")), source, printed


def _like(item: int, catalogue: Catalogue, source: Content) -> list[int | str]:
    """Return the items that are like one, the likest first."""
    return catalogue.keys_of(source.retrieve_new(catalogue.of_one(item, 0), 10).items)


def test_new_items_are_found_by_the_words_that_they_share(shop: Path) -> None:
    """What nobody has bought is found; what has no words is found by nothing and finds nothing."""
    catalogue, source, printed = _fitted(shop)
    assert catalogue.keys_of(source.codes) == [1, 2, 3, 5, 6, 7]
    assert _like(1, catalogue, source)[0] == 5
    assert _like(2, catalogue, source)[0] == 6
    assert _like(4, catalogue, source) == []
    assert printed.splitlines()[-1] == "words: fitted on 40 events"


def test_the_axes_that_are_kept_are_as_many_as_declared(shop: Path) -> None:
    """Vectors have so many dimensions, and length 1."""
    _, source, _ = _fitted(shop, "models.words.dimensions=3")
    assert source.vectors.shape == (3, 6)
    assert np.linalg.norm(source.vectors, axis=0) == pytest.approx(np.ones(6), abs=1e-5)


def test_how_histories_are_weighed_is_in_the_source(shop: Path) -> None:
    """The half-life is that of the spec, in microseconds."""
    _, source, _ = _fitted(shop, "models.words.repeats=log")
    assert (source.half_life, source.amount) == (28 * 86_400_000_000, "log")


@pytest.mark.data
def test_items_are_found_by_what_their_words_mean(shop: Path) -> None:
    """Yoghurt shares no word with milk; the files of the model are kept in the workspace, their licences printed."""
    catalogue, source, printed = _fitted(shop, "models.words.embedding=minilm", "models.words.text=title")
    like_milk = _like(1, catalogue, source)
    assert like_milk.index(7) < like_milk.index(3)
    assert like_milk.index(7) < like_milk.index(2)
    assert "licence Apache-2.0" in printed
    kept = shop / ".mlsd" / "shop" / "pretrained" / "minilm"
    assert sorted(path.name for path in kept.iterdir()) == ["model.onnx", "tokenizer.json", "vectors.safetensors"]


def test_the_language_model_is_what_words_become_vectors_by(shop: Path) -> None:
    """Where the spec names no embedding, the script asks it, and 64 axes are kept."""
    without = SPEC.replace(", embedding: hashed", "")
    (shop / "specs" / "shop.yaml").write_text(without)
    compiled = compile_spec(shop / "specs" / "shop.yaml")
    files = {one.path: one.text for one in targets(compiled.system, compiled.registry)}
    assert 'minilm.vectors(words, WORKSPACE.pretrained("minilm"))' in files["training/words.py"]
    assert "Content.fit(vectors(), dimensions=64," in files["training/words.py"]


def test_what_words_are_made_of_is_what_a_source_is_fitted_with(shop: Path) -> None:
    """Another column, or another type of one, is another model; a column that it does not read is none of it."""

    def parts(spec: str) -> dict[str, str]:
        (shop / "specs" / "shop.yaml").write_text(spec)
        system = compile_spec(shop / "specs" / "shop.yaml").system
        return dict(retriever_parts(system.retriever("words"), system))

    before = parts(SPEC)
    assert (
        parts(SPEC.replace("text: [title, brand]", "text: title"))["models.words.text"] != before["models.words.text"]
    )
    retyped = parts(SPEC.replace("brand: category?", "brand: string?"))
    assert {name for name in before if before[name] != retyped[name]} == {BRAND}
    assert parts(SPEC.replace("in_stock: bool", "in_stock: bool?")) == before
