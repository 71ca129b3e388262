"""What `retrieve` is compiled to."""

from dataclasses import dataclass
from datetime import timedelta

from mlsd_framework.ir.retrieval import Retriever


@dataclass(frozen=True, slots=True)
class Source:
    """A source of candidates: the model that finds them, how many it is asked for, and what it may take."""

    name: str
    retriever: Retriever
    n: int
    new: bool
    budget: timedelta | None


@dataclass(frozen=True, slots=True)
class RetrieveSettings:
    """Who is asked, by which history: lists of items and times, or one item that the request names.

    `entity` is what is retrieved, `key` its column; `moment` the column of the request that says when it happened.
    `standardise` is whether scores are told standardised within the request too.
    """

    sources: tuple[Source, ...]
    n: int
    entity: str
    key: str
    items: str | None
    times: str | None
    item: str | None
    moment: str | None
    standardise: bool = False
