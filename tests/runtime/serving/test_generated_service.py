"""The services that the compiler writes, with real models and a real store, in this process and as workers."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import polars as pl
import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.live_names import LiveNames
from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.publishing import publishing
from mlsd_framework.runtime.features.resp import Address, encode
from mlsd_framework.runtime.serving.bundle import load_bundle
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.stream.live_store import LiveStore
from tests.runtime.serving.generated_services import GeneratedService, again, build
from tests.runtime.serving.valkey_process import Valkey

PAYMENT = {
    "payment_id": 1,
    "ts": "2026-01-31T12:00:00Z",
    "card_id": 7,
    "terminal_id": 3,
    "amount": 40.0,
    "merchant_category": "grocery",
    "channel": "online",
}
NUMBERS = {f"V{i}": float(v) for i, v in enumerate(np.random.default_rng(3).normal(size=28), 1)}
ULB: dict[str, Any] = {"payment_id": 1, "time": "2013-09-02T07:30:00Z", "amount": 212.5, **NUMBERS}
EVENTS = pl.DataFrame(
    {
        "payment_id": [11, 12, 13],
        "ts": [datetime(2026, 1, 31, 11, minute, tzinfo=UTC) for minute in (20, 30, 55)],
        "card_id": [7, 7, 7],
        "terminal_id": [3, 4, 4],
        "amount": [4.0, 50.0, 6.0],
    },
    schema_overrides={"ts": pl.Datetime("us", "UTC")},
)
STORED = {
    "card_activity.payments": 3,
    "card_activity.spend_mean": 20.0,
    "card_activity.spend_max": 50.0,
    "card_velocity.payments": 3,
    "card_velocity.payments_10m": 1,
    "card_velocity.spend": 60.0,
    "card_velocity.spend_10m": 6.0,
    "card_velocity.spend_max": 50.0,
    "card_velocity.spend_max_10m": 6.0,
    "card_velocity.terminals": 2,
    "card_velocity.terminals_10m": 1,
    "terminal_activity.payments": 5,
}


@pytest.fixture(scope="module")
def card_fraud(tmp_path_factory: pytest.TempPathFactory) -> GeneratedService:
    """The service of specs/fraud.yaml."""
    return build("fraud.yaml", tmp_path_factory.mktemp("card-fraud"))


@pytest.fixture(scope="module")
def fraud_ulb(tmp_path_factory: pytest.TempPathFactory) -> GeneratedService:
    """The service of specs/benchmarks/fraud_ulb.yaml."""
    return build("benchmarks/fraud_ulb.yaml", tmp_path_factory.mktemp("fraud-ulb"))


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey on a Unix socket."""
    with Valkey(tmp_path) as running:
        yield running


def publish(service: GeneratedService, url: str) -> None:
    """Put the states of card 7 into the store, and a row of terminal 3."""
    module = service.module
    layouts = (module.TERMINAL_ACTIVITY, module.TERMINAL_RISK)
    store = OnlineStore.connect(url, system="card-fraud", features=module.FEATURES, layouts=layouts, timeout=2.0)
    row = {"terminal_id": [3], **{one.name: [5] for one in module.TERMINAL_ACTIVITY.columns}}
    with publishing(store, datetime.now(UTC)) as generation:
        generation.write("terminal_activity", pl.DataFrame(row))
    store.close()
    live, generation = LiveStore(Address.parse(url), LiveNames("card-fraud", module.FEATURES)), b"1"
    commands = [encode(b"SET", live.names.live, generation)]
    for layout in (module.CARD_ACTIVITY, module.CARD_VELOCITY):
        keys, blocks = layout.blocks(EVENTS)
        prefix = live.names.states(generation, layout.group.name)
        commands += [encode(b"SET", prefix + key, block) for key, block in zip(keys, blocks, strict=True)]
    live.pipeline(commands)
    live.close()


def answer(service: GeneratedService, request: dict[str, Any], seconds: float = 60.0) -> Any:
    """Run the pipeline in this process."""
    endpoint = service.module.APP.endpoints["/decide"]
    handler = endpoint.pipeline(load_bundle(service.bundle.folder))
    call = Call("r", time.perf_counter(), seconds)
    return handler(endpoint.decoder.decode(msgspec.json.encode(request)), call)


def test_ulb_scores_as_catboost_does(fraud_ulb: GeneratedService) -> None:
    """A request's score is CatBoost's own of the same row, its hour and its logarithm computed at request time."""
    found = answer(fraud_ulb, ULB)
    values = {**ULB, "hour": 7, "log_amount": np.log(213.5)}
    row = [values[name.removeprefix("payment.")] for name in fraud_ulb.features]
    assert found.score == pytest.approx(fraud_ulb.model.predict_proba([np.array(row, np.float32)])[0, 1], abs=1e-9)
    assert len(found.reasons) == 3


