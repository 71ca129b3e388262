"""Each section of a spec is lowered to the ir that it means; defaults, short forms and names are resolved."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import SpecError
from mlsd_framework.ir.environments import Kafka, Secret
from mlsd_framework.ir.expressions import columns
from mlsd_framework.ir.features import RequestGroup, TableGroup, WindowGroup
from mlsd_framework.ir.models import GroupSplit, StratifiedSplit, TimeSplit
from mlsd_framework.ir.sources import Files, Process
from mlsd_framework.ir.system import System
from mlsd_framework.plan.compilation import compile_spec

ROOT = Path(__file__).parents[2]
SPEC = """\
mlsd: 1
system: lowering
requirements:
  latency: {p50: 5ms, p99: 50ms}
  throughput: {peak: 2k/s}
  scale: {events_per_day: 10k}
  availability: 99.9%
sources:
  payments:
    kind: events
    path: data/payments.csv
    key: [payment_id, line]
    event_time: ts
    checks: {nulls: drop, tolerate: 5%}
    schema:
      payment_id: int64
      line: int8
      ts: {type: timestamp, format: seconds, origin: 2020-01-01T00:00:00+02:00}
      card_id: string
      V1: float64
      V2: float64
      amount: {type: money, unit: EUR, min: 0, column: Amount, describe: how much}
      country: {type: category?, values: [FI, SE]}
      is_fraud: bool
      note: {type: string?, known_after: 2d}
  cards:
    kind: table
    path: data/cards.parquet
    key: card_id
    schema: {card_id: string, limit: float64 EUR, opened: timestamp}
  chargebacks:
    kind: table
    path: data/chargebacks.csv
    key: payment_id
    schema: {payment_id: int64, fraud: bool}
entities:
  card: card_id
features:
  activity:
    entity: card
    from: payments
    refresh: 1h
    delay: 30m
    windows: [90m, 1d, lifetime]
    describe: {spend: money spent, payments_1d: payments of a day}
    aggregate:
      payments: count() where country = 'FI' or country is null
      spend: sum(amount)
      countries: count_distinct(country)
      quiet: time_since_last()
  profile: {entity: card, from: cards, columns: [limit]}
  payment:
    at: request
    from: payments
    columns: [V*, amount]
    compute:
      twice: half * 4
      half: amount / 2
      over: payment.twice > profile.limit
label: {name: is_fraud, from: chargebacks, column: fraud, of: payments, join: payment_id, matures_after: 7d}
models:
  fraud:
    kind: catboost.classifier
    features: [activity.*, payment.*, payment.amount, country]
    label: is_fraud
    split: {by: time, gap: 7d, exclude_known: card}
    gates: ["roc_auc>=0.8"]
    imbalance: {class_weights: {"0": 1.0, "1": 5.0}}
    tune: {trials: 3, metric: roc_auc}
  grouped: {kind: isolation_forest, features: amount, split: {by: group, group: card_id, seed: 3}}
serving:
  /v1/decide:
    request: payments
    limits: {rate: 10/s, timeout: 2s}
    pipeline:
      - fetch: [activity, profile]
      - compute: payment
      - score: fraud
      - score: {model: grouped, as: novelty, on_error: skip, budget: 3ms}
      - rules:
          - {name: small, when: amount < 1, action: approve, priority: 5}
          - {name: unusual, when: grouped > 0.9, action: review}
          - {name: first, when: activity.payments_1d = 0, action: review, priority: 9, reason: never seen}
      - decide:
          score: fraud
          actions: [approve, review, decline]
          cost: {false_negative: amount, false_positive: 5, review: 1.5}
      - explain: {model: fraud, on: [decline]}
      - fallback: {action: review, when: [{when: amount < 20, action: approve}]}
metrics:
  offline: [roc_auc, recall_at_precision: 0.9, recall_at_precision: {precision: 0.5, as: loose}, cost]
  slices: {country: by value, amount: [0, 10, 100]}
