"""Examples that are impressions are proved: honest ones hold, and each planted defect is found and named."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest

from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.features.dataset import beside
from mlsd_framework.runtime.features.out_of_core import window_features_from
from mlsd_framework.runtime.retrieval.buy_again import BuyAgain
from mlsd_framework.runtime.retrieval.interactions import DAY, HOUR, Interactions
from mlsd_framework.runtime.retrieval.item_item import ItemItem
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.training.candidate_examples import Sampling, examples_of, interactions
from mlsd_framework.runtime.training.impressions import Impressions, Pages
from mlsd_framework.runtime.training.parts import Moment
from mlsd_framework.runtime.verify.impression_leakage import impression_leakage
from mlsd_framework.runtime.verify.leakage import Leakage
from mlsd_framework.runtime.verify.subject import Candidates, Log, Shown, Subject
from tests.runtime.verify.test_candidate_leakage import (
    CATALOGUE,
    COLUMNS,
    DAYS,
    HORIZON,
    ITEMS,
    MOMENTS,
    PURCHASES,
    RETRIEVE,
    USERS,
    Known,
    group,
    purchases,
)

VIEWS = SourceTable(
    name="views",
    paths=("views.parquet",),
    columns=(
        *(Column(name=name, type="int64") for name in ("view_id", "page_id", "user_id", "item_id")),
        Column(name="at", type="timestamp"),
        Column(name="written", type="timestamp"),
        Column(name="chosen", type="bool"),
    ),
    key=("view_id",),
    event_time="at",
)
PAGES = Pages(user="user_id", item="item_id", time="at", request="page_id")
BY_COLUMN = Impressions(PAGES, "chosen")
BY_EVENTS = Impressions(Pages(user="user_id", item="item_id", time="at"), within=timedelta(days=2))


def views() -> pl.DataFrame:
    """Return pages of four items, those of a page hours apart; one page in six is written two days late.

    Pages are numbered downwards, to 0 near the first cut, so that a changed number may be that of a page before it.
    """
    draw = np.random.default_rng(4)
    pages = 500
    begin = purchases()["at"].min()
    assert begin is not None
    starts = np.repeat(np.sort(draw.integers(0, DAYS * DAY, pages)), 4)
    late = np.repeat(np.where(draw.random(pages) < 1 / 6, 2 * DAY, 0), 4)
    page = np.repeat(410 - np.arange(pages), 4)
    at = starts + np.tile(np.arange(4), pages) * 4 * HOUR
    begun = int(pl.Series([begin]).dt.timestamp("us")[0])
    rows = {
        "view_id": np.arange(4 * pages),
        "page_id": page,
        "user_id": np.repeat(draw.choice([0, 1, 2, 3, USERS], pages), 4),
        "item_id": draw.integers(0, ITEMS, 4 * pages),
        "at": pl.Series(begun + at).cast(pl.Datetime("us", "UTC")),
        "written": pl.Series(begun + at + late).cast(pl.Datetime("us", "UTC")),
        "chosen": draw.random(4 * pages) < 0.3,
    }
    return pl.DataFrame(rows).sort("at", maintain_order=True)


def make(
    events: pl.LazyFrame,
    impressions: pl.LazyFrame,
    part: Moment,
    *,
    read: Impressions = BY_COLUMN,
    known: Known = Interactions.as_of,
    written: str | None = None,
    ahead: int = 0,
) -> pl.DataFrame:
    """Return the examples of a moment; `known` and `ahead` are what defects are planted by."""
    log = interactions(events, CATALOGUE, **COLUMNS, written=written)
    shown = read.of(impressions, log, CATALOGUE, part)
    then = shown.asked.rows.with_columns(pl.col("at") + pl.duration(microseconds=ahead))
    rows = beside(shown.asked.rows, "taste", window_features_from(events, then, group(written), time="at"))
    history = CATALOGUE.histories(rows["taste.items_lifetime"], rows["taste.times_lifetime"], rows["at"])
    past = known(log, part.at)
    fitted = {
        "popular": Popularity.fit(past),
        "together": ItemItem.fit(past),
        "again": BuyAgain.fit(past, horizon=HORIZON, most=20),
    }
    said = replace(RETRIEVE, standardise=True).of_shown(fitted, shown.candidates, history)
    found = examples_of(shown.asked, said, CATALOGUE, item="item_id", label="chosen", first=0, sampling=Sampling())
    spend = rows.select("user_id", "at", "taste.spend_lifetime").unique()
    return found.join(spend, on=["user_id", "at"], how="left", maintain_order="left")


def prove(written: str | None = None, read: Impressions = BY_COLUMN, **defect: object) -> Leakage:
    """Return what comes of the proof."""
    logs = (Log(PURCHASES, purchases(), written), Log(VIEWS, views(), written))
    candidates = Candidates(
        make=partial(make, written=written, read=read, **defect),  # type: ignore[arg-type] # a defect is an argument
        reads=("purchases", "views"),
        source="purchases",
        user="user_id",
        item="item_id",
        label="chosen",
        parts=MOMENTS,
        fitted=("popular", "together", "again"),
        shown=Shown("views", read),
    )
    found = Leakage()
    subject = Subject(system="shop", definitions="", features="", logs=logs)
    assert candidates.shown is not None
    impression_leakage(subject, candidates, candidates.shown, MOMENTS, found)
    return found


def leaking(found: Leakage) -> set[str]:
    """Return the columns that leak."""
    assert found.holds == (not found.leaks)
    return {one.column for one in found.leaks}


@pytest.mark.parametrize("written", [None, "written"])
@pytest.mark.parametrize("read", [BY_COLUMN, BY_EVENTS], ids=["column", "events"])
def test_honest_examples_hold(written: str | None, read: Impressions) -> None:
    """Nothing changes with the future, nor with rows written late, whichever way outcomes are read."""
    found = prove(written, read)
    assert leaking(found) == set()
    assert found.rows > 150
    assert len(found.cuts) == 2
    assert {one.source for one in found.plants} == {"purchases", "views"}
    assert "requests from then on" in found.sample


def test_sources_that_know_what_came_after_the_moment_are_found() -> None:
    """Sources fitted on the time of the impressions themselves say other things: the proof fails."""
    found = prove(known=lambda log, moment: log.as_of(moment + HORIZON))
    assert {one for one in leaking(found) if one.startswith("candidates.popular")}


def test_a_feature_from_after_the_impression_is_found() -> None:
    """Features as of a day later change with what happens in that day."""
    assert "taste.spend_lifetime" in leaking(prove(ahead=DAY))


def test_an_outcome_from_beyond_its_time_is_found() -> None:
    """An outcome that looks further than it says changes with what comes after it."""
    said, done = BY_EVENTS, replace(BY_EVENTS, within=timedelta(days=6))

    def late(events: pl.LazyFrame, impressions: pl.LazyFrame, part: Moment, **_: object) -> pl.DataFrame:
        return make(events, impressions, part, read=done)

    logs = (Log(PURCHASES, purchases()), Log(VIEWS, views()))
    candidates = Candidates(
        make=late, reads=("purchases", "views"), source="purchases", user="user_id", item="item_id", label="chosen",
        parts=MOMENTS, fitted=("popular",), shown=Shown("views", said),
    )  # fmt: skip
    found = Leakage()
    impression_leakage(
        Subject(system="shop", definitions="", features="", logs=logs), candidates, Shown("views", said), MOMENTS, found
    )
    assert leaking(found) == {"chosen"}
    assert {one.cut for one in found.leaks} == {found.cuts[1]}
