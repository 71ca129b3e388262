"""A source that learns from the inputs of towers without any: an item's score is what its examples had in windows."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime.features.out_of_core import window_features_from
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.retrieval.best import best
from mlsd_framework.runtime.retrieval.candidates import Candidates, Mask
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions
from mlsd_framework.runtime.retrieval.source import Source, gathered
from mlsd_framework.runtime.retrieval.tower_examples import examples

GROUP = WindowGroup(
    name="activity",
    entity=("user_id",),
    source="purchases",
    event_time="at",
    windows=(timedelta(days=7),),
    aggregates=(Aggregate("spend", "sum", "spent"),),
    key=("purchase_id",),
)


@dataclass(frozen=True)
class Taught(Source):
    """`scores` [items] are the same for every request."""

    scores: NDArray[np.float64]

    @classmethod
    def fit(cls, log: Interactions, events: pl.LazyFrame, ahead: int = 0) -> "Taught":
        """Learn as towers do: features of windows as of each event; `ahead` microseconds after it are a defect."""
        taken = examples(log, pl.DataFrame(), history=3)
        moments = taken.moments(log, events, "user_id").with_columns(pl.col("at") + pl.duration(microseconds=ahead))
        users = taken.beside(window_features_from(events, moments, GROUP, time="at")).users
        spent = users["spend_7d"].fill_null(0.0).to_numpy()
        return cls(np.bincount(taken.items, weights=spent, minlength=log.item_count))

    def retrieve(self, histories: Histories, n: int, *, allowed: Mask | None = None) -> Candidates:  # noqa: ARG002 - a source's
        """Return the items of the largest scores."""
        answer = best(self.scores, np.arange(len(self.scores), dtype=np.int32), n, -np.inf)
        return gathered([answer] * histories.requests)

    def score(self, histories: Histories, candidates: Candidates) -> NDArray[np.float64]:  # noqa: ARG002 - a source's
        """Return the scores of candidates."""
        return self.scores[candidates.items]