environments:
  local: {port: 0}
  production: {host: 0.0.0.0, auth: {token: {file: /run/token}}, online_store: {url: {env: REDIS_URL}}, workers: 4}
"""

Compile = Callable[..., System]


@pytest.fixture
def build(tmp_path: Path) -> Compile:
    """Return a function that compiles the spec with some of its text replaced."""

    def run(*pairs: tuple[str, str], environment: str | None = None) -> System:
        text = SPEC
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / "spec.yaml"
        path.write_text(text, encoding="utf-8")
        return compile_spec(path, environment=environment).system

    return run


def faults(build: Compile, *pairs: tuple[str, str]) -> list[Diagnostic]:
    """Return what is wrong with the changed spec."""
    with pytest.raises(SpecError) as caught:
        build(*pairs)
    return list(caught.value.diagnostics)


def test_requirements_are_numbers_and_lengths(build: Compile) -> None:
    """Rates are a second, counts whole, quantiles lengths of time."""
    found = build().requirements
    assert (found.p50, found.p95, found.p99) == (timedelta(milliseconds=5), None, timedelta(milliseconds=50))
    assert (found.peak, found.events_per_day, found.availability) == (2000.0, 10_000, 0.999)


def test_sources_have_typed_columns_keys_and_origins(build: Compile) -> None:
    """Aliases of types, units, times, checks and file names are resolved."""
    payments = build().source("payments")
    amount, country, ts = (payments.column(name) for name in ("amount", "country", "ts"))
    assert payments.key == ("payment_id", "line")
    assert amount is not None
    assert (str(amount.type), amount.minimum, amount.file_column) == ("float64 EUR", 0, "Amount")
    assert country is not None
    assert (country.type.nullable, country.values) == (True, ("FI", "SE"))
    assert ts is not None
    assert ts.origin == "2020-01-01T00:00:00+02:00"
    assert (payments.checks.nulls, payments.checks.tolerate, payments.checks.types) == ("drop", 0.05, "error")
    assert isinstance(payments.origin, Files)
    assert not payments.origin.remote


def test_a_simulated_source_is_a_process_with_settings() -> None:
    """The process's settings are filled in."""
    origin = compile_spec(ROOT / "specs" / "fraud.yaml").system.source("payments").origin
    assert isinstance(origin, Process)
    assert dict(origin.settings)["start"] == "2018-04-01"


def test_window_groups_have_a_feature_for_each_aggregate_and_window(build: Compile) -> None:
    """Names, types, words and order follow the aggregates, then the windows."""
    group = build().group("activity")
    assert isinstance(group, WindowGroup)
    names = [
        f"{name}_{window}"
        for name in ("payments", "spend", "countries", "quiet")
        for window in ("90m", "1d", "lifetime")
    ]
    assert [one.name for one in group.features] == names
    types = {one.name: str(one.type) for one in group.features}
    assert (types["payments_1d"], types["spend_1d"], types["countries_90m"]) == ("int64", "float64 EUR?", "int64")
    assert types["quiet_lifetime"] == "float64 s?"
    words = {one.name: one.describe for one in group.features}
    assert (words["payments_1d"], words["spend_90m"]) == ("payments of a day", "money spent")
    assert (group.refresh, group.delay) == (timedelta(hours=1), timedelta(minutes=30))
    assert group.aggregates[0].where is not None
    assert {one.name for one in columns(group.aggregates[0].where)} == {"country"}


def test_table_groups_take_columns_that_may_be_null(build: Compile) -> None:
    """A key may have no row, so every value can be null."""
    group = build().group("profile")
    assert isinstance(group, TableGroup)
    assert [(one.name, str(one.type)) for one in group.features] == [("limit", "float64 EUR?")]


