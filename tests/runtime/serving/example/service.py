"""The decision service of card-fraud: one payment in, one decision with its reasons out."""

import os
from typing import Annotated

import bentoml
from msgspec import Meta, Struct

from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.features.packed import RowLayout
from mlsd_framework.runtime.features.windows import FeatureColumn
from mlsd_framework.runtime.serving import calibration
from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.bundle import Bundle
from mlsd_framework.runtime.serving.call import Call, Stage
from mlsd_framework.runtime.serving.decision import Decision, Rule, Thresholds, expected_cost_ratio, fired
from mlsd_framework.runtime.serving.limits import KIB, Limits
from mlsd_framework.runtime.serving.moments import Moment, microseconds
from mlsd_framework.runtime.serving.reasons import Feature, Reason, feature_reasons, rule_reason
from mlsd_framework.runtime.serving.trees import CompiledTrees

APP = Application(
    "card-fraud",
    spec="sha256:spec",
    features="sha256:features",
    file=__file__,
    limits=Limits(body=64 * KIB, timeout=0.25, concurrency=256),
)


# from specs/fraud.yaml:12
class Payment(Struct, forbid_unknown_fields=True, kw_only=True):
    """A card payment that asks to be approved."""

    payment_id: str
    card_id: str
    amount: Annotated[float, Meta(ge=0, description="EUR")]
    ts: Moment
    country: str | None = None


# from specs/fraud.yaml:30
CARD_ACTIVITY = RowLayout(
    "card_activity",
    (
        FeatureColumn("payments_1d", "int64", 0),
        FeatureColumn("payments_7d", "int64", 0),
        FeatureColumn("payments_30d", "int64", 0),
        FeatureColumn("spend_1d", "float64", 0.0),
        FeatureColumn("spend_7d", "float64", 0.0),
        FeatureColumn("spend_30d", "float64", 0.0),
        FeatureColumn("spend_mean_1d", "float64", None),
        FeatureColumn("spend_mean_7d", "float64", None),
        FeatureColumn("spend_mean_30d", "float64", None),
        FeatureColumn("merchants_7d", "int64", 0),
    ),
    entity=("card_id",),
)


# from specs/fraud.yaml:42
def hour(ts: int) -> int:
    """Return the hour of the day, UTC, of microseconds since 1970."""
    return ts // 3_600_000_000 % 24


def amount_ratio(amount: float, spend_mean_7d: float | None) -> float | None:
    """Return amount / nullif(card_activity.spend_mean_7d, 0)."""
    return amount / spend_mean_7d if spend_mean_7d else None


# from specs/fraud.yaml:55
FEATURES = (
    Feature("amount", "amount", "EUR"),
    Feature("hour", "hour of the day"),
    Feature("amount_ratio", "amount against the card's mean of 7 days"),
    Feature("payments_1d", "payments in 1 day"),
    Feature("payments_7d", "payments in 7 days"),
    Feature("payments_30d", "payments in 30 days"),
    Feature("spend_1d", "spend in 1 day", "EUR"),
    Feature("spend_7d", "spend in 7 days", "EUR"),
    Feature("spend_30d", "spend in 30 days", "EUR"),
    Feature("spend_mean_1d", "mean payment of 1 day", "EUR"),
    Feature("spend_mean_7d", "mean payment of 7 days", "EUR"),
    Feature("spend_mean_30d", "mean payment of 30 days", "EUR"),
    Feature("merchants_7d", "merchants in 7 days"),
)

# from specs/fraud.yaml:61
FETCH = Stage("fetch", budget=0.005, on_error="default")
SCORE = Stage("score", budget=0.005)
RULES = Stage("rules", budget=0.001)
EXPLAIN = Stage("explain", budget=0.005, on_error="skip")

ACTIONS = ("approve", "review", "decline")
DECIDE_RULES = (
    Rule[Payment]("very_large", "review", lambda row: row.amount > 5_000, "the amount is over 5,000 EUR", priority=10),
)


@APP.post(
    "/decide",
    request=Payment,
    example={"payment_id": "p1", "card_id": "17", "amount": 42.5, "ts": "2026-01-31T12:00:00Z", "country": "DE"},
    stages=(FETCH, SCORE, RULES, EXPLAIN),
)
class Decide:
    """Approve, review or decline a card payment."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the parts of the version that this endpoint uses."""
        self.version = bundle.version
        self.store = OnlineStore.connect(
            os.environ.get("MLSD_STORE", "redis://127.0.0.1:6379/0"),
            system="card-fraud",
            features="sha256:features",
            layouts=[CARD_ACTIVITY],
            timeout=FETCH.budget,
        )
        self.fraud = CompiledTrees.load(bundle.file("models/fraud/trees.safetensors"))
        self.calibrated = calibration.read(bundle.file("models/fraud/calibration.json"))
        chosen = bundle.threshold_set("/decide")
        self.thresholds = Thresholds.of("/decide", chosen.kind, ACTIONS, chosen.thresholds)

    def __call__(self, request: Payment, call: Call) -> Decision:
        """Run the pipeline for one payment."""
        # from specs/fraud.yaml:63
        card = CARD_ACTIVITY.defaults
        with call.stage(FETCH):
            (card,) = self.store.read([("card_activity", (request.card_id,))], timeout=call.remaining())

        # from specs/fraud.yaml:64
        with call.stage(SCORE):
            row = (request.amount, hour(microseconds(request.ts)), amount_ratio(request.amount, card[7]), *card)
            score = self.calibrated(self.fraud.score(row))

        # from specs/fraud.yaml:66
        with call.stage(RULES):
            rules = fired(DECIDE_RULES, request)

        # from specs/fraud.yaml:70
        risk = expected_cost_ratio(score, false_negative=request.amount, false_positive=5.0)
        action = self.thresholds.decide(risk, rules)

        # from specs/fraud.yaml:73
        reasons: list[Reason] = [rule_reason(rule.name, rule.reason) for rule in rules]
        with call.stage(EXPLAIN):
            reasons += feature_reasons(FEATURES, row, self.fraud.explain(row).values, top=3)

        return Decision(
            request_id=call.request_id,
            action=action,
            score=score,
            risk=risk,
            reasons=reasons,
            degraded=call.degraded,
            version=self.version,
        )


@APP.serve
@bentoml.service(name="card_fraud", workers=1)
class Service:
    """Served by BentoML; the endpoints are answered in front of its middleware."""
