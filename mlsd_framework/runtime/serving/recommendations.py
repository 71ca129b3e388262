"""The answer to a request for recommendations: items in order, where each came from, and how they were found.

A trace is made where `Call.traced` is true only, which is where the request has the header `x-mlsd-trace: 1`.
"""

from collections.abc import Mapping

import msgspec

from mlsd_framework.runtime.serving.call import Call

Item = str | int


class RecommendedItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One item of the list: its final score, None where nothing scored it, and the sources that found it.

    `describe` is what a person reads in place of the id, `why` says in words why it is there. `propensity` is the
    probability with which the policy that answered shows this item in this place, where it explores.
    """

    item: Item
    score: float | None
    sources: list[str]
    describe: str | None = None
    why: list[str] = []
    propensity: float | None = None


class TracedItem(msgspec.Struct, omit_defaults=True):
    """An item that the pipeline saw on its way: in the history with its moment (ISO 8601), among candidates a score."""

    item: Item
    describe: str | None = None
    score: float | None = None
    at: str | None = None


class TracedStage(msgspec.Struct):
    """A stage that the request passed: how many candidates are behind it, none where it has none, and its time."""

    name: str
    candidates: int | None
    milliseconds: float


class Trace(msgspec.Struct):
    """How the list came about: the user's history, newest first, the candidates of each source, best first, the stages.

    Stages are in the order in which they ended.
    """

    history: list[TracedItem]
    candidates: dict[str, list[TracedItem]]
    stages: list[TracedStage]


class Recommendations(msgspec.Struct, kw_only=True):
    """The answer to a request for recommendations, the best item first.

    `cold_start` is true where nothing was known of the user; `degraded` names the stages that the answer had to do
    without; `cached` is true where the list is one that was made for an earlier request.
    """

    request_id: str
    items: list[RecommendedItem]
    cold_start: bool
    degraded: list[str]
    version: str
    cached: bool = False
    trace: Trace | None = None


class Feedback(msgspec.Struct, kw_only=True, frozen=True):
    """How an item of a list comes back as an event: the source, and which of its fields are key, user, item and moment.

    `label` is what the button says that sends it from the page.
    """

    source: str
    key: str
    user: str
    item: str
    at: str
    label: str = "Bought now"


def traced_stages(call: Call, candidates: Mapping[str, int]) -> list[TracedStage]:
    """Return the stages that `call`, a traced one, has passed; `candidates` is how many there were behind each."""
    return [TracedStage(name, candidates.get(name), round(seconds * 1e3, 3)) for name, seconds in call.passed]