def test_request_groups_are_in_order_of_need(build: Compile) -> None:
    """An expression stands after those it uses; patterns are filled in; features follow the file."""
    group = build().group("payment")
    assert isinstance(group, RequestGroup)
    assert group.columns == ("V1", "V2", "amount")
    assert [one.name for one in group.computed] == ["half", "twice", "over"]
    assert [one.name for one in group.features] == ["V1", "V2", "amount", "twice", "half", "over"]


def test_the_label_is_joined_to_the_examples(build: Compile) -> None:
    """Its column, its type and its maturity are resolved."""
    label = build().label
    assert label is not None
    assert (label.source, label.column, label.of, label.join) == ("chargebacks", "fraud", "payments", "payment_id")
    assert label.matures_after == timedelta(days=7)


def test_models_have_their_features_once(build: Compile) -> None:
    """Groups are filled in, a feature named twice counts once, request columns stand by their own name."""
    model = build().model("fraud")
    dotted = [one.dotted for one in model.features]
    assert len(dotted) == len(set(dotted))
    assert dotted[-1] == "country"
    assert isinstance(model.split, TimeSplit)
    assert (model.split.gap, model.split.exclude_known) == (timedelta(days=7), ("card_id",))
    assert [(one.metric, one.op, one.value) for one in model.gates] == [("roc_auc", ">=", 0.8)]
    assert model.imbalance.class_weights == (("0", 1.0), ("1", 5.0))
    assert model.tuning is not None
    assert model.tuning.trials == 3
    assert isinstance(build().model("grouped").split, GroupSplit)


def test_splits_of_each_kind(build: Compile) -> None:
    """A split by the label's proportions, and one by lengths of time."""
    changed = build(("{by: time, gap: 7d, exclude_known: card}", "{by: stratified, seed: 4}"))
    assert isinstance(changed.model("fraud").split, StratifiedSplit)
    lengths = "{by: time, start: 2020-01-01T00:00:00Z, train: 7d, validate: 1d, test: 7d, gap: 7d}"
    split = build(("{by: time, gap: 7d, exclude_known: card}", lengths)).model("fraud").split
    assert isinstance(split, TimeSplit)
    assert (split.train, split.start) == (timedelta(days=7), "2020-01-01T00:00:00+00:00")


def test_pipelines_say_what_each_stage_reads_and_writes(build: Compile) -> None:
    """Two stages of one kind have two names; reads and writes are the contract of each."""
    endpoint = build().serving[0]
    assert endpoint.name == "v1_decide"
    stages = {stage.name: stage for stage in endpoint.pipeline}
    assert list(stages) == ["fetch", "compute", "score", "novelty", "rules", "decide", "explain", "fallback"]
    assert [value.dotted for value in stages["fetch"].reads] == ["card_id"]
    assert {value.group for value in stages["fetch"].writes} == {"activity", "profile"}
    assert [value.dotted for value in stages["compute"].reads] == ["V1", "V2", "amount", "profile.limit"]
    assert [value.dotted for value in stages["score"].writes] == ["fraud"]
    assert (stages["novelty"].on_error, stages["novelty"].budget) == ("skip", timedelta(milliseconds=3))
    assert [value.dotted for value in stages["decide"].reads] == ["fraud", "rules_action", "amount"]
    rules = stages["rules"].settings.rules  # type: ignore[attr-defined]
    assert [one.name for one in rules] == ["first", "small", "unusual"]
    assert "note" not in [value.name for value in endpoint.request]
    assert (endpoint.limits.rate, endpoint.limits.timeout, endpoint.limits.body) == (10.0, timedelta(seconds=2), 65_536)


def test_metrics_have_names_parameters_and_needs(build: Compile) -> None:
    """A metric that comes twice has its own name."""
    found = build().metrics
    assert [one.name for one in found.offline] == ["roc_auc", "recall_at_precision", "loose", "cost"]
    assert dict(found.offline[2].parameters) == {"precision": 0.5}
    assert "decision" in found.offline[3].needs
    assert [(one.column, one.bins) for one in found.slices] == [("country", None), ("amount", (0.0, 10.0, 100.0))]


