"""Overlays: an environment's overrides and `--set`, what they change, and where each value then stands."""

from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.plan.compilation import Compiled, compile_spec
from mlsd_framework.spec.overlay import merge, parse_assignment

SPEC = """\
mlsd: 1
system: overlays
sources:
  payments:
    kind: events
    path: data/payments.csv
    key: payment_id
    event_time: ts
    schema: {payment_id: int64, ts: timestamp, card_id: string, amount: float64, is_fraud: bool}
features:
  payment: {at: request, from: payments, columns: [amount], compute: {night: hour(ts) < 6}}
label: {name: is_fraud, from: payments}
models:
  fraud:
    kind: catboost.classifier
    features: [payment.*]
    label: is_fraud
    depth: 6
serving:
  /decide:
    request: payments
    pipeline:
      - compute: payment
      - score: {model: fraud, budget: 20ms}
      - decide: {score: fraud, actions: [approve, decline], thresholds: {decline: 0.5}}
environments:
  local: {}
  production:
    port: 3200
    overrides:
      models:
        fraud: {iterations: 77, features: [amount]}
      label: {matures_after: 0s}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """Return the path of a small spec with two environments."""
    path = tmp_path / "overlays.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def line(needle: str) -> int:
    """Return the line of the spec that holds `needle`."""
    return next(number for number, row in enumerate(SPEC.split("\n"), 1) if needle in row)


def setting(compiled: Compiled, name: str) -> object:
    """Return a setting of the model."""
    return compiled.system.model("fraud").setting(name)


def test_overrides_change_their_environment_alone(spec: Path) -> None:
    """Mappings are merged key by key, lists are replaced whole; another environment sees nothing of it."""
    local, production = compile_spec(spec), compile_spec(spec, environment="production")
    assert (setting(local, "iterations"), setting(production, "iterations")) == (500, 77)
    assert setting(production, "depth") == 6
    assert [one.dotted for one in production.system.model("fraud").features] == ["amount"]
    assert [one.dotted for one in local.system.model("fraud").features] == ["payment.amount", "payment.night"]
    assert production.system.environment.port == 3200


def test_the_origin_of_each_value_is_kept(spec: Path) -> None:
    """A value comes from a line, from an environment's line, from `--set`, or is a default."""
    text = "models.fraud.depth=4"
    layers = compile_spec(spec, environment="production", assignments=[text]).loaded.layers
    origins = {
        ("models", "fraud", "depth"): f"--set {text}",
        ("models", "fraud", "iterations"): f"environment `production`, line {line('iterations: 77')}",
        ("models", "fraud", "label"): f"line {line('label: is_fraud')}",
        ("models", "fraud", "calibration"): "default",
        ("environments", "production", "port"): f"line {line('port: 3200')}",
        ("environments", "production", "host"): "default",
        ("serving", "/decide", "pipeline", 1, "score", "budget"): f"line {line('budget: 20ms')}",
    }
    assert {at: layers.origin(at) for at in origins} == origins


def test_a_value_is_placed_in_the_layer_that_wrote_it(spec: Path) -> None:
    """Overrides point at their own lines, `--set` at its own text."""
    layers = compile_spec(spec, environment="production", assignments=["models.fraud.depth=4"]).loaded.layers
    assert layers.place(("models", "fraud", "iterations")).line == line("iterations: 77")
    assert layers.place(("models", "fraud", "features", 0)).line == line("iterations: 77")
    assert layers.place(("models", "fraud", "label")).line == line("label: is_fraud")
    assert layers.place(("models", "fraud", "depth")).path == "--set models.fraud.depth=4"
    assert layers.place(("models", "fraud", "depth"), key=True).path == "--set models.fraud.depth=4"


def test_assignments_reach_items_of_lists(spec: Path) -> None:
    """A number in the path names an item; the last assignment wins."""
    texts = [
        "serving./decide.pipeline.1.score.budget=5ms",
        "serving./decide.pipeline.1.score.budget=7ms",
        "models.fraud.features.0=amount",
        "models.fraud.imbalance.class_weights=balanced",
        "features.payment.compute.large=amount > 100",
    ]
    system = compile_spec(spec, assignments=texts).system
    score = system.serving[0].pipeline[1]
    assert score.budget is not None
    assert score.budget.total_seconds() == 0.007
    assert [one.dotted for one in system.model("fraud").features] == ["amount"]
    assert system.model("fraud").imbalance.class_weights == "balanced"
    assert "large" in [one.name for one in system.group("payment").features]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("models.fraud", "E1012"),
        ("=3", "E1012"),
        ("models..depth=3", "E1012"),
        ("models.fraud.depth.x=3", "E1012"),
        ("models.fraud.features.9=amount", "E1012"),
        ("models.fraud.features.-1=amount", "E1012"),
        ("models.fraud.features.²=amount", "E1012"),
        ("a=b\nc", "E1012"),
        ("models.fraud.depth=[1", "E1002"),
        ("models.fraud.depth=a: b", "E1002"),
        ("models.fraud.depth=!!python/object/apply:os.system [id]", "E1008"),
        ("models.fraud.depth=*x", "E1002"),
        ("models.fraud.depth=" + "[" * 5000, "E1003"),
        ("models.fraud.depth=deep", "E1103"),
        ("models.fraud.dept=3", "E1102"),
        ("sources.payments.path=https://me:hunter2@example.org/x.csv", "E1105"),
    ],
)
def test_a_wrong_assignment_is_one_fault_that_names_it(spec: Path, text: str, code: str) -> None:
    """Each fault of a `--set` has one code and shows the assignment, but never a secret in it."""
    with pytest.raises(SpecError) as caught:
        compile_spec(spec, assignments=[text])
    [one] = caught.value.diagnostics
    assert one.code == code
    shown = f"{one.what} {one.span}"
    assert "--set" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "${", "${a", "???", "{{ x }}", "$(id)", "\\${x}"])
def test_no_text_is_filled_in(text: str) -> None:
    """OmegaConf's own syntax is plain text, in keys and values, in the base and in the overlay."""
    base = {"a": {"k": text, text: 1, "kept": [text]}, "b": 2}
    assert merge(base, {"b": {"x": text}}, []) == {"a": base["a"], "b": {"x": text}}
    assert merge(base, {"a": {"k": 1}}, [])["a"] == {"k": 1, text: 1, "kept": [text]}


@pytest.mark.parametrize(
    ("low", "high"), [(1, {"x": 1}), ({"x": 1}, 1), ([1], {"x": 1}), ({"x": 1}, [1]), ([1], [2, 3])]
)
def test_values_of_other_kinds_are_replaced(low: object, high: object) -> None:
    """What is no mapping on both sides is replaced whole."""
    assert merge({"a": low, "b": 1}, {"a": high}, []) == {"a": high, "b": 1}


def test_merging_leaves_its_inputs_alone() -> None:
    """The file's data stays what it was."""
    data, over = {"a": {"b": [1, {"c": 2}]}}, {"a": {"d": 3}}
    merge(data, over, [parse_assignment("a.b.1.c=5"), parse_assignment("a.e.f=6")])
    assert data == {"a": {"b": [1, {"c": 2}]}}
    assert over == {"a": {"d": 3}}
