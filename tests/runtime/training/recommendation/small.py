"""A small pipeline to evaluate: three households, eight products, two sources."""

from typing import Any

import numpy as np
import polars as pl

from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training.recommendation.subject import ItemFacts, Subject
from tests.runtime.ranking_metrics.plain_metrics import candidates, relevant

DAY = 86_400_000_000
NOW = 100 * DAY
ITEMS = 8


def catalogue(**changed: Any) -> ItemFacts:
    """Return eight items; the last two were first seen lately."""
    seen = np.full(ITEMS, 10 * DAY)
    seen[6:] = NOW - 5 * DAY
    facts = {
        "keys": [f"item {number}" for number in range(ITEMS)],
        "met_by": np.array([5, 4, 3, 3, 2, 1, 1, 0]),
        "users": 6,
        "first_seen": seen,
        "groups": {"kind": np.array(list("aaaabbbb"))},
    }
    return ItemFacts(**{**facts, **changed})


def subject(**changed: Any) -> Subject:
    """Return the second user without a history, the third without anything relevant."""
    near, popular = candidates([[4, 1, 6], [5], [0, 1]]), candidates([[0, 1, 2], [0, 1, 2], [0, 1, 2]])
    merged = candidates([[4, 0, 1, 6, 2], [5, 0, 1, 2], [0, 1, 2]])
    parts = {
        "pipeline": "feed",
        "requests": pl.DataFrame({"user": ["u", "v", "w"], "country": ["NL", "NL", None]}),
        "user": "user",
        "relevant": relevant([{1: 1.0, 6: 1.0, 7: 1.0}, {0: 1.0, 5: 2.0}, {}]),
        "histories": Histories(
            np.array([0, 3, 3, 9]), np.array([1, 1, 4, 0, 1, 2, 3, 4, 5], np.int32), np.arange(9) * DAY, np.full(3, NOW)
        ),
        "catalogue": catalogue(),
        "sources": {"near": near, "popular": popular},
        "stages": {"merged": merged, "taken": merged.top(3)},
        "baselines": {"most popular": popular},
    }
    return Subject(**{**parts, **changed})
