"""What newcomers would be answered: some requests of the test asked again as if their users were new.

Each is asked twice, with an empty history, and with whatever is known of a user nobody has seen: once saying nothing,
once saying what its user likes. That is what the hidden history holds most often, so it is of events before the moment
alone; what is right is what the user did after it, as ever.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.retrieval.item_table import Given, ItemTable
from mlsd_framework.runtime.retrieval.retrieval import Retrieval
from mlsd_framework.runtime.retrieval.source import Source
from mlsd_framework.runtime.training import retrieved
from mlsd_framework.runtime.training.artefacts import read_dataset
from mlsd_framework.runtime.training.candidate_examples import Asked, Sampling, examples_of

if TYPE_CHECKING:
    from mlsd_framework.runtime.retrieval.candidates import Column

NEWCOMERS: Final = "newcomers"
ONBOARDED: Final = "onboarded"
_ROWS: Final = "candidates.parquet"
_COUNT, _NEWEST = "count", "newest"

Likes = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Onboarding:
    """The request's `value` holds the `most` most frequent values of `column` in a history, `default` where nothing.

    At most `sample` requests of the test are asked again, drawn with a seed.
    """

    value: str
    column: str
    most: int
    sample: int
    default: Likes = ()
    seed: int = 7

    def drawn(self, requests: int) -> NDArray[np.intp]:
        """Return which requests are asked again, in their order."""
        if requests <= self.sample:
            return np.arange(requests)
        return np.sort(np.random.default_rng(self.seed).choice(requests, self.sample, replace=False))

    def likes(self, histories: Histories, table: ItemTable) -> list[Likes]:
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
        found: list[Likes] = [()] * histories.requests
        for request, values in first.iter_rows():
            found[request] = tuple(values)
        return found


@dataclass(frozen=True)
class Asking:
    """How requests are asked again: the retrieval and its fitted sources, what is known of the items, their key.

    `given` are values of the request, as those of the past have them, by name. `features` puts the features of
    candidates beside them.
    """

    retrieval: Retrieval
    sources: Mapping[str, Source]
    catalogue: Catalogue
    table: ItemTable
    user: str
    item: str
    label: str
    given: Mapping[str, Sequence[Any] | pl.Series]
    features: Callable[[pl.DataFrame], pl.DataFrame]


def write(folder: Path, onboarding: Onboarding, one: Asked, history: Histories, asking: Asking) -> None:
    """Ask some requests of the test again, and keep what came of it beside what they had, by the two names."""
    drawn = onboarding.drawn(history.requests)
    met = history.taken(drawn)
    rows = one.rows[drawn].with_columns(pl.lit(None).cast(one.rows.schema[asking.user]).alias(asking.user))
    relevant = _taken(one.relevant, drawn)
    said = {NEWCOMERS: [onboarding.default] * len(drawn), ONBOARDED: onboarding.likes(met, asking.table)}
    for name, likes in said.items():
        kept = pl.Series(onboarding.value, [list(each) for each in likes], dtype=_dtype(asking.table, onboarding))
        new = replace(one, rows=rows.with_columns(kept), relevant=relevant)
        _ask(folder / name, new, _nobody(met), likes, onboarding, asking, drawn)


def read(folder: Path) -> dict[str, tuple[retrieved.Retrieved, pl.DataFrame]]:
    """Return what `write` wrote by name: what was retrieved, and the candidates with their features.

    Raises RunError E6325 where it is not there or damaged.
    """
    return {
        name: (retrieved.Retrieved.read(folder / name), read_dataset(folder / name / _ROWS))
        for name in (NEWCOMERS, ONBOARDED)
    }


def _ask(
    folder: Path,
    one: Asked,
    nobody: Histories,
    likes: Sequence[Likes],
    onboarding: Onboarding,
    asking: Asking,
    drawn: NDArray[np.intp],
) -> None:
    values = {name: [column[row] for row in drawn.tolist()] for name, column in asking.given.items()}
    values = {name: [None] * len(drawn) if name == asking.user else own for name, own in values.items()}
    given = Given(asking.table, {**values, onboarding.value: likes})
    found = asking.retrieval.found(asking.sources, nobody, given)
    merged = asking.retrieval.merged(asking.sources, found, nobody)
    examples = examples_of(
        one, merged, asking.catalogue, item=asking.item, label=asking.label, first=0, sampling=Sampling()
    )
    folder.mkdir(parents=True, exist_ok=True)
    alone = asking.retrieval.alone(asking.sources, nobody, given)
    retrieved.write(folder, one, nobody, found=found, alone=alone, first=0)
    with atomic.replacing(folder / _ROWS) as part:
        asking.features(examples.drop(onboarding.value)).write_parquet(part)


def _nobody(history: Histories) -> Histories:
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


def _dtype(table: ItemTable, onboarding: Onboarding) -> pl.List:
    return pl.List(table.rows.schema[onboarding.column])
