"""What `retrieve` is compiled to."""

from dataclasses import dataclass, field
from datetime import timedelta

from mlsd_framework.ir.retrieval import ItemCondition, Retriever
from mlsd_framework.ir.settings import LATER


@dataclass(frozen=True, slots=True)
class Source:
    """A source of candidates: the model that finds them, how many it is asked for of which items, what it may take."""

    name: str
    retriever: Retriever
    n: int
    new: bool
    budget: timedelta | None
    where: ItemCondition | None = field(default=None, metadata={LATER: True})


@dataclass(frozen=True, slots=True)
class RetrieveSettings:
    """Who is asked, by which history: lists of items and times, or one item that the request names.

    `entity` is what is retrieved, `key` its column; `moment` the column of the request that says when it happened.
    `standardise` is whether scores are told standardised within the request too; `where` for which items all are asked.
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
    where: ItemCondition | None = field(default=None, metadata={LATER: True})

    @property
    def conditions(self) -> tuple[ItemCondition, ...]:
        """Return every condition on the items that are asked for."""
        found = (self.where, *(one.where for one in self.sources))
        return tuple(one for one in found if one is not None)
