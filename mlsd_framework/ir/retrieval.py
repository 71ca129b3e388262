"""Retrieval: what finds candidates, and what comes of them."""

from dataclasses import dataclass, field
from datetime import timedelta

from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.expressions import Expression
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.serving import Value
from mlsd_framework.ir.settings import LATER, SettingValue
from mlsd_framework.ir.types import FLOAT64

CANDIDATES = "candidates"
"""The row set that a pipeline retrieves, and the group of what its sources say of each row."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """Who met which item, when: `user` and `item` are columns of the events of `source`; `entity` lists the items."""

    source: str
    user: str
    item: str
    entity: str


@dataclass(frozen=True, slots=True)
class Retriever:
    """A named model that finds candidates by histories; `settings` are the kind's own, in order.

    `user_features` are what it reads of who asks, beside the history, and `item_features` what it knows of items.
    `item_text` are columns of the table that lists the items, which say in words what they are.
    `embeds` says whether its items are vectors, which an index can search.
    `has_vectors` says whether its class gives the vectors of items, whose cosine tells how alike two are.
    `of_history` says whether it finds items of the history and no others.
    """

    name: str
    kind: str
    interactions: Interactions
    settings: tuple[tuple[str, SettingValue], ...]
    user_features: tuple[FeatureRef, ...] = ()
    item_features: tuple[FeatureRef, ...] = ()
    item_text: tuple[str, ...] = ()
    embeds: bool = False
    has_vectors: bool = False
    of_history: bool = False
    describe: str | None = None
    span: Span | None = None

    def setting(self, name: str) -> SettingValue:
        """Return one of the kind's own settings."""
        return dict(self.settings)[name]


@dataclass(frozen=True, slots=True)
class Index:
    """Vectors of a retriever's items, made searchable: for the recall that is declared, by the fastest of `engines`."""

    name: str
    retriever: Retriever
    recall: float
    k: int
    engines: tuple[str, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class ItemCondition:
    """For which items a retrieval asks: those for which `where` is true.

    It reads `columns`, features of the items that are columns of tables, and what each request has `asked`.
    """

    where: Expression
    columns: tuple[FeatureRef, ...]
    asked: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Moments:
    """Requests at `count` moments, `every` so often, the last one `within` before the end of the log.

    What comes of them are events `within` so long after; known is what was before.
    """

    count: int
    within: timedelta
    every: timedelta


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Requests of which events that are drawn with a seed are what comes; known are the others.

    `share` of the events of each `user` or `item`, which `by` says, are of the test. `folds` parts of the rest are held
    out in turn: the last for validation, the others for training.
    """

    share: float
    by: str
    folds: int
    seed: int


Parts = Moments | HoldOut


@dataclass(frozen=True, slots=True)
class Shown:
    """What users were shown: rows of `source` of one `user` with one value of `request`, or else of one time.

    `outcome` is the column that says whether an item was chosen; without one it was where the user has an event with it
    `within` the time after.
    """

    source: str
    user: str
    item: str
    request: str | None = None
    outcome: str | None = None
    within: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a candidate of `endpoint` meets with one of the events of `interactions` that come of its request.

    `parts` say what is known to the requests of training, validation and test, and what comes of them; a request of
    training keeps `negatives` candidates without the outcome, all of them where it is none. With `shown` the requests
    of training and validation, and their candidates, are those of a log of impressions. The share `newcomers` of the
    requests of training is asked again as if their users were new.
    """

    name: str
    endpoint: str
    interactions: Interactions
    parts: Parts
    negatives: int | None = None
    seed: int = 0
    shown: Shown | None = field(default=None, metadata={LATER: True})
    newcomers: float | None = field(default=None, metadata={LATER: True})
    span: Span | None = None


def candidate_columns(
    sources: tuple[str, ...], span: Span | None = None, *, standardised: bool = False
) -> tuple[FeatureRef, ...]:
    """Return what retrieval says of each candidate: of each source its score and its rank, null where it has none.

    `standardised` adds the score's deviation from the mean of the request's candidates.
    """
    said = {"score": "score", "rank": "rank", **({"z": "standardised score"} if standardised else {})}
    return tuple(
        FeatureRef(CANDIDATES, f"{source}_{what}", FLOAT64.or_null(), f"{words} of {source.replace('_', ' ')}", span)
        for source in sources
        for what, words in said.items()
    )
