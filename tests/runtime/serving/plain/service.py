"""A decision service without a model or a store, whose stages can be told to fail or to be slow.

What the tests of HTTP behaviour serve.
"""

import time
from typing import Annotated

import bentoml
from msgspec import Meta, Struct

from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.bento import in_front
from mlsd_framework.runtime.serving.bundle import Bundle
from mlsd_framework.runtime.serving.call import Call, Stage
from mlsd_framework.runtime.serving.decision import Decision, Rule, Thresholds, expected_cost_ratio, fired
from mlsd_framework.runtime.serving.limits import Limits
from mlsd_framework.runtime.serving.moments import Moment
from mlsd_framework.runtime.serving.reasons import Feature, feature_reasons, rule_reason


class Payment(Struct, forbid_unknown_fields=True, kw_only=True):
    """A payment to decide on."""

    card_id: str
    amount: Annotated[float, Meta(ge=0)]
    ts: Moment
    items: Annotated[int, Meta(ge=1, le=99)] = 1
    country: str | None = None


APP = Application(
    "plain", spec="sha256:spec", features="sha256:features", file=__file__, limits=Limits(timeout=0.2, body_time=1.0)
)
FETCH = Stage("fetch", budget=0.005, on_error="default")
SCORE = Stage("score")
ACTIONS = ("approve", "review", "decline")
FEATURES = (Feature("amount", "amount", "EUR"), Feature("spend", "spend of the last day", "EUR"))
LARGE = Rule("large", "review", "the amount is over 5,000 EUR")


@APP.post(
    "/decide",
    request=Payment,
    example={"card_id": "c1", "amount": 12.5, "ts": "2026-01-31T12:00:00Z"},
    stages=(FETCH, SCORE),
)
class Decide:
    """Decide on a payment."""

    def __init__(self, bundle: Bundle) -> None:
        """Take the thresholds."""
        self.version = bundle.version
        self.thresholds = Thresholds.load(bundle, "/decide", ACTIONS)

    def __call__(self, request: Payment, call: Call) -> Decision:
        """Fetch, score, decide; the card's id says what goes wrong."""
        spend = 0.0
        with call.stage(FETCH):
            if request.card_id == "dead-store":
                raise ConnectionError("no store")
            spend = 100.0
        if request.card_id.startswith("sleep-"):
            time.sleep(float(request.card_id.removeprefix("sleep-")))
        with call.stage(SCORE):
            if request.card_id == "dead-model":
                raise ValueError("no model")
            score = min(1.0, request.amount / 1000)
        if request.card_id == "bug":
            raise RuntimeError("a bug")
        risk = expected_cost_ratio(score, request.amount, 5.0)
        rules = fired((LARGE, request.amount > 5000))
        return Decision(
            request_id=call.request_id,
            action=self.thresholds.decide(risk, rules),
            score=score,
            risk=risk,
            reasons=[rule_reason(rule.name, rule.reason) for rule in rules]
            + feature_reasons(FEATURES, (request.amount, spend), (score - 0.5, 0.1), top=2),
            degraded=call.degraded,
            version=self.version,
        )


@in_front(APP)
@bentoml.service(name="plain", workers=1)
class Service:
    """Served by BentoML; the endpoints are answered in front of it."""
