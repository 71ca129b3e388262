"""What was asked and retrieved at the moment of the test, kept beside the training set for the evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.frames import columns_of
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training.artefacts import read_dataset
from mlsd_framework.runtime.training.candidate_examples import REQUEST, Asked

_REQUESTS = "requests.parquet"
_RELEVANT = "relevant.parquet"
_HISTORY = "history.parquet"
_HISTORIES = "histories.parquet"
_FOUND = "found.parquet"
_ALONE = "alone.parquet"


@dataclass(frozen=True)
class Retrieved:
    """Requests, a row each by number; their histories, what came of them, and what sources found.

    `found` is what each source gave to the pipeline, `alone` what it would recommend by itself.
    """

    requests: pl.DataFrame
    history: Histories
    relevant: Relevant
    found: Mapping[str, Candidates]
    alone: Mapping[str, Candidates]

    def said(self, value: str, default: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return the lists that requests have as one of their values, `default` where they say nothing: [requests]."""
        if value not in self.requests.columns:
            return [default] * self.requests.height
        return [tuple(one) for one in self.requests[value]]

    def ids(self, user: str) -> list[str]:
        """Return an id of each request: who asks, or which of those that nobody knows, and when."""
        users = self.requests.select(pl.coalesce(pl.col(user).cast(pl.String), pl.format("new {}", REQUEST)))
        return [f"{one}@{at}" for one, at in zip(users.to_series(), self.history.at.tolist(), strict=True)]

    @classmethod
    def read(cls, folder: Path) -> "Retrieved":
        """Read what `write` wrote; raises RunError E6325 where it is not there or damaged."""
        requests = read_dataset(folder / _REQUESTS)
        count = requests.height
        history = read_dataset(folder / _HISTORY)
        relevant = read_dataset(folder / _RELEVANT)
        return cls(
            requests,
            histories_from(history, requests),
            Relevant(_offsets(relevant, count), relevant["item"].to_numpy().astype(np.int32)),
            _read_answers(folder / _FOUND, count),
            _read_answers(folder / _ALONE, count),
        )


def write(
    folder: Path,
    one: Asked,
    history: Histories,
    *,
    found: Mapping[str, Candidates],
    alone: Mapping[str, Candidates],
    first: int,
) -> None:
    """Write the requests of one moment, numbered from `first` on as their examples are, to a folder."""
    codes = pl.DataFrame({"request": one.relevant.request_of, "item": one.relevant.items})
    numbered = one.rows.with_columns(pl.arange(first, first + one.rows.height).alias(REQUEST))
    frames = {
        _REQUESTS: numbered,
        _RELEVANT: codes,
        _HISTORY: met_of(history),
        _FOUND: _answers(found),
        _ALONE: _answers(alone),
    }
    for name, frame in frames.items():
        with atomic.replacing(folder / name) as part:
            frame.write_parquet(part)


def met_of(history: Histories) -> pl.DataFrame:
    """Return what the users of requests had, a row an item with its time, oldest first."""
    request_of = np.repeat(np.arange(history.requests), np.diff(history.offsets))
    return pl.DataFrame({"request": request_of, "item": history.items, "time": history.times})


def histories_from(met: pl.DataFrame, requests: pl.DataFrame) -> Histories:
    """Return what `met_of` gave as histories of the requests, a row each with its moment."""
    return Histories(
        _offsets(met, requests.height),
        met["item"].to_numpy().astype(np.int32),
        met["time"].to_numpy().astype(np.int64),
        requests["at"].dt.timestamp("us").to_numpy().astype(np.int64),
    )


def numbered(history: Histories, first: int) -> pl.DataFrame:
    """Return what the users of requests had, a row an item, oldest first; requests are numbered from `first` on."""
    request_of = np.repeat(np.arange(first, first + history.requests), np.diff(history.offsets))
    return pl.DataFrame({REQUEST: request_of, "item": history.items})


def write_histories(folder: Path, moments: Sequence[pl.DataFrame]) -> None:
    """Write what `numbered` gave of each moment, for models that read last items."""
    with atomic.replacing(folder / _HISTORIES) as part:
        pl.concat(moments).write_parquet(part)


def with_histories(data: pl.DataFrame, folder: Path, *, last: int, name: str) -> pl.DataFrame:
    """Return rows of the training set with the last items of their requests' users, oldest first, as a column.

    Items are places in the catalogue; it is null where a user had none. Raises RunError E6325 where
    `write_histories` has not written.
    """
    held = read_dataset(folder / _HISTORIES).group_by(REQUEST).agg(pl.col("item").tail(last).alias(name))
    return data.join(held, on=REQUEST, how="left", maintain_order="left")


def _answers(found: Mapping[str, Candidates]) -> pl.DataFrame:
    return pl.concat([_answer(name, each) for name, each in found.items()])


def _answer(name: str, found: Candidates) -> pl.DataFrame:
    columns = {"request": found.request_of, "item": found.items, "score": found.columns["score"].astype(np.float64)}
    rows = pl.DataFrame(columns)
    # A source that found nothing for anybody is one of the sources: a row of nulls keeps its name.
    kept = rows if rows.height else rows.clear(1)
    return kept.select(pl.lit(name).alias("source"), pl.all())


def _read_answers(path: Path, count: int) -> dict[str, Candidates]:
    return {
        str(name): Candidates(
            _offsets(rows, count),
            rows["item"].to_numpy().astype(np.int32),
            {"score": rows["score"].to_numpy(writable=True)},
        )
        for (name,), answers in read_dataset(path).group_by("source", maintain_order=True)
        for rows in [answers.drop_nulls("request")]
    }


def candidates_from(
    data: pl.DataFrame, catalogue: Catalogue, requests: pl.DataFrame, *, item: str, columns: Sequence[str]
) -> Candidates:
    """Return rows of the training set as the candidates of the requests that they are of, with their columns."""
    first = int(requests[REQUEST][0]) if requests.height else 0
    lengths = np.bincount(data[REQUEST].to_numpy() - first, minlength=requests.height)
    return Candidates(offsets_of(lengths), catalogue.codes(data[item]), columns_of(data, columns))


def _offsets(rows: pl.DataFrame, count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return offsets_of(np.bincount(rows["request"].to_numpy(), minlength=count))