def test_card_fraud_scores_what_the_store_holds(
    card_fraud: GeneratedService, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the store, request-time features and categories reach the model in its order."""
    monkeypatch.setenv("MLSD_STORE_URL", valkey.url)
    publish(card_fraud, valkey.url)
    found = answer(card_fraud, PAYMENT)
    values: dict[str, float | str] = {"payment.amount": 40.0, "payment.night": 0, "payment.amount_ratio": 2.0}
    values |= {"payment.max_ratio": 2.5, "payment.merchant_category": "grocery", "payment.channel": "online"}
    row: list[float | str] = []
    for name in card_fraud.features:
        stem = name.rpartition("_")[0]
        missing = float("nan") if stem == "terminal_risk.fraud_rate" else 0
        row.append(values.get(name, STORED.get(name, STORED.get(stem, missing))))
    assert found.degraded == []
    assert found.score == pytest.approx(card_fraud.model.predict_proba([row])[0, 1], abs=1e-6)


def test_strange_payment_is_novel_and_an_ordinary_one_is_not(
    card_fraud: GeneratedService, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule on novelty fires for what the forest isolates soonest, and for nothing ordinary."""
    monkeypatch.setenv("MLSD_STORE_URL", valkey.url)
    publish(card_fraud, valkey.url)
    assert [r.name for r in answer(card_fraud, PAYMENT | {"amount": 90_000.0}).reasons if r.kind == "rule"] == [
        "unusual"
    ]
    assert [
        r.name for r in answer(card_fraud, PAYMENT | {"amount": 201.0, "card_id": 8}).reasons if r.kind == "rule"
    ] == []


@pytest.mark.parametrize(("broken", "degraded"), [("novelty", ["score_2"]), ("fraud", ["score"])])
def test_a_model_that_fails_leaves_an_answer(
    card_fraud: GeneratedService, valkey: Valkey, monkeypatch: pytest.MonkeyPatch, broken: str, degraded: list[str]
) -> None:
    """Without novelty the rules on it are null and the fraud model decides; without that model the fallback does."""
    monkeypatch.setenv("MLSD_STORE_URL", valkey.url)
    publish(card_fraud, valkey.url)
    endpoint = card_fraud.module.APP.endpoints["/decide"]
    handler = endpoint.pipeline(load_bundle(card_fraud.bundle.folder))
    setattr(handler, broken, None)
    request = endpoint.request(
        payment_id=1,
        ts=datetime(2026, 1, 31, tzinfo=UTC),
        card_id=7,
        terminal_id=3,
        amount=40.0,
        merchant_category="a",
        channel="online",
    )
    found = handler(request, Call("r", time.perf_counter(), 60.0))
    assert found.degraded == degraded
    assert (found.score is None, found.action) == ((True, "review") if broken == "fraud" else (False, found.action))


@pytest.mark.process
def test_the_store_dies_hangs_and_returns_behind_a_worker(
    card_fraud: GeneratedService, listening: socket.socket, launch: Callable[..., Any], valkey: Valkey
) -> None:
    """Answers stay whole and in time while the store hangs or is dead, say so, and recover with it."""
    publish(card_fraud, valkey.url)
    worker = launch(listening, card_fraud.bundle.folder, service=card_fraud.path, MLSD_STORE_URL=valkey.url)

    def degraded() -> list[str]:
        answered = client.post("/decide", json=PAYMENT)
        assert answered.status_code == 200, answered.text
        found: list[str] = answered.json()["degraded"]
        return found

    def recovers() -> bool:
        limit = time.monotonic() + 15
        while degraded():
            assert time.monotonic() < limit
            time.sleep(0.1)
        return True

    with httpx.Client(base_url=worker.url, timeout=5) as client:
        assert recovers()
        valkey.freeze()
        assert all(degraded() == ["fetch"] for _ in range(20))
        valkey.thaw()
        assert recovers()
        valkey.kill()
        assert all(degraded() == ["fetch"] for _ in range(20))
        valkey.start()
        assert degraded() == ["fetch"]  # nothing is published yet
        publish(card_fraud, valkey.url)
        assert recovers()
        metrics = client.get("/metrics").text
    assert 'mlsd_degraded_total{endpoint="/decide",stage="fetch"}' in metrics


@pytest.mark.process
def test_worker_shows_a_real_row_and_carries_nothing_heavy(
    fraud_ulb: GeneratedService, listening: socket.socket, launch: Callable[..., Any]
) -> None:
    """The example is the first row of the bundle that is a request; one that is none is logged; training stays away."""
    row = ULB | {"amount": 77.25}
    rows = {"/decide": [{"label": 1, "request": row | {"V1": "x"}}, {"label": 0, "request": row}]}
    bundle = again(fraud_ulb, "v2", {"requests.json": json.dumps(rows).encode()})
    worker = launch(listening, bundle.folder, service=fraud_ulb.path)
    with httpx.Client(base_url=worker.url) as client:
        described = client.get("/openapi.json").json()
        example = described["paths"]["/decide"]["post"]["requestBody"]["content"]["application/json"]["example"]
        body = client.post("/decide", json=example).json()
    assert example == row
    assert body["action"] in ("approve", "review", "decline")
    assert body["version"] == "v2"
    maps = Path(f"/proc/{worker.process.pid}/maps").read_text()
    heavy = ("catboost", "polars", "sklearn", "scipy/linalg", "pandas", "pyarrow", "torch", "feast", "onnxruntime")
    assert [name for name in heavy if f"/{name}/" in maps] == []
    status, logged = worker.stop()
    assert status == 0
    assert "Expected `float`, got `str` - at `$.V1`" in logged


def test_a_model_of_other_features_is_refused_at_start(
    fraud_ulb: GeneratedService, card_fraud: GeneratedService
) -> None:
    """A service that cannot answer its own example does not start (E6415)."""
    wrong = {"models/fraud/trees.safetensors": card_fraud.bundle.file("models/fraud/trees.safetensors")}
    bundle = again(fraud_ulb, "wrong", wrong)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSD_BUNDLE", str(bundle.folder))
        with pytest.raises(RunError, match="stage `score` fails") as error:
            fraud_ulb.module.APP.start()
    assert error.value.diagnostics[0].code == "E6415"


def test_without_a_store_address_the_service_says_so(
    card_fraud: GeneratedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing tells the address of the store, the start is refused (E6414)."""
    monkeypatch.delenv("MLSD_STORE_URL", raising=False)
    monkeypatch.setenv("MLSD_BUNDLE", str(card_fraud.bundle.folder))
    with pytest.raises(RunError) as error:
        card_fraud.module.APP.start()
    assert error.value.diagnostics[0].code == "E6414"
