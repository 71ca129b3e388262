"""What was retrieved for the test comes back as it was, and a training set's rows are candidates again."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import Histories
from mlsd_framework.runtime.training.candidate_examples import AT, REQUEST, Asked, Sampling, examples_of
from mlsd_framework.runtime.training.parts import Moment
from mlsd_framework.runtime.training.retrieved import Retrieved, candidates_from, write

CATALOGUE = Catalogue(("a", "b", "c", "d", "e"))
LISTS = st.lists(st.lists(st.integers(0, 4), unique=True), min_size=2, max_size=2)
AT_NOON = 43_200_000_000


def rows_of(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return lists of items by request as offsets and items."""
    return offsets_of(np.array([len(one) for one in lists])), np.array(
        [item for one in lists for item in one], np.int32
    )


def found_of(lists: list[list[int]]) -> Candidates:
    """Return candidates with a score that falls."""
    offsets, items = rows_of(lists)
    return Candidates(offsets, items, {"score": -np.arange(len(items)) / 3})


def asked_of(relevant: list[list[int]]) -> Asked:
    """Return two requests of one moment."""
    rows = pl.DataFrame({"who": [7, 9]}).with_columns(pl.lit(AT_NOON).cast(pl.Datetime("us", "UTC")).alias(AT))
    return Asked(rows, Relevant(*rows_of(relevant)), Moment(AT_NOON, "test", 1))


@given(LISTS, LISTS, LISTS, LISTS, LISTS, st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_what_was_retrieved_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[list[int]],
    relevant: list[list[int]],
    one: list[list[int]],
    two: list[list[int]],
    alone: list[list[int]],
    first: int,
) -> None:
    """Requests, histories, relevant items and the answers of every source, one that found nothing for anybody too."""
    folder = tmp_path_factory.mktemp("retrieved")
    offsets, items = rows_of(history)
    met = Histories(offsets, items, np.arange(len(items)) * 1_000_000, np.full(2, AT_NOON))
    found = {"zeta": found_of(one), "again": found_of(two)}
    write(folder, asked_of(relevant), met, found=found, alone={"zeta": found_of(alone)}, first=first)
    read = Retrieved.read(folder)
    assert read.requests["who"].to_list() == [7, 9]
    assert read.requests[REQUEST].to_list() == [first, first + 1]
    for name in ("offsets", "items", "times", "at"):
        assert getattr(read.history, name).tolist() == getattr(met, name).tolist()
        assert getattr(read.history, name).dtype == getattr(met, name).dtype
    assert (read.relevant.offsets.tolist(), read.relevant.items.tolist()) == tuple(
        part.tolist() for part in rows_of(relevant)
    )
    assert list(read.found) == ["zeta", "again"]
    for name, wanted in (*found.items(), ("alone", found_of(alone))):
        held = read.alone["zeta"] if name == "alone" else read.found[name]
        assert held.offsets.tolist() == wanted.offsets.tolist()
        assert held.items.tolist() == wanted.items.tolist()
        np.testing.assert_array_equal(held.columns["score"], wanted.columns["score"])


@pytest.mark.parametrize("name", ["requests", "relevant", "history", "found", "alone"])
def test_a_file_that_is_gone_or_cut_is_named(tmp_path: Path, name: str) -> None:
    """E6325, whichever it is."""
    met = Histories(*rows_of([[0], []]), np.array([1]), np.full(2, AT_NOON))
    answers = {"a": found_of([[1], []])}
    write(tmp_path, asked_of([[1], [2]]), met, found=answers, alone=answers, first=0)
    path = tmp_path / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RunError, match=rf"E6325.*{name}\.parquet"):
        Retrieved.read(tmp_path)
    path.unlink()
    with pytest.raises(RunError, match=rf"E6325.*{name}\.parquet"):
        Retrieved.read(tmp_path)


@given(LISTS, LISTS, st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_rows_of_the_training_set_are_candidates_again(
    found: list[list[int]], relevant: list[list[int]], first: int
) -> None:
    """The same requests, items, order and columns that the examples were made of."""
    one = asked_of(relevant)
    candidates = found_of(found).with_columns(name=np.array(["x", None] * 5, object)[: sum(map(len, found))])
    data = examples_of(one, candidates, CATALOGUE, item="item", label="took", first=first, sampling=Sampling())
    requests = one.rows.with_columns(pl.arange(first, first + 2).alias(REQUEST))
    again = candidates_from(data, CATALOGUE, requests, item="item", columns=["score", "name", "took"])
    assert again.offsets.tolist() == candidates.offsets.tolist()
    assert again.items.tolist() == candidates.items.tolist()
    np.testing.assert_array_equal(again.columns["score"], candidates.columns["score"])
    assert again.columns["name"].tolist() == candidates.columns["name"].tolist()
    assert again.columns["took"].dtype == np.float64
