"""A recommendation service without a model: what the tests of recommendations serve."""

import bentoml
from msgspec import Struct

from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.bento import in_front
from mlsd_framework.runtime.serving.bundle import Bundle
from mlsd_framework.runtime.serving.call import Call, Stage
from mlsd_framework.runtime.serving.logs import LogPolicy
from mlsd_framework.runtime.serving.recommendations import (
    Recommendations,
    RecommendedItem,
    Trace,
    TracedItem,
    traced_stages,
)


class Request(Struct, forbid_unknown_fields=True, kw_only=True):
    """Whom to recommend to, and how many items."""

    user_id: int
    k: int = 3
    broken: bool = False


APP = Application("shop", spec="sha256:spec", features="sha256:features", file=__file__, log=LogPolicy(sample=2))
FETCH = Stage("fetch", on_error="default")
RETRIEVE = Stage("retrieve")
BOUGHT = {1: [10, 11], 2: [20]}
POPULAR = [10, 20, 30, 40]


@APP.post(
    "/recommend",
    request=Request,
    example={"user_id": 1},
    stages=(FETCH, RETRIEVE),
    answer=Recommendations,
)
class Recommend:
    """Recommend what a user bought before, then what is popular."""

    def __init__(self, bundle: Bundle) -> None:
        """Take the version."""
        self.version = bundle.version

    def __call__(self, request: Request, call: Call) -> Recommendations:
        """Fetch the history, retrieve, and say how when asked."""
        history: list[int] = []
        with call.stage(FETCH):
            if request.broken:
                raise ConnectionError("no store")
            history = BOUGHT.get(request.user_id, [])
        with call.stage(RETRIEVE):
            found = {
                item: [s for s, of in (("again", history), ("popular", POPULAR)) if item in of]
                for item in [*history, *POPULAR]
            }
        items = [
            RecommendedItem(item=item, score=1 / place, sources=sources, describe=f"item {item}", propensity=0.5)
            for place, (item, sources) in enumerate(list(found.items())[: request.k], start=1)
        ]
        trace = None
        if call.traced:
            candidates = {
                "again": [TracedItem(item) for item in history],
                "popular": [TracedItem(item) for item in POPULAR],
            }
            trace = Trace(
                [TracedItem(item) for item in history], candidates, traced_stages(call, {"retrieve": len(found)})
            )
        return Recommendations(
            request_id=call.request_id,
            items=items,
            cold_start=not history,
            degraded=call.degraded,
            version=self.version,
            trace=trace,
        )


@in_front(APP)
@bentoml.service(name="shop", workers=1)
class Service:
    """Served by BentoML; the endpoints are answered in front of it."""
