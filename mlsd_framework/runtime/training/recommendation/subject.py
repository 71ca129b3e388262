"""What is evaluated: the requests of a pipeline, what every part of it answered, and the facts that metrics read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.off_policy import Log
from mlsd_framework.runtime.ranking_metrics.relevance import FloatArray, IntArray, Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions, Times

if TYPE_CHECKING:
    import polars as pl

NEVER = int(np.iinfo(np.int64).max)
"""When an item that nobody met yet was first seen."""


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """Facts of all items, a row an item; an item's code is its row.

    `keys` name the items, `descriptions` say what they are. `met_by` counts the users who met each item before the
    moment of the evaluation, among `users`; `first_seen` is when anybody first did, `NEVER` where nobody did. `groups`
    are columns by which exposure is told, such as category; `vectors` [items, dimensions] tell which items are alike.
    """

    keys: Sequence[Any]
    met_by: IntArray
    users: int
    first_seen: Times
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    vectors: NDArray[np.floating] | None = None
    descriptions: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Check that all columns are of the same items."""
        sizes = {len(column) for column in (self.met_by, self.first_seen, *self.groups.values())}
        sizes |= {len(column) for column in (self.vectors, self.descriptions) if column is not None}
        if sizes != {len(self.keys)}:
            raise ValueError(f"a column of the catalogue has not {len(self.keys)} items")

    @classmethod
    def of_log(
        cls,
        log: Interactions,
        keys: Sequence[Any],
        *,
        groups: Mapping[str, NDArray[Any]] | None = None,
        vectors: NDArray[np.floating] | None = None,
        descriptions: Sequence[str] | None = None,
    ) -> "ItemFacts":
        """Count who met what in a log, which ends where the evaluation begins: `log.until(moment)`."""
        pairs = np.unique(log.users.astype(np.int64) * log.item_count + log.items)
        met_by = np.bincount(pairs % max(log.item_count, 1), minlength=log.item_count)
        first_seen = np.full(log.item_count, NEVER, np.int64)
        np.minimum.at(first_seen, log.items, log.times)
        return cls(keys, met_by, len(np.unique(log.users)), first_seen, groups or {}, vectors, descriptions)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class LoggedPolicy:
    """A log with propensities, from which to estimate what the pipeline would have earned; [rows] all.

    `expected` and `of_shown` are estimates of a model of rewards, as `off_policy.doubly_robust` takes them.
    """

    log: Log
    reward: str = "reward"
    expected: FloatArray | None = None
    of_shown: FloatArray | None = None
    clip: float | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a pipeline and others answered to the same requests, in the same order.

    requests   one row a request: the column `user`, and columns to slice by
    relevant   what was right, by request; `histories` what each user did before, with the moment
    sources    what each source of candidates found by itself, at least one
    stages     what each stage gave, in the order of the pipeline; the last is what users see
    baselines  what the pipeline has to be better than
    again      by name what was answered to some of the users in other circumstances, such as if they were new
    """

    pipeline: str
    requests: "pl.DataFrame"
    user: str
    relevant: Relevant
    histories: Histories
    catalogue: ItemFacts
    sources: Mapping[str, Candidates]
    stages: Mapping[str, Candidates]
    baselines: Mapping[str, Candidates] = field(default_factory=dict)
    logged: LoggedPolicy | None = None
    again: Mapping[str, "Subject"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that all are of the same requests and items."""
        if not self.sources or not self.stages:
            raise ValueError("a pipeline has one source and one stage at least")
        answers = [*self.sources.values(), *self.stages.values(), *self.baselines.values()]
        counts = {len(self.relevant.offsets) - 1, self.histories.requests, *(one.requests for one in answers)}
        if counts != {len(self.requests)}:
            raise ValueError(f"{len(self.requests)} requests, and answers of {sorted(counts)}")
        codes = [self.relevant.items, self.histories.items, *(one.items for one in answers)]
        last = max(int(one.max(initial=-1)) for one in codes)
        if last >= len(self.catalogue):
            raise ValueError(f"item {last} is not among the {len(self.catalogue)} of the catalogue")

    @property
    def last(self) -> str:
        """Name the stage that users see."""
        return list(self.stages)[-1]

    @property
    def units(self) -> NDArray[np.generic] | None:
        """The user of each request, to be drawn whole, where any has several: [requests]; else None.

        Requests without a user are each of somebody else.
        """
        users = self.requests[self.user]
        known = users.drop_nulls()
        if known.n_unique() == len(known):
            return None
        codes = users.rank("dense").fill_null(0).to_numpy().astype(np.int64)
        codes[users.is_null().to_numpy()] = -1 - np.arange(users.null_count())
        return codes
