"""Training scripts that the compiler writes run on a small training set, whatever the spec asks of them."""

import io
import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.diagnostics.errors import RunError, SpecError
from mlsd_framework.plan.compilation import compile_spec
from mlsd_framework.runtime.serving import calibration
from mlsd_framework.runtime.serving.bundle import load_bundle
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.serving.onnx import OnnxModel
from mlsd_framework.runtime.serving.trees import CompiledTrees
from mlsd_framework.runtime.serving.worker import load_service
from mlsd_framework.runtime.training import artefacts
from mlsd_framework.runtime.workspace import Workspace
from mlsd_framework.targets import artefacts as targets

ROWS = 2000
SPEC = """
mlsd: 1
system: tiny
sources:
  payments:
    kind: events
    path: data/payments.parquet
    key: payment_id
    event_time: ts
    schema:
      payment_id: int64
      ts: timestamp
      card_id: int64
      amount: {type: float64, unit: EUR, min: 0}
      velocity: float64?
      country: category
      is_fraud: bool
entities:
  card: {key: card_id}
features:
  payment:
    at: request
    from: payments
    columns: [amount, velocity, country]
    compute:
      log_amount: ln(amount + 1)
label: {name: is_fraud, from: payments, column: is_fraud}
models:
  fraud:
    kind: catboost.classifier
    features: [payment.*]
    label: is_fraud
    iterations: 20
    depth: 3
  novelty:
    kind: isolation_forest
    features: [payment.amount, payment.velocity]
    trees: 20
serving:
  /decide:
    request: payments
    pipeline:
      - compute: payment
      - score: fraud
      - score: {model: novelty, on_error: skip}
      - rules:
          - {name: strange, when: novelty > 0.9, action: review, reason: the payment is unlike any seen before}
      - decide:
          score: fraud
          cost: {false_negative: amount, false_positive: 5, review: 2}
          actions: [approve, review, decline]
      - explain: {model: fraud, top: 2}
metrics:
  offline: [average_precision, cost, calibration_error]
  bootstrap: 20
"""
NUMBERS = "features=[payment.amount,payment.log_amount]"
DATES = "start: 2026-01-01T00:00:00Z, train: 5d, validate: 2d, test: 2d, gap: 1d"
VARIANTS = {
    "tuned": ["tune={trials: 3}"],
    "tuned_loss_refit": ["tune={trials: 2, metric: log_loss}", "refit=true"],
    "under": ["imbalance={sampling: under, ratio: 0.5}", "refit=true"],
    "over": ["imbalance={sampling: over, ratio: 0.5, class_weights: balanced}"],
    "smote": [NUMBERS, "imbalance={sampling: smote, ratio: 0.5}", "refit=true", "calibration=sigmoid"],
    "weights": ["imbalance={class_weights: {'0': 1, '1': 3}}", "calibration=sigmoid"],
    "isotonic": ["calibration=isotonic", "refit=true"],
    "early": ["early_stopping=3", "eval_metric=PRAUC"],
    "early_weighted": ["early_stopping=3", "eval_metric=PRAUC", "imbalance={class_weights: sqrt_balanced}"],
    "group": ["split={by: group, group: card_id}"],
    "stratified": ["split={by: stratified, seed: 3}"],
    "dates": [f"split={{by: time, {DATES}}}"],
    "known": [f"split={{by: time, {DATES}, exclude_known: card}}"],
}


def _payments() -> pl.DataFrame:
    random = np.random.default_rng(0)
    amount = random.exponential(60, ROWS).round(2)
    country = random.choice(["NL", "BE", "DE"], ROWS)
    odds = -3.5 + amount / 50 + 1.2 * (country == "DE")
    return pl.DataFrame(
        {
            "payment_id": np.arange(ROWS),
            "ts": pl.Series(1_767_225_600_000_000 + np.arange(ROWS) * 600_000_000).cast(pl.Datetime("us", "UTC")),
            "card_id": random.integers(0, 300, ROWS),
            "amount": amount,
            "velocity": np.where(random.random(ROWS) < 0.1, None, random.poisson(1.0, ROWS)).astype(float),
            "country": country,
            "is_fraud": random.random(ROWS) < 1 / (1 + np.exp(-odds)),
        },
        nan_to_null=True,
    )