def test_environments_hold_secrets_by_reference(build: Compile) -> None:
    """The chosen environment alone is lowered."""
    local, production = build().environment, build(environment="production").environment
    assert (local.name, local.port, local.token, local.loopback) == ("local", 0, None, True)
    assert production.token is not None
    assert (production.token.source, production.token.name) == ("file", "/run/token")
    assert production.online_store is not None
    assert production.online_store.name == "REDIS_URL"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("sum(amount)", "sum(amuont)"), "E2051"),
        (("amount / 2", "amuont / 2"), "E2051"),
        (("profile.limit", "profile.limt"), "E2051"),
        (("columns: [limit]", "columns: [limt]"), "E2003"),
        (("card: card_id", "card: cardid"), "E2003"),
        (("amount: {type: money", "amount: {type: mony"), "E2034"),
        (("    kind: table\n    path: data/cards", "    kind: tabl\n    path: data/cards"), "E1104"),
        (("- compute: payment", "- compute: paymnt"), "E2001"),
        (("- score: fraud", "- score: fruad"), "E2002"),
        (("when: amount < 1,", "when: amuont < 1,"), "E2051"),
        (("action: approve, priority: 5", "action: aprove, priority: 5"), "E2044"),
        (("false_negative: amount", "false_negative: amuont"), "E2051"),
        (("on: [decline]", "on: [declin]"), "E2044"),
        (("from: chargebacks", "from: chargeback"), "E2004"),
        (("column: fraud", "column: fruad"), "E2003"),
        (("    label: is_fraud", "    label: isfraud"), "E2006"),
        (("exclude_known: card", "exclude_known: crad"), "E2005"),
        (("metric: roc_auc", "metric: rocauc"), "E2106"),
        (("slices: {country", "slices: {contry"), "E2110"),
        (("payments_1d = 0", "payments_2d = 0"), "E2051"),
        (("group: card_id", "group: card_i"), "E2110"),
    ],
)
def test_one_typo_is_one_fault(build: Compile, change: tuple[str, str], code: str) -> None:
    """A mistyped name anywhere gives exactly one diagnostic, at the word, with nothing that follows from it."""
    found = faults(build, change)
    assert [one.code for one in found] == [code]
    assert found[0].span is not None


def test_faults_of_all_sections_come_at_once_in_order_of_place(build: Compile) -> None:
    """Nothing stops at the first."""
    found = faults(
        build, ("sum(amount)", "sum(amuont)"), ("column: fraud", "column: fruad"), ("- score: fraud", "- score: fruad")
    )
    assert [one.code for one in found] == ["E2051", "E2003", "E2002"]
    spans = [one.span for one in found if one.span is not None]
    assert spans == sorted(spans)


def test_streams_updaters_and_brokers_are_lowered(build: Compile) -> None:
    """An environment says where streams are kept, how many updaters there are, and what a full store does."""
    plain = build(environment="local").environment
    assert (plain.updaters, plain.stream, plain.store_evict) == (1, None, "never")
    asked = (
        "{port: 0, updaters: 3, store_evict: idle_states, "
        "stream: {kafka: {brokers: {env: BROKERS}, protocol: sasl_ssl, "
        "username: {env: KAFKA_USER}, password: {file: secrets/kafka}, ca: ca.pem}}}"
    )
    found = build(("local: {port: 0}", f"local: {asked}"), environment="local").environment
    assert (found.updaters, found.store_evict) == (3, "idle_states")
    assert found.stream == Kafka(
        brokers=Secret("env", "BROKERS"),
        protocol="sasl_ssl",
        mechanism="SCRAM-SHA-512",
        username=Secret("env", "KAFKA_USER"),
        password=Secret("file", "secrets/kafka"),
        ca="ca.pem",
    )
