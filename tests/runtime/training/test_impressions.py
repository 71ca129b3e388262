"""Impressions as examples: requests, outcomes and columns are those that a loop over the rows finds."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.candidates import Candidates, offsets_of
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import DAY, HOUR, Interactions, histories_of
from mlsd_framework.runtime.retrieval.item_item import ItemItem
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.recent import Recent
from mlsd_framework.runtime.retrieval.retrieval import Ask, Retrieval
from mlsd_framework.runtime.training.candidate_examples import AT, interactions
from mlsd_framework.runtime.training.impressions import Impressions, Pages, Shown
from mlsd_framework.runtime.training.parts import Moment

CATALOGUE = Catalogue((1, 2, 3, 5, 8))
PAGES = Pages(user="who", item="what", time="when", request="page")
MOMENT = Moment(10 * DAY, "train", 7 * DAY)
WITHIN = timedelta(hours=36)

View = tuple[str | None, int | None, int, int, bool | None]
VIEWS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "eve", None]),
        st.sampled_from([1, 2, 3, 4, 5, 8, None]),
        st.integers(8 * 2, 19 * 2),  # half days
        st.integers(0, 3),
        st.sampled_from([True, False, None]),
    ),
    max_size=25,
)
CLICKS = st.lists(
    st.tuples(st.sampled_from(["ann", "bob", "cy"]), st.sampled_from([1, 2, 3, 4, 5, 8]), st.integers(8 * 2, 19 * 2)),
    min_size=1,
    max_size=25,
)


def views_of(views: list[View]) -> pl.LazyFrame:
    """Return impressions as a source has them."""
    columns = ("who", "what", "when", "page", "chosen")
    schema = {"who": pl.String, "what": pl.Int64, "when": pl.Int64, "page": pl.Int64, "chosen": pl.Boolean}
    rows = pl.LazyFrame(dict(zip(columns, zip(*views, strict=True), strict=True)) if views else None, schema=schema)
    return rows.with_columns((pl.col("when") * (DAY // 2)).cast(pl.Datetime("us", "UTC")))


def log_of(clicks: list[tuple[str, int, int]]) -> Interactions:
    """Return events as a log."""
    rows = pl.LazyFrame(clicks, schema={"who": pl.String, "what": pl.Int64, "when": pl.Int64}, orient="row")
    timed = rows.with_columns((pl.col("when") * (DAY // 2)).cast(pl.Datetime("us", "UTC")))
    return interactions(timed, CATALOGUE, user="who", item="what", time="when")


Request = tuple[int, str, int]


def expected(
    views: list[View], clicks: list[tuple[str, int, int]], *, paged: bool, column: bool
) -> dict[Request, dict[int, bool]]:
    """Return what each request showed and whether it was chosen, by time, user and page."""
    first: dict[tuple[str, int], int] = {}
    for user, _, when, page, _ in views:
        if user is not None:
            key = (user, page if paged else when)
            first[key] = min(first.get(key, when), when)
    found: dict[Request, dict[int, bool]] = {}
    for user, item, when, page, chosen in views:
        if user is None or item is None or item == 4 or (column and chosen is None):
            continue
        at = first[user, page if paged else when]
        if not 20 <= at < 34:
            continue
        said = (
            bool(chosen)
            if column
            else any(one == user and other == item and at <= then < at + 3 for one, other, then in clicks)
        )
        shown = found.setdefault((at, user, page if paged else when), {})
        shown[item] = shown.get(item, False) or said
    return found


@given(VIEWS, CLICKS, st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_requests_are_what_was_shown_at_once(
    views: list[View], clicks: list[tuple[str, int, int]], paged: bool, column: bool
) -> None:
    """In the order of time and user, at the time of their first row, with the known items of it and their outcomes."""
    wanted = expected(views, clicks, paged=paged, column=column)
    pages = PAGES if paged else Pages(user="who", item="what", time="when")
    read = Impressions(pages, "chosen") if column else Impressions(pages, within=WITHIN)
    if not wanted:
        with pytest.raises(RunError, match="no impression is from 1970-01-11"):
            read.of(views_of(views), log_of(clicks), CATALOGUE, MOMENT)
        return
    shown = read.of(views_of(views), log_of(clicks), CATALOGUE, MOMENT)
    assert told(shown) == [
        (at, user, sorted(items), sorted(item for item, chosen in items.items() if chosen))
        for (at, user, _), items in sorted(wanted.items())
    ]


def told(shown: Shown) -> list[tuple[int, str, list[int], list[int]]]:
    """Return moment in half days, user, items shown and items chosen of each request."""
    rows, relevant, found = shown.asked.rows, shown.asked.relevant, shown.candidates
    assert rows.columns == ["who", AT]
    half_days = (rows[AT].dt.timestamp("us") // (DAY // 2)).to_list()
    return [
        (
            at,
            user,
            CATALOGUE.keys_of(found.of(number)),
            sorted(CATALOGUE.keys_of(relevant.items[relevant.offsets[number] : relevant.offsets[number + 1]])),
        )
        for number, (at, user) in enumerate(zip(half_days, rows["who"], strict=True))
    ]


@pytest.mark.parametrize(("half_days", "chosen"), [(-1, []), (0, [1]), (2, [1]), (3, []), (4, [])])
def test_an_event_chooses_from_the_request_up_to_its_time(half_days: int, chosen: list[int]) -> None:
    """One at the moment of the request counts, one exactly `within` later does not."""
    shown = Impressions(PAGES, within=WITHIN).of(
        views_of([("ann", 1, 25, 0, None), ("ann", 2, 25, 0, None)]),
        log_of([("ann", 1, 25 + half_days)]),
        CATALOGUE,
        MOMENT,
    )
    assert told(shown) == [(25, "ann", [1, 2], chosen)]


def test_an_outcome_of_numbers_is_nought_or_one() -> None:
    """A count of clicks is refused, by name and value."""
    views = views_of([("ann", 1, 25, 0, True), ("ann", 2, 25, 0, False)])
    counted = views.with_columns(pl.Series("clicks", [1, 3]))
    with pytest.raises(RunError, match="`clicks` of an impression is 3"):
        Impressions(PAGES, "clicks").of(counted, log_of([("ann", 1, 20)]), CATALOGUE, MOMENT)
    capped = counted.with_columns(pl.col("clicks") // 2)
    found = Impressions(PAGES, "clicks").of(capped, log_of([("ann", 1, 20)]), CATALOGUE, MOMENT)
    assert told(found) == [(25, "ann", [1, 2], [2])]


EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7), st.integers(0, 200)), min_size=3, max_size=60)
LISTS = st.lists(st.sets(st.integers(0, 7)), min_size=5, max_size=5)


@given(EVENTS, LISTS, st.booleans())
@settings(max_examples=80, deadline=None)
def test_columns_of_what_was_shown_mean_what_they_mean_of_candidates(
    events: list[tuple[int, int, int]], shown: list[set[int]], standardise: bool
) -> None:
    """Where retrieval finds an item too, each column is that of the candidate; a rank of others is none."""
    events = sorted(events, key=lambda one: one[2])
    users, items, times = (np.array(column) for column in zip(*events, strict=True))
    log = Interactions(users.astype(np.int32), items.astype(np.int32), times * HOUR, 5, 8)
    histories = histories_of(log, np.arange(5), np.full(5, 150 * HOUR))
    sources = {"last": Recent.fit(), "near": ItemItem.fit(log, least=1), "popular": Popularity.fit(log)}
    retrieval = Retrieval({"last": Ask(3), "near": Ask(3, new=True), "popular": Ask(4)}, n=6, standardise=standardise)
    merged = retrieval.candidates(sources, histories)
    given_items = [np.array(sorted(one), np.int32) for one in shown]
    asked = Candidates(offsets_of([len(one) for one in given_items]), np.concatenate(given_items).astype(np.int32))
    found = retrieval.of_shown(sources, asked, histories)
    assert list(found.columns) == list(merged.columns)
    assert found.items.tolist() == asked.items.tolist()
    answers = retrieval.found(sources, histories)
    for request in range(5):
        for place, item in enumerate(asked.of(request).tolist()):
            row = int(asked.offsets[request]) + place
            for name, answer in answers.items():
                ranked = answer.of(request).tolist()
                rank = ranked.index(item) if item in ranked else np.nan
                assert found.columns[f"candidates.{name}_rank"][row] == pytest.approx(rank, nan_ok=True)
            among = merged.of(request).tolist()
            if item in among:
                other = int(merged.offsets[request]) + among.index(item)
                for name, column in merged.columns.items():
                    assert found.columns[name][row] == pytest.approx(column[other], nan_ok=True), name


def test_requests_in_slices_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many requests are asked some at a time, and none of them is lost or moved."""
    draw = np.random.default_rng(1)
    log = Interactions(
        draw.integers(0, 9, 200, np.int32),
        draw.integers(0, 8, 200, np.int32),
        np.sort(draw.integers(0, DAY, 200)),
        9,
        8,
    )
    histories = histories_of(log, np.arange(9), draw.integers(0, DAY, 9))
    sources = {"last": Recent.fit(), "popular": Popularity.fit(log)}
    retrieval = Retrieval({"last": Ask(3), "popular": Ask(4)}, n=6, standardise=True)
    asked = Candidates(offsets_of([2] * 9), np.tile(np.array([1, 5], np.int32), 9))
    whole = retrieval.of_shown(sources, asked, histories)
    monkeypatch.setattr("mlsd_framework.runtime.retrieval.retrieval._SLICE", 2)
    sliced = retrieval.of_shown(sources, asked, histories)
    for name, column in whole.columns.items():
        assert np.array_equal(column, sliced.columns[name], equal_nan=True)
    nothing = retrieval.of_shown(sources, asked.between(0, 0), histories.between(0, 0))
    assert nothing.requests == 0
    assert list(nothing.columns) == list(whole.columns)