def _build(project: Path, *assignments: str) -> Path:
    """Write what the compiler makes of the spec and return its folder."""
    (project / "specs").mkdir(parents=True, exist_ok=True)
    spec = project / "specs" / "tiny.yaml"
    spec.write_text(SPEC)
    compiled = compile_spec(spec, assignments=assignments)
    folder = project / "generated" / "tiny"
    write(folder, {one.path: one.text for one in targets(compiled.system, compiled.registry)})
    return folder


def _run(script: Path, workspace: Workspace) -> None:
    """Run a script as a process would, in this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSD_PROJECT", str(workspace.root.parent.parent))
        patch.syspath_prepend(script.parent)
        patch.setattr(sys, "argv", [str(script), str(workspace.root)] if script.name != "dataset.py" else [str(script)])
        runpy.run_path(str(script), run_name="__main__")
    sys.modules.pop("features", None)


def _set(workspace: Workspace) -> None:
    """Write the training set as `dataset.py` does."""
    workspace.root.mkdir(parents=True)
    payments = _payments()
    taken = pl.col("amount", "velocity", "country").name.prefix("payment.")
    log = (pl.col("amount") + 1).log().alias("payment.log_amount")
    payments.with_columns(taken, log).write_parquet(workspace.dataset)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_way_to_train_runs(tmp_path: Path, variant: str) -> None:
    """Scores beat chance on unseen rows, no row is in two parts, and the compiled trees score as was predicted."""
    keys = [f"models.fraud.{one}" for one in VARIANTS[variant]]
    keys += ["models.novelty.label=is_fraud", *(one.replace("fraud", "novelty", 1) for one in keys if "split=" in one)]
    folder = _build(tmp_path, *keys)
    workspace = Workspace(tmp_path / ".mlsd" / "tiny")
    _set(workspace)
    for model in ("fraud", "novelty"):
        _run(folder / "training" / f"{model}.py", workspace)
        artefacts.open_model(workspace.model(model))
    found = artefacts.read_predictions(workspace.model("fraud"))
    label = _payments()["is_fraud"].to_numpy()
    test = found.parts.test
    assert found.score[test][label[test]].mean() > found.score[test][~label[test]].mean()
    rows = np.concatenate([rows for _, rows in found.parts])
    assert len(np.unique(rows)) == len(rows)
    _same_scores(workspace, found, test[:50])


def _same_scores(workspace: Workspace, found: artefacts.Predictions, rows: np.ndarray) -> None:
    """Compare what the service would answer with the predictions of rows that the served model has not learned."""
    manifest = artefacts.open_model(workspace.model("fraud"))
    trees = CompiledTrees.load(workspace.model("fraud") / "trees.safetensors")
    curve = calibration.read(workspace.model("fraud") / "calibration.json")
    data = artefacts.read_dataset(workspace.dataset, manifest.features)
    floats = data.with_columns(pl.col(pl.Float64).cast(pl.Float32).cast(pl.Float64))
    served = [trees.score(row) for row in floats[rows].rows()]
    assert served == pytest.approx(found.score[rows], abs=1e-12)
    assert [curve(score) for score in found.score[rows].tolist()] == found.probability[rows].tolist()


def test_smote_and_categories_do_not_go_together(tmp_path: Path) -> None:
    """E6313 names the categories and a way out."""
    folder = _build(tmp_path, "models.fraud.imbalance={sampling: smote}")
    workspace = Workspace(tmp_path / ".mlsd" / "tiny")
    _set(workspace)
    with pytest.raises(RunError, match=r"E6313.*`payment\.country`"):
        _run(folder / "training" / "fraud.py", workspace)


def test_class_weights_are_of_the_two_classes(tmp_path: Path) -> None:
    """Another key is a fault of the spec and never code."""
    with pytest.raises(SpecError):
        _build(tmp_path, "models.fraud.imbalance.class_weights={\"__import__('os').abort()\": 1.0}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Workspace, str]:
    """Run all steps from the data to the version and keep what the last one printed."""
    project = tmp_path_factory.mktemp("project")
    folder = _build(project, "models.fraud.calibration=isotonic")
    (project / "data").mkdir()
    _payments().write_parquet(project / "data" / "payments.parquet")
    workspace = Workspace(project / ".mlsd" / "tiny")
    for name in ("dataset", "fraud", "novelty"):
        _run(folder / "training" / f"{name}.py", workspace)
    with pytest.MonkeyPatch.context() as patch:
        out = io.StringIO()
        patch.setattr(sys, "stdout", out)
        _run(folder / "training" / "evaluate.py", workspace)
    return folder, workspace, out.getvalue()


@pytest.fixture(scope="module")
def service(whole: tuple[Path, Workspace, str]) -> Any:
    """The generated service as a module."""
    before = list(sys.path)
    try:
        return load_service(whole[0] / "service" / "service.py")
    finally:
        sys.path[:] = before
        sys.modules.pop("service", None)


def test_the_evaluation_ends_with_figures_and_the_version(whole: tuple[Path, Workspace, str]) -> None:
    """A table of the test part, then the version, which report and card name too; the entry leads to the report."""
    _, workspace, printed = whole
    (version,) = [path.name for path in workspace.versions.iterdir()]
    lines = printed.strip().splitlines()
    assert lines[-1] == f"version {version}"
    assert any(line.startswith("fraud: test part, 300 rows") for line in lines)
    assert any(line.split()[0] == "average_precision" and " to " in line for line in lines if line)
    assert f"version {version}." in (workspace.model("fraud") / "card.md").read_text()
    assert f"<b>{version}</b>" in (workspace.evaluation / "fraud.report.html").read_text()
    assert 'url=fraud.report.html"' in (workspace.evaluation / "report.html").read_text()


def test_real_rows_are_requests_that_the_service_takes(whole: tuple[Path, Workspace, str], service: Any) -> None:
    """Forty rows of the test part, half of them frauds, in order of time; each decodes to the row that it was."""
    _, workspace, _ = whole
    kept = json.loads((workspace.evaluation / "requests.json").read_text())
    assert list(kept) == ["/decide"]
    decoder = service.APP.endpoints["/decide"].decoder
    requests = [decoder.decode(json.dumps(row["request"]).encode()) for row in kept["/decide"]]
    ids = [request.payment_id for request in requests]
    truth = _payments()["is_fraud"].to_list()
    assert len(ids) == 40
    assert ids == sorted(ids)
    assert [row["label"] for row in kept["/decide"]] == [truth[number] for number in ids]
    assert sum(row["label"] for row in kept["/decide"]) == 20
    test = set(artefacts.read_predictions(workspace.model("fraud")).parts.test.tolist())
    assert set(ids) <= test
    payments = _payments()
    for request in requests:
        assert request.amount == payments["amount"][request.payment_id]
        assert request.velocity == payments["velocity"][request.payment_id]


def test_the_service_answers_what_training_predicted(
    whole: tuple[Path, Workspace, str],
    service: Any,
) -> None:
    """The decision's score is the probability of the same row in the predictions, from the request to the answer."""
    _, workspace, _ = whole
    (version,) = list(workspace.versions.iterdir())
    endpoint = service.APP.endpoints["/decide"]
    handler = endpoint.pipeline(load_bundle(version))
    fraud, novelty = (artefacts.read_predictions(workspace.model(name)) for name in ("fraud", "novelty"))
    strange = 0
    for row in json.loads((workspace.evaluation / "requests.json").read_text())["/decide"]:
        request = endpoint.decoder.decode(msgspec.json.encode(row["request"]))
        decision = handler(request, Call("r", time.perf_counter(), 60.0))
        assert decision.score == pytest.approx(fraud.probability[request.payment_id], abs=1e-9)
        fires = novelty.probability[request.payment_id] > 0.9
        assert ("strange" in [reason.name for reason in decision.reasons]) == fires
        strange += fires
    assert strange > 0


def test_novelty_is_the_same_to_the_last_bit(whole: tuple[Path, Workspace, str]) -> None:
    """One row at a time, as the service asks, gives exactly the ranks of the predictions, nulls included."""
    _, workspace, _ = whole
    folder = workspace.model("novelty")
    forest, rank = OnnxModel.load(folder / "model.onnx"), calibration.read(folder / "calibration.json")
    names = artefacts.open_model(folder).features
    rows = artefacts.read_dataset(workspace.dataset, names).rows()
    found = artefacts.read_predictions(folder)
    assert any(None in row for row in rows)
    assert [rank(forest.score(row)) for row in rows] == found.probability.tolist()
    assert rank(forest.score((1e6, 50.0))) > 0.99
    assert rank(forest.score((40.0, 1.0))) < 0.5
