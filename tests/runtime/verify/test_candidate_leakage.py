"""Examples of a ranker are proved: an honest way to make them holds, and each planted defect is found and named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from mlsd_framework.runtime.data.schema import Column, SourceTable
from mlsd_framework.runtime.features.dataset import beside
from mlsd_framework.runtime.features.out_of_core import window_features_from
from mlsd_framework.runtime.features.windows import Aggregate, WindowGroup
from mlsd_framework.runtime.retrieval.buy_again import BuyAgain
from mlsd_framework.runtime.retrieval.catalogue import Catalogue
from mlsd_framework.runtime.retrieval.interactions import DAY, Interactions
from mlsd_framework.runtime.retrieval.item_item import ItemItem
from mlsd_framework.runtime.retrieval.popularity import Popularity
from mlsd_framework.runtime.retrieval.retrieval import Ask, Retrieval
from mlsd_framework.runtime.training.candidate_examples import Sampling, asked, examples_of, interactions
from mlsd_framework.runtime.training.parts import Moment, Moments
from mlsd_framework.runtime.verify.candidate_leakage import candidate_leakage
from mlsd_framework.runtime.verify.leakage import Leakage
from mlsd_framework.runtime.verify.proof import Proof
from mlsd_framework.runtime.verify.report import page
from mlsd_framework.runtime.verify.subject import Candidates, Log, Subject
from tests.runtime.verify.taught import Taught

if TYPE_CHECKING:
    from mlsd_framework.runtime.retrieval.source import Source

USERS, ITEMS, DAYS = 30, 40, 60
HORIZON = 7 * DAY
MOMENTS = Moments(3, within=timedelta(days=7), every=timedelta(days=7))
COLUMNS = {"user": "user_id", "item": "item_id", "time": "at"}
CATALOGUE = Catalogue(tuple(range(ITEMS)))
RETRIEVE = Retrieval({"popular": Ask(8), "together": Ask(8), "again": Ask(8)}, n=20)
Known = Callable[[Interactions, int], Interactions]


PURCHASES = SourceTable(
    name="purchases",
    paths=("purchases.parquet",),
    columns=(
        *(Column(name=name, type="int64") for name in ("purchase_id", "user_id", "item_id")),
        *(Column(name=name, type="timestamp") for name in ("at", "written")),
        Column(name="spent", type="float64"),
    ),
    key=("purchase_id",),
    event_time="at",
)


def purchases() -> pl.DataFrame:
    """Return sixty days of purchases; one in five is written two days late."""
    draw = np.random.default_rng(11)
    rows = 2500
    start = datetime(2026, 1, 1, tzinfo=UTC)
    at = [start + timedelta(seconds=int(one)) for one in np.sort(draw.integers(0, DAYS * 86_400, rows))]
    late = np.where(draw.random(rows) < 0.2, 2, 0)
    micro = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "purchase_id": np.arange(rows),
            "user_id": draw.integers(0, USERS, rows),
            "item_id": np.minimum(draw.geometric(0.08, rows), ITEMS) - 1,
            "at": pl.Series(at, dtype=micro),
            "written": pl.Series(
                [one + timedelta(days=int(wait)) for one, wait in zip(at, late, strict=True)], dtype=micro
            ),
            "spent": draw.gamma(2.0, 5.0, rows).round(2),
        }
    )


def group(written: str | None) -> WindowGroup:
    """Return what retrieval and the ranker read of a user."""
    return WindowGroup(
        name="taste",
        entity=("user_id",),
        source="purchases",
        event_time="at",
        windows=(None,),
        aggregates=(
            Aggregate("items", "last_n", "item_id", n=50),
            Aggregate("times", "last_n", "at", n=50),
            Aggregate("spend", "sum", "spent"),
        ),
        key=("purchase_id",),
        ingest_time=written,
    )


def make(
    events: pl.LazyFrame,
    moment: Moment,
    *,
    known: Known = Interactions.as_of,
    written: str | None = None,
    ahead: int = 0,
    horizon: int = HORIZON,
    taught: int | None = None,
) -> pl.DataFrame:
    """Return the examples of a moment; `known`, `ahead` and `horizon` are what defects are planted by.

    With `taught` a source learns from features of windows too, so long after its examples.
    """
    log = interactions(events, CATALOGUE, **COLUMNS, written=written)
    one = asked(events, log, replace(moment, horizon=horizon), user="user_id")
    then = one.rows.with_columns(pl.col("at") + pl.duration(microseconds=ahead))
    features = window_features_from(events, then, group(written), time="at")
    rows = beside(one.rows, "taste", features)
    history = CATALOGUE.histories(rows["taste.items_lifetime"], rows["taste.times_lifetime"], rows["at"])
    past = known(log, moment.at)
    fitted: dict[str, Source] = {
        "popular": Popularity.fit(past),
        "together": ItemItem.fit(past),
        "again": BuyAgain.fit(past, horizon=HORIZON, most=20),
    }
    retrieve: Retrieval = RETRIEVE
    if taught is not None:
        retrieve = Retrieval({**RETRIEVE.asks, "taught": Ask(8)}, n=28)
        fitted["taught"] = Taught.fit(past, events, taught)
    merged = retrieve.candidates(fitted, history)
    examples = examples_of(one, merged, CATALOGUE, item="item_id", label="bought", first=0, sampling=Sampling())
    spend = rows.select("user_id", "taste.spend_lifetime")
    return examples.join(spend, on="user_id", how="left", maintain_order="left")


def prove(written: str | None = None, **defect: object) -> Leakage:
    """Return what comes of the proof."""
    log = Log(PURCHASES, purchases(), written)
    made = partial(make, written=written, **defect)  # type: ignore[arg-type] # a defect is an argument of `make`
    candidates = Candidates(
        make=made,
        reads=("purchases",),
        source="purchases",
        user="user_id",
        item="item_id",
        label="bought",
        parts=MOMENTS,
        fitted=("popular", "together", "again"),
    )
    return candidate_leakage(Subject(system="shop", definitions="", features="", logs=(log,)), candidates, MOMENTS)


def leaking(found: Leakage) -> set[str]:
    """Return the columns that leak."""
    assert found.holds == (not found.leaks)
    return {one.column for one in found.leaks}


@pytest.mark.parametrize("written", [None, "written"])
def test_honest_examples_hold(written: str | None) -> None:
    """Nothing changes with the future, nor with rows written late; the proof says what it was made of."""
    found = prove(written)
    assert leaking(found) == set()
    assert found.rows > 2 * USERS
    assert len(found.cuts) == 2
    assert {one.kind for one in found.plants} >= {"future rows of known keys", "future rows of new keys"}
    assert ("rows written late" in {one.kind for one in found.plants}) == (written is not None)
    assert "popular, together, again" in found.sample
    assert "fitted on 2,500 of 2,500 events" in found.sample
    assert page(Proof("shop", "now", 1.0, 1, {}, leakage=found)).count(found.sample) == 1


def test_sources_that_know_the_whole_log_are_found() -> None:
    """Sources fitted on all events find other candidates and say other things of them: the proof fails."""
    found = prove(known=lambda log, _: log)
    assert {one for one in leaking(found) if one.startswith("candidates.popular")}
    proof = Proof("shop", "now", 1.0, 1, {}, leakage=found)
    assert [one.code for one in proof.faults()] == ["E6702"]


def test_sources_that_know_how_many_users_will_come_are_found() -> None:
    """Events before the moment are not enough: a draw among all users of the log depends on those who come later."""
    assert {one for one in leaking(prove(known=Interactions.until)) if one.startswith("candidates.again")}


def test_a_feature_from_after_the_moment_is_found() -> None:
    """Features as of an hour later change with what happens in that hour."""
    assert "taste.spend_lifetime" in leaking(prove(ahead=DAY // 24))


def test_what_towers_read_of_windows_is_of_the_past() -> None:
    """Learned as of each event nothing changes with the future of a request; with a look at the week after it does."""
    assert leaking(prove(taught=0)) == set()
    assert {"candidates.taught_score", "candidates.taught_rank"} & leaking(prove(taught=7 * DAY))


def test_an_outcome_from_beyond_the_horizon_is_found() -> None:
    """A label that looks a day further than it says changes with what comes after the horizon."""
    found = prove(horizon=8 * DAY)
    assert leaking(found) & {"bought", "(candidate)"}
    assert {one.cut for one in found.leaks} == {found.cuts[1]}


def test_sources_that_know_what_was_not_written_yet_are_found() -> None:
    """Where the source says when a row was written, a source fitted on rows written later is no source of the past."""

    def happened(log: Interactions, moment: int) -> Interactions:
        blind = Interactions(log.users, log.items, log.times, log.user_count, log.item_count, log.user_keys)
        return blind.as_of(moment)

    assert {one for one in leaking(prove("written", known=happened)) if one.startswith("candidates.")}
