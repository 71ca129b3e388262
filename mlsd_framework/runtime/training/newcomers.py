"""Requests asked again as if their users were new: with no history, and what is known of a user nobody has seen.

They may say what they like. That is what the hidden history holds most often, so it is of events before the moment
alone; what is right is what the user did after it, as ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.item_table import Given, ItemTable
from mlsd_framework.runtime.retrieval.retrieval import Retrieval
from mlsd_framework.runtime.retrieval.source import Source
from mlsd_framework.runtime.training.candidate_examples import Asked

if TYPE_CHECKING:
    from mlsd_framework.runtime.retrieval.candidates import Column

_COUNT: Final = "count"
_NEWEST: Final = "newest"

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Likes:
    """The request's `value` holds the `most` most frequent values of `column` in a history, `default` where nothing."""

    value: str
    column: str
    most: int
    default: Values = ()

    def of(self, histories: Histories, table: ItemTable) -> list[Values]:
        """Return what each history holds most often, the most frequent first, of equal ones the newest: [requests]."""
        request_of = np.repeat(np.arange(histories.requests), np.diff(histories.offsets))
        held = pl.DataFrame(
            {
                "request": request_of,
                "value": table.of_places(histories.items)[self.column],
                _NEWEST: np.arange(len(request_of)),
            }
        ).drop_nulls()
        counted = held.group_by("request", "value").agg(pl.len().alias(_COUNT), pl.col(_NEWEST).max())
        ranked = counted.sort("request", _COUNT, _NEWEST, descending=[False, True, True])
        first = ranked.group_by("request", maintain_order=True).agg(pl.col("value").head(self.most))
        found: list[Values] = [()] * histories.requests
        for request, values in first.iter_rows():
            found[request] = tuple(values)
        return found

    def dtype(self, table: ItemTable) -> pl.List:
        """Return the type of the lists that are said."""
        return pl.List(table.rows.schema[self.column])


@dataclass(frozen=True)
class Asking:
    """How requests are asked again: the retrieval, its fitted sources, the column of requests that says who asks.

    Conditions of the retrieval read `table` of the items, and `given`, values that the requests of the past have, by
    name.
    """

    retrieval: Retrieval
    sources: Mapping[str, Source]
    user: str
    table: ItemTable | None = None
    given: Mapping[str, Sequence[Any] | pl.Series] = field(default_factory=dict)

    @property
    def items(self) -> ItemTable:
        """The items, of which somebody may say that they like them."""
        if self.table is None:
            raise ValueError("who says what they like needs a table of the items")
        return self.table

    def again(self, one: Asked, history: Histories, drawn: NDArray[np.intp], said: Mapping[str, list[Values]]) -> "New":
        """Ask the requests drawn as newcomers who say something: values of the request by name, [drawn] each."""
        asked = replace(
            one,
            rows=one.rows[drawn].with_columns(pl.lit(None).cast(one.rows.schema[self.user]).alias(self.user)),
            relevant=_taken(one.relevant, drawn),
        )
        met = nobody(history.taken(drawn))
        given = None
        if self.table is not None:
            values = {name: [column[row] for row in drawn.tolist()] for name, column in self.given.items()}
            values = {name: [None] * len(drawn) if name == self.user else own for name, own in values.items()}
            given = Given(self.table, {**values, **said})
        found = self.retrieval.found(self.sources, met, given)
        return New(asked, met, given, found, self.retrieval.merged(self.sources, found, met))


@dataclass(frozen=True)
class New:
    """Requests as newcomers make them: their empty histories, what is given of them, what was found, and merged."""

    asked: Asked
    history: Histories
    given: Given | None
    found: Mapping[str, Candidates]
    merged: Candidates


@dataclass(frozen=True, slots=True)
class Newcomers:
    """A `share` of the requests of a part is asked again as by newcomers: saying nothing, and saying what they like.

    Without `likes` they say nothing. Who is drawn depends on the seed and the part.
    """

    share: float
    likes: Likes | None = None
    seed: int = 0

    def drawn(self, one: Asked) -> NDArray[np.intp]:
        """Return which requests are asked again, in their order; at least one, where there is any."""
        requests = one.rows.height
        # All folds are of one moment: what comes of their requests tells them apart.
        draw = np.random.default_rng([self.seed, one.part.at, len(one.relevant.items)])
        return np.sort(draw.choice(requests, min(requests, max(1, round(self.share * requests))), replace=False))

    def of(self, one: Asked, history: Histories, asking: Asking) -> Iterator[New]:
        """Yield the requests asked again, once for each thing that newcomers say."""
        drawn = self.drawn(one)
        if self.likes is None:
            yield asking.again(one, history, drawn, {})
            return
        yield asking.again(one, history, drawn, {self.likes.value: [self.likes.default] * len(drawn)})
        yield asking.again(one, history, drawn, {self.likes.value: self.likes.of(history.taken(drawn), asking.items)})


def nobody(history: Histories) -> Histories:
    """Return as many requests, at the same moments, of users of whom nothing is known."""
    columns: dict[str, Column] = {}
    for name, column in history.columns.items():
        columns[name] = np.full(len(column), None if column.dtype == object else np.nan, column.dtype)
    offsets = np.zeros(history.requests + 1, np.int64)
    return Histories(offsets, np.empty(0, np.int32), np.empty(0, np.int64), history.at, columns)


def _taken(relevant: Relevant, drawn: NDArray[np.intp]) -> Relevant:
    """Return what is relevant to some requests, renumbered."""
    place = np.full(len(relevant.offsets) - 1, -1, np.int64)
    place[drawn] = np.arange(len(drawn))
    requests = place[relevant.request_of]
    kept = requests >= 0
    return Relevant.of_pairs(requests[kept], relevant.items[kept], len(drawn))
