"""Recommendations from live histories, kept while these are the same: what tests of the cache and the page serve."""

from collections import Counter
from datetime import UTC, datetime
from itertools import chain

import bentoml
from msgspec import Struct

from mlsd_framework.runtime.features.online import OnlineStore
from mlsd_framework.runtime.serving.application import Application
from mlsd_framework.runtime.serving.bento import in_front
from mlsd_framework.runtime.serving.bundle import Bundle
from mlsd_framework.runtime.serving.call import Call, Stage
from mlsd_framework.runtime.serving.limits import Limits
from mlsd_framework.runtime.serving.moments import Moment, now
from mlsd_framework.runtime.serving.recommendations import (
    Feedback,
    Recommendations,
    RecommendedItem,
    Trace,
    TracedItem,
    traced_stages,
)
from mlsd_framework.runtime.serving.result_cache import ResultCache, entry_key
from mlsd_framework.runtime.serving.store import store_url
from tests.runtime.serving.live_shop.purchases import FEATURES, HISTORY, NAMES


class Request(Struct, forbid_unknown_fields=True, kw_only=True):
    """Whom to recommend to, and how many items."""

    user_id: int
    k: int = 6


class Purchase(Struct, forbid_unknown_fields=True, kw_only=True):
    """An event of `purchases`."""

    purchase_id: str
    ts: Moment
    user_id: int
    item_id: int


APP = Application("live-shop", spec="sha256:spec", features=FEATURES, file=__file__, limits=Limits(timeout=1.0))
APP.events(
    "purchases",
    event=Purchase,
    stream="purchases",
    by=("user_id",),
    example={"purchase_id": "p", "ts": "2026-01-31T12:00:00Z", "user_id": 1, "item_id": 1},
)
FETCH = Stage("fetch", budget=0.2, on_error="default")
RETRIEVE = Stage("retrieve")
POPULAR = tuple(range(0, len(NAMES), 2))


@APP.post(
    "/recommend",
    request=Request,
    example={"user_id": 1},
    stages=(FETCH, RETRIEVE),
    answer=Recommendations,
    user="user_id",
    feedback=(Feedback(source="purchases", key="purchase_id", user="user_id", item="item_id", at="ts"),),
)
class Recommend:
    """Recommends what a user buys again, what goes with it, and what is popular."""

    def __init__(self, bundle: Bundle) -> None:
        """Take the version, and where the store is."""
        self.version = bundle.version
        self.store = OnlineStore.connect(
            store_url(), system="live-shop", features=FEATURES, layouts=(), live=(HISTORY,), timeout=0.2
        )
        self.cache = ResultCache(ttl=600.0, max_bytes=1_000_000)

    def __call__(self, request: Request, call: Call) -> Recommendations:
        """Fetch the history; answer what was made from the same one, or make it."""
        items: list[int] = []
        times: list[int] = []
        stamp = None
        with call.stage(FETCH):
            asked = [("history", (request.user_id,))]
            rows, stamp = self.store.read_stamped(asked, ("history",), call.remaining(), now())
            items, times = rows[0]  # type: ignore[assignment] # as the group declares them
        key = entry_key(self.version, request.user_id, request.k)
        made = self.cache.get(key, stamp, call)
        if made is None:
            made = self.recommend(request, call, items, times)
            self.cache.put(key, stamp, made, call)
        return made

    def recommend(self, request: Request, call: Call, items: list[int], times: list[int]) -> Recommendations:
        """Make the list from a history."""
        with call.stage(RETRIEVE):
            found = {
                "again": [item for item, _ in Counter(items).most_common()],
                "goes with it": [(item + 1) % len(NAMES) for item in dict.fromkeys(items)],
                "popular": list(POPULAR),
            }
            merged = list(dict.fromkeys(chain(*found.values())))
        trace = None
        if call.traced:
            moments = [datetime.fromtimestamp(moment / 1e6, UTC).isoformat() for moment in times]
            trace = Trace(
                [TracedItem(item, NAMES[item], at=at) for item, at in zip(items, moments, strict=True)],
                {name: [TracedItem(i, NAMES[i], 1 / n) for n, i in enumerate(of, 1)] for name, of in found.items()},
                traced_stages(call, {"retrieve": len(merged)}),
            )
        return Recommendations(
            request_id=call.request_id,
            items=[_item(item, place, found) for place, item in enumerate(merged[: request.k], 1)],
            cold_start=not items,
            degraded=call.degraded,
            version=self.version,
            trace=trace,
        )


def _item(item: int, place: int, found: dict[str, list[int]]) -> RecommendedItem:
    sources = [name for name, items in found.items() if item in items]
    why = [f"{name}: place {items.index(item) + 1}" for name, items in found.items() if item in items]
    return RecommendedItem(item=item, score=1 / place, sources=sources, describe=NAMES[item], why=why)


@in_front(APP)
@bentoml.service(name="live_shop", workers=1)
class Service:
    """Served by BentoML; the endpoints are answered in front of it."""
