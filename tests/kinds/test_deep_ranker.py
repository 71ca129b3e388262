"""Deep rankers in the language: the generated script trains by itself, and what the service runs gives its scores."""

import ast
import runpy
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.rankers.onnx_ranker import OnnxRanker
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.frames import columns_of
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training import artefacts, retrieved
from mlsd_framework.runtime.workspace import Workspace
from mlsd_framework.targets import artefacts as targets

SPEC = """
mlsd: 1
system: shop
sources:
  purchases:
    kind: events
    path: data/purchases.csv
    key: purchase_id
    event_time: at
    stream: purchases
    schema: {purchase_id: int64, at: timestamp, user_id: int64, item_id: int64}
  products:
    kind: table
    path: data/products.csv
    key: item_id
    schema: {item_id: int64, title: string, brand: "category?", in_stock: bool}
  users:
    kind: table
    path: data/users.csv
    key: user_id
    schema: {user_id: int64, taste: "category?", age: "float64?"}
entities: {user: {key: user_id, from: users}, item: {key: item_id, from: products, title: title}}
features:
  last:
    entity: user
    from: purchases
    windows: [lifetime]
    aggregate: {items: "last_n(item_id, 100)", times: "last_n(at, 100)"}
  product: {entity: item, from: products, columns: [brand, in_stock]}
  person: {entity: user, from: users, columns: [taste, age]}
label: {name: bought, of: /recommend, from: purchases, within: 7d, moments: 4}
models:
  popular: {kind: popularity, from: purchases}
  ranker:
    {kind: deep.ranker, features: [candidates.*, product.*, person.*], label: bought, embedding: 8, layers: [16],
     least: 1, history: 3, epochs: 5, learning_rate: 0.02, batch: 8}
serving:
  /recommend:
    request: {user_id: int64, k: {type: int32, default: 10}}
    pipeline:
      - fetch: [last, person]
      - retrieve: {history: {items: last.items_lifetime, times: last.times_lifetime}, sources: {popular: 100}, n: 100}
      - fetch: {groups: product, as: fetch_products}
      - filter: {met_within: 1d}
      - score: ranker
      - take: k
"""
REQUESTS, EACH, ITEMS = 90, 12, 20
FIRST_OF_TEST = 75


def _build(project: Path, **settings: str) -> Path:
    """Write what the compiler makes of the spec and return its folder."""
    (project / "specs").mkdir(parents=True)
    spec = project / "specs" / "shop.yaml"
    spec.write_text(SPEC)
    compiled = compile_spec(spec, assignments=[f"models.ranker.{name}={value}" for name, value in settings.items()])
    folder = project / "generated" / "shop"
    write(folder, {one.path: one.text for one in targets(compiled.system, compiled.registry)})
    return folder


