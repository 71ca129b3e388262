"""From the candidates that a pipeline ends with to the answer."""

from collections.abc import Iterator

import numpy as np

from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.serving.recommendations import Recommendations, RecommendedItem

_RANK = "_rank"
_GROUP = "candidates."


def recommended(
    candidates: Candidates,
    history: Histories,
    catalogue: Catalogue,
    call: Call,
    version: str,
    score: str | None = None,
) -> Recommendations:
    """Return the candidates of one request as the answer, in their order; `score` names the column of their scores."""
    return Recommendations(
        request_id=call.request_id,
        items=list(_items(candidates, catalogue, score)),
        cold_start=not len(history.items),
        degraded=call.degraded,
        version=version,
    )


def _items(candidates: Candidates, catalogue: Catalogue, score: str | None) -> Iterator[RecommendedItem]:
    scores = candidates.columns[score].tolist() if score is not None else [np.nan] * len(candidates.items)
    ranks = {
        name.removeprefix(_GROUP).removesuffix(_RANK): column.tolist()
        for name, column in candidates.columns.items()
        if name.startswith(_GROUP) and name.endswith(_RANK)
    }
    chance = candidates.columns.get("propensity")
    for row, code in enumerate(candidates.items.tolist()):
        value = scores[row]
        yield RecommendedItem(
            item=catalogue.keys[code],
            score=None if value != value else value,  # noqa: PLR0124 - NaN
            sources=[source for source, column in ranks.items() if column[row] == column[row]],
            describe=catalogue.describe(code),
            propensity=None if chance is None else float(chance[row]),
        )
