"""From the candidates that a pipeline ends with to the answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.items import Items
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.serving.recommendations import (
    Recommendations,
    RecommendedItem,
    Trace,
    TracedItem,
    traced_stages,
)

_RANK = "_rank"
_GROUP = "candidates."
_SHOWN = 50  # of a history, and of what a source found


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the request began with: the user's history, what each source found, and the items that there are."""

    history: Histories
    found: Mapping[str, Candidates]
    catalogue: Items


def recommended(
    candidates: Candidates, retrieved: Retrieved, call: Call, version: str, score: str | None = None
) -> Recommendations:
    """Return the candidates of one request as the answer, in their order; `score` names the column of their scores."""
    catalogue, history = retrieved.catalogue, retrieved.history
    return Recommendations(
        request_id=call.request_id,
        items=list(_items(candidates, catalogue, score)),
        cold_start=not len(history.items),
        degraded=call.degraded,
        version=version,
        trace=_trace(retrieved, call) if call.traced else None,
    )


def _trace(retrieved: Retrieved, call: Call) -> Trace:
    catalogue, history = retrieved.catalogue, retrieved.history
    met = zip(history.items[::-1][:_SHOWN].tolist(), history.times[::-1][:_SHOWN].tolist(), strict=True)
    return Trace(
        [TracedItem(catalogue.key(code), catalogue.describe(code), at=_iso(time)) for code, time in met],
        {name: list(_traced(found, catalogue)) for name, found in retrieved.found.items()},
        traced_stages(call, call.candidates),
    )


def _traced(found: Candidates, catalogue: Items) -> Iterator[TracedItem]:
    rows = zip(found.items[:_SHOWN].tolist(), found.columns["score"][:_SHOWN].tolist(), strict=True)
    for code, score in rows:
        yield TracedItem(catalogue.key(code), catalogue.describe(code), _known(score))


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1e6, UTC).isoformat()


def _known(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - NaN


def _items(candidates: Candidates, catalogue: Items, score: str | None) -> Iterator[RecommendedItem]:
    scores = candidates.columns[score].tolist() if score is not None else [np.nan] * len(candidates.items)
    ranks = {
        name.removeprefix(_GROUP).removesuffix(_RANK): column.tolist()
        for name, column in candidates.columns.items()
        if name.startswith(_GROUP) and name.endswith(_RANK)
    }
    chance = candidates.columns.get("propensity")
    for row, code in enumerate(candidates.items.tolist()):
        ranked = {source: column[row] for source, column in ranks.items() if column[row] == column[row]}
        yield RecommendedItem(
            item=catalogue.key(code),
            score=_known(scores[row]),
            sources=list(ranked),
            describe=catalogue.describe(code),
            why=[f"{source}: place {int(rank) + 1}" for source, rank in ranked.items()],
            propensity=None if chance is None else float(chance[row]),
        )