def _training_set(workspace: Workspace) -> tuple[pl.DataFrame, Histories]:
    """Write a training set as `dataset.py` does: users take brands of their taste, which their history shows too."""
    random = np.random.default_rng(3)
    request = np.repeat(np.arange(REQUESTS), EACH)
    codes = np.concatenate([random.choice(ITEMS, EACH, replace=False) for _ in range(REQUESTS)]).astype(np.int32)
    tastes = random.integers(2, size=REQUESTS)
    lengths = random.integers(0, 6, REQUESTS)
    items = random.integers(ITEMS // 2, size=lengths.sum()) * 2 + np.repeat(tastes, lengths)
    at = np.zeros(REQUESTS, np.int64)
    history = Histories(offsets_of(lengths), items.astype(np.int32), np.zeros(len(items), np.int64), at)
    chance = np.where(codes % 2 == tastes[request], 0.7, 0.05)
    parts = np.where(request < 60, "train", np.where(request < FIRST_OF_TEST, "validate", "test"))
    ages = np.where(tastes == 1, np.nan, random.normal(40, 9, REQUESTS))
    frame = pl.DataFrame(
        {
            "request": request,
            "part": parts,
            "item_id": 100 + codes,
            "candidates.popular_score": np.where(codes % 3 == 0, np.nan, random.random(len(codes))),
            "candidates.popular_rank": np.where(codes % 3 == 0, np.nan, codes),
            "product.brand": [f"b{code % 2}" if code % 7 else None for code in codes],
            "product.in_stock": codes % 5 > 0,
            "person.taste": [f"t{tastes[one]}" for one in request],
            "person.age": ages[request],
            "bought": random.random(len(codes)) < chance,
        },
        nan_to_null=True,
    )
    workspace.retrieved.mkdir(parents=True)
    frame.write_parquet(workspace.dataset)
    workspace.catalogue("item").parent.mkdir()
    Catalogue(tuple(range(100, 100 + ITEMS))).save(workspace.catalogue("item"))
    each = [retrieved.numbered(history.request(number), number) for number in range(REQUESTS)]
    retrieved.write_histories(workspace.retrieved, each)
    return frame, history


def _run(script: Path, workspace: Workspace) -> None:
    """Run a script as a process would, in this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), str(workspace.root)])
        runpy.run_path(str(script), run_name="__main__")


def _served(service: Path, names: dict[str, Any]) -> Candidates:
    """Run the lines of the service's stage `score` on candidates and return them."""
    for node in ast.walk(ast.parse(service.read_text())):
        if isinstance(node, ast.With) and "SCORE_STAGE" in ast.unparse(node.items[0]):
            call = SimpleNamespace(stage=nullcontext, left=lambda _: None)
            scope = {**names, "call": call, "SCORE_STAGE": None}
            exec(compile(ast.Module([node], []), str(service), "exec"), scope)  # noqa: S102 - the generated lines
            found: Candidates = scope["candidates"]
            return found
    raise AssertionError(service)


@pytest.mark.parametrize("network", ["wide_deep", "deepfm", "dlrm", "sequence"])
def test_the_service_gives_the_scores_of_the_script(tmp_path: Path, network: str) -> None:
    """Test rows are ordered far above chance; one request's candidates have the scores that the script predicted."""
    torch.set_num_threads(1)
    folder = _build(tmp_path, network=network)
    workspace = Workspace(tmp_path / ".mlsd" / "shop")
    data, history = _training_set(workspace)
    _run(folder / "training" / "ranker.py", workspace)
    manifest = artefacts.open_model(workspace.model("ranker"))
    assert manifest.kind == "deep.ranker"
    assert set(manifest.files) == {"encoding.json", "ranker.onnx"}
    assert not list(workspace.model("ranker").glob("training-*"))

    found = artefacts.read_predictions(workspace.model("ranker"))
    bought = data["bought"].to_numpy()
    test = found.parts.test
    above = found.score[test][bought[test]][:, None] > found.score[test][~bought[test]]
    assert above.mean() > 0.75

    for number in (FIRST_OF_TEST, REQUESTS - 1):
        rows = data.filter(pl.col("request") == number)
        codes = (rows["item_id"].to_numpy() - 100).astype(np.int32)
        names = [one for one in rows.columns if one.split(".")[0] in ("candidates", "product")]
        candidates = Candidates(offsets_of(np.array([len(codes)])), codes, columns_of(rows, names))
        person = SimpleNamespace(taste=rows["person.taste"][0], age=rows["person.age"][0])
        me = SimpleNamespace(ranker=OnnxRanker.load(workspace.model("ranker") / "ranker.onnx"))
        scope = {"self": me, "candidates": candidates, "person": person, "history": history.request(number)}
        served = _served(folder / "service" / "service.py", scope)
        expected = found.score[(data["request"] == number).to_numpy()]
        order = np.argsort(-expected, kind="stable")
        assert served.columns["ranker"] == pytest.approx(expected[order], abs=1e-5)
        assert served.items.tolist() == codes[order].tolist()


def test_two_trainings_of_the_script_give_the_same_bytes(tmp_path: Path) -> None:
    """Its files depend on the training set and the seed alone."""
    torch.set_num_threads(1)
    folder = _build(tmp_path, network="sequence", dropout="0.1", epochs="2", loss="pointwise")
    files = []
    for run in ("a", "b"):
        workspace = Workspace(tmp_path / run)
        _training_set(workspace)
        _run(folder / "training" / "ranker.py", workspace)
        files.append(artefacts.open_model(workspace.model("ranker")).files)
    assert files[0] == files[1]


def test_the_evaluation_reads_the_histories_of_its_requests(tmp_path: Path) -> None:
    """Stages that read histories are given those of all requests in batch, that of the request in the service."""
    folder = _build(tmp_path, network="sequence")
    batch = (folder / "training" / "evaluate.py").read_text()
    assert "history = asked.history\n" in batch
    assert "            history.last(3)[candidates.request_of]" in batch
    assert "recently_interacted(candidates, history, " in batch
    one = (folder / "service" / "service.py").read_text()
    assert "            history.last(3)[candidates.request_of]" in one
    assert "recently_interacted(candidates, history, " in one
